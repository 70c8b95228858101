/* place: where in which file a reader stands, as a text that outlives the process. */
#ifndef TAIL_PLACE_H
#define TAIL_PLACE_H

#include "base/str.h"

#define PLACE_HEAD 256    /* so many of a file's first bytes tell it from others, at most */
#define PLACE_TEXT_MAX 64 /* bytes of its text: longer ones are none */

struct place {
    uint64_t ino;
    uint64_t hash;     /* of the first `head_len` bytes */
    uint32_t head_len; /* PLACE_HEAD at most; fewer of a file that was shorter */
    uint64_t offset;   /* of the first byte that was not read */
};

/* The hash of a file's first bytes: the same in each process. */
uint64_t place_hash(const char *head, size_t n);
/* Whether a file that begins with those bytes may be the one. */
bool place_fits(const struct place *place, const char *head, size_t n);
/* Writes it as text of letters, digits and dots, PLACE_TEXT_MAX bytes at most; its length. */
size_t place_write(char *out, const struct place *place);
/* 0, or -1: it is no place. */
int place_parse(struct str text, struct place *out);

#endif
