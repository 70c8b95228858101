/* A follow on a real loop, its file in a folder of its own, and what tests do to that file. */
#ifndef TAIL_RIG_H
#define TAIL_RIG_H

#include "net/loop.h"
#include "tail/follow.h"

#define RIG_PATIENCE 4000 /* beats: 20 s */

struct rig {
    struct loop loop;
    uv_timer_t beat;
    int beats; /* since the last progress */
    char folder[64];
    char path[96]; /* folder/log */
    struct follow *follow;
    struct follow *other; /* one more, whom tests that need it make */
    int ready;            /* calls of on_ready */
    int warned, debugged; /* log lines of these levels */
    char warning[512];    /* the last of them */
};

/* For cmocka: `*state` becomes a struct rig; what is left afterwards, handles included, fails. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Follows rig->path. */
void rig_follow(struct rig *rig, uint32_t lines, size_t max_line);
/* The same from behind the line with that id on; NULL: none. */
void rig_resume(struct rig *rig, const char *after, uint32_t lines, size_t max_line);
/* One turn of the loop; fails the test when turns do not help for 20 s. */
void rig_turn(struct rig *rig);
/* Turns until all that was done to the file so far is noticed and read; the follow's timer has not
 * necessarily fired. */
void rig_settle(struct rig *rig);
/* Settles, moves the frozen clock on, settles. */
void rig_advance(struct rig *rig, uint64_t ms);
/* The next line, waited for. */
struct str rig_next(struct rig *rig);
/* Waits for these lines, a '|' between each two. */
void rig_expect(struct rig *rig, const char *lines);
/* Settles; there must be no line. */
void rig_expect_none(struct rig *rig);

/* folder/name; valid until the next call but three. */
const char *rig_path(struct rig *rig, const char *name);
/* Appends to folder/name, made if need be. */
void rig_append(struct rig *rig, const char *name, const char *text);
void rig_append_bytes(struct rig *rig, const char *name, const void *bytes, size_t n);
void rig_rename(struct rig *rig, const char *from, const char *to);
void rig_truncate(struct rig *rig, const char *name);

/* The length of a line's next piece, by its definition, of `n` bytes that are left. */
size_t rig_piece(const char *bytes, size_t n, size_t max_line);

#endif
