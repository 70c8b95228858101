/* fuzz: what the fuzz targets share. A target is one function over any bytes, which aborts when an
 * invariant does not hold; libFuzzer or replay.c calls it. It must free what it makes and may not
 * depend on what came before. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The bytes not yet taken. Each piece is taken into a heap block of exactly its size, so that ASan
 * sees a read beyond it. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline struct str take(struct input *in, size_t n) {
    if (n > in->left)
        n = in->left;
    char *block = malloc(n);
    CHECK(block != NULL);
    if (n > 0)
        memcpy(block, in->at, n);
    in->at += n;
    in->left -= n;
    return (struct str){block, n};
}

/* The next byte, 0 at the end. */
static inline uint8_t take_byte(struct input *in) {
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A piece whose length the next byte says. */
static inline struct str take_piece(struct input *in) {
    return take(in, take_byte(in));
}

/* Eight bytes, most significant first. */
static inline uint64_t take_u64(struct input *in) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | take_byte(in);
    return value;
}

static inline void give_back(struct str s) {
    free((void *)s.ptr);
}

static inline bool has_byte(struct str s, char c) {
    return s.len > 0 && memchr(s.ptr, c, s.len) != NULL;
}

/* Whether `part` lies inside `whole`: results that borrow must. */
static inline bool inside(struct str part, struct str whole) {
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

#endif
