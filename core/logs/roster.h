/* roster: which files there are to be looked at. */
#ifndef LOGS_ROSTER_H
#define LOGS_ROSTER_H

#include "base/list.h"
#include "logs/line_id.h"
#include "net/work.h"

#define ROSTER_MOST 256 /* files of one */

enum roster_state {
    ROSTER_FOUND,
    ROSTER_WAITING, /* it is not there yet */
    ROSTER_GONE,    /* of a glob: it was there */
    ROSTER_ERROR    /* it cannot be read, `why` says */
};

/* One file. */
struct roster_file {
    char key[LINE_ID_KEY + 1]; /* stands for the path, in ids and URLs */
    char *path;
    const char *labels; /* an object of JSON; the roster's */
    enum roster_state state;
    const char *why; /* a literal */
    bool globbed;
    unsigned seen, missed; /* looks: the first that found it, those in a row that did not. An entry
                              whose `seen` has changed is of another file */
};

struct roster;

/* What is told of a look. */
struct roster_user {
    struct list link;
    void (*on_look)(struct roster_user *user);
};

struct roster *roster_new(struct loop *loop);
/* When nobody uses it. */
void roster_free(struct roster *roster);
/* A path, or a glob, both copied, as are the labels: an object of JSON. Before the first user. */
void roster_add(struct roster *roster, const char *path, bool glob, const char *labels);
/* From now on until roster_leave they are looked for every ROSTER_MS; on_look is called after
 * each look, never from within this call. True: what is known is no older than that. */
#define ROSTER_MS 2000
bool roster_join(struct roster *roster, struct roster_user *user);
void roster_leave(struct roster *roster, struct roster_user *user);
/* Which look it was, from 1 on. */
unsigned roster_looks(const struct roster *roster);
/* The files, in the order in which they were found; borrowed until the next look. */
const struct roster_file *roster_files(const struct roster *roster, size_t *n);
const char *roster_state_name(enum roster_state state);

#endif
