/* durable_takers: two takers of a durable_rig, as clients that come back to a server which was
 * started again. Each program has its own; DURABLE(name) is a test with all of it new. */
#ifndef TESTS_DURABLE_TAKERS_H
#define TESTS_DURABLE_TAKERS_H

#include "durable_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker taker, other;

static inline void takers_come(void) {
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_init(&other, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

static inline void takers_leave(void) {
    taker_fini(&taker);
    taker_fini(&other);
}

static inline int takers_setup(void **state) {
    (void)state;
    durable_rig_init(&rig);
    takers_come();
    return 0;
}

static inline int takers_teardown(void **state) {
    (void)state;
    takers_leave();
    durable_rig_fini(&rig);
    return 0;
}

#define DURABLE(name) cmocka_unit_test_setup_teardown(name, takers_setup, takers_teardown)

/* Rules are given anew. */
static inline void restart(void) {
    takers_leave();
    hub_rig_settle(&rig);
    durable_rig_restart();
    takers_come();
}

static inline void restart_and_keep(uint64_t count) {
    restart();
    durable_rig_keep(count, 3600000, UINT64_MAX);
}

static inline void restart_and_keep_all(void) {
    restart_and_keep(1000000);
}

static inline uint64_t topics_there(void) {
    hub_lock();
    uint64_t topics = hub.topics;
    hub_unlock();
    return topics;
}

#endif
