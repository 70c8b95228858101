/* volumes: the files of one log, the rotated ones too, in their order. */
#ifndef SEARCH_VOLUMES_H
#define SEARCH_VOLUMES_H

#include "tail/kin.h"

#define VOLUMES_MOST (KIN_MOST + 1)

struct volume {
    struct source *source;
    struct place head; /* its inode and first bytes */
    char first[PLACE_HEAD];
    uint64_t size; /* when it was opened; of what is packed: on the disk */
    bool packed;
};

struct volumes {
    char *path;
    struct volume all[VOLUMES_MOST]; /* the oldest first */
    size_t n;
    bool has_newest; /* the last one stands under the path itself, and may grow */
};

/* Opens them. 0, also when there is none, or a negative errno. Blocks. */
int volumes_open(struct volumes *volumes, const char *path);
void volumes_fini(struct volumes *volumes);
/* The volume in which the place is; -1: in none of them. */
int volumes_find(const struct volumes *volumes, const struct place *place);
/* The place at an offset of a volume. */
struct place volumes_place(const struct volumes *volumes, size_t i, uint64_t offset);
/* Whether a volume still begins as it did: what was read before that was asked is of it. Blocks. */
bool volumes_intact(const struct volumes *volumes, size_t i);
/* A volume has been truncated, so that it has not all bytes before `offset` any more: has it be the
 * copy that was made of it before. False: there is none. Blocks. */
bool volumes_mend(struct volumes *volumes, size_t i, uint64_t offset);

#endif
