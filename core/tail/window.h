/* window: the newest bytes of what a follower has read, in memory. */
#ifndef TAIL_WINDOW_H
#define TAIL_WINDOW_H

#include "base/str.h"

#define WINDOW_LEAST (64u << 10) /* one look */
#define WINDOW_MOST (1u << 20)   /* of one file: a second of 1 MB/s, or 10,000 lines */
#define WINDOWS_MOST (64u << 20) /* of all files; beyond it those that grow stay at the least */

struct window {
    char *ring;
    size_t cap;   /* a power of two */
    size_t len;   /* how much of it is filled: the newest bytes */
    uint64_t end; /* how many bytes were added so far: the position behind the newest */
};

void window_fini(struct window *window);
/* Adds bytes, WINDOW_LEAST at most; the oldest go. */
void window_add(struct window *window, struct str bytes);
/* Forgets all, and goes on at the same position. */
void window_clear(struct window *window);
/* The oldest position that is there. */
static inline uint64_t window_begin(const struct window *window) {
    return window->end - window->len;
}
/* The bytes from `at` on that lie in one piece, `most` at most; valid until the next call. */
struct str window_piece(const struct window *window, uint64_t at, size_t most);
/* The position behind the last LF between two that are there; 0: there is none. */
uint64_t window_last(const struct window *window, uint64_t from, uint64_t to);
/* The position behind the first LF between two that are there; `to`: there is none. */
uint64_t window_first(const struct window *window, uint64_t from, uint64_t to);
/* How many LF there are between two positions that are there. */
uint64_t window_lines(const struct window *window, uint64_t from, uint64_t to);

#endif
