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

/* Follows no more. */
void rig_leave(struct rig *rig);
/* Follows anew, from behind the line with that id; lines = 0. */
void rig_come_back(struct rig *rig, const char *id);
/* The id of the line given last; valid until the next but three. */
const char *rig_id(struct rig *rig);
/* Follows a file of these lines from its start, to the line `last`: its id. */
const char *rig_read_to(struct rig *rig, const char *text, const char *last);
void rig_assert_no_gap(struct rig *rig);
void rig_assert_gap(struct rig *rig, int64_t lines);
/* One of the counters of tail. */
uint64_t rig_counter(const char *name);

void rig_copy(struct rig *rig, const char *from, const char *to);
/* As logrotate does: the copy, then the truncation. */
void rig_copytruncate(struct rig *rig, const char *to);
/* As gzip does: the packed file has the times of the other, which goes. */
void rig_pack(struct rig *rig, const char *name);
/* Files written at the same time cannot be told by it: each gets a second of its own. */
void rig_age(struct rig *rig, const char *name, int seconds);

/* The length of a line's next piece, by its definition, of `n` bytes that are left. */
size_t rig_piece(const char *bytes, size_t n, size_t max_line);

#endif
