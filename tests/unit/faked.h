/* faked: one fake stream at a time, with a clock that stands still. Each program has its own;
 * FAKED(name) is a test with a server that is new, and fails if it leaves a stream. */
#ifndef TESTS_FAKED_H
#define TESTS_FAKED_H

#include "base/clock.h"
#include "fake_stream.h"
#include "table.h"

static struct fake fake;

static inline int faked_setup(void **state) {
    (void)state;
    clock_freeze();
    fake_init(&fake);
    return 0;
}

static inline int faked_teardown(void **state) {
    (void)state;
    if (fake.stream)
        fake_leave(&fake);
    int bad = fake.server.counters.streams != 0;
    fake_fini(&fake);
    clock_thaw();
    return bad;
}

#define FAKED(name) cmocka_unit_test_setup_teardown(name, faked_setup, faked_teardown)

/* A new stream, behind the one before, which is left. */
static inline struct stream *ask_for(const char *method, const char *target, const char *fields) {
    if (fake.stream)
        fake_leave(&fake);
    return fake_request(&fake, method, target, fields);
}

static inline void body_is(const char *want) {
    SAME_STR(str_of(want), buf_str(&fake.body), str_of(want));
}

/* The clock goes on, and the loop turns. */
static inline void pass(uint64_t ms) {
    clock_advance_ns(ms * 1000000);
    for (int i = 0; i < 3; i++)
        uv_run(&fake.loop.uv, UV_RUN_NOWAIT);
}

#endif
