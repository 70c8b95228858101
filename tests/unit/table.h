/* table: what the table-driven tests share: inputs in heap blocks of exactly their size, so that
 * ASan sees a read one byte beyond them, and comparisons that name the row that failed. */
#ifndef TESTS_TABLE_H
#define TESTS_TABLE_H

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy in a block of its own; a NULL stays one. Free it with exact_free. */
static inline struct str exact(struct str s) {
    if (!s.ptr)
        return s;
    char *block = malloc(s.len);
    assert_non_null(block);
    if (s.len > 0)
        memcpy(block, s.ptr, s.len);
    return (struct str){block, s.len};
}

static inline void exact_free(struct str s) {
    free((void *)s.ptr);
}

/* `row` is the input as the message shows it; then what came and what should have come. */
#define SAME_STR(...) same_str(__FILE__, __LINE__, __VA_ARGS__)
#define SAME_INT(...) same_int(__FILE__, __LINE__, __VA_ARGS__)

/* STR_ARG, of what may be no string at all: "%.*s" wants one, however short. */
#define SHOWN(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline void same_str(const char *file, int line, struct str row, struct str got,
                            struct str want) {
    if (str_eq(got, want))
        return;
    print_error("row \"%.*s\": got \"%.*s\", want \"%.*s\"\n", SHOWN(row), SHOWN(got), SHOWN(want));
    _fail(file, line);
}

static inline void same_int(const char *file, int line, struct str row, long long got,
                            long long want) {
    if (got == want)
        return;
    print_error("row \"%.*s\": got %lld, want %lld\n", SHOWN(row), got, want);
    _fail(file, line);
}

#endif
