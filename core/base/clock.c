/* clock: the process's two clocks and the switch that stops them. Whatever a client or a script can
 * see of the time comes from here, so that a test which freezes the clock owns all deadlines, dates
 * and ids at once; who waits for another thread, or watches over one, asks the system.
 *
 *     running --clock_freeze--> frozen (clock_advance_ns moves it) --clock_thaw--> running
 *
 * Readers are on every worker's path, once a loop turn: one atomic load tells them which of the two
 * it is. Those who freeze, move and thaw are tests; a lock keeps their steps whole. Monotonic time
 * never goes back, after a thaw neither: it goes on from where the test had moved it. The time that
 * a thread has computed is no time of day, and nobody's to move.
 */
#include "base/clock.h"

#include <stdatomic.h>

static pthread_mutex_t switching = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool frozen;         /* set after the two below, with release */
static _Atomic uint64_t mono_held; /* what the clocks show while frozen */
static _Atomic int64_t wall_held;
static _Atomic uint64_t mono_ahead; /* how far tests have moved monotonic time, in all */

static int64_t read_clock(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts); /* cannot fail: valid id, valid pointer */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t real_mono(void) {
    return (uint64_t)read_clock(CLOCK_MONOTONIC) +
           atomic_load_explicit(&mono_ahead, memory_order_relaxed);
}

bool clock_is_frozen(void) {
    return atomic_load_explicit(&frozen, memory_order_acquire);
}

uint64_t clock_mono_ns(void) {
    if (__builtin_expect(clock_is_frozen(), 0))
        return atomic_load_explicit(&mono_held, memory_order_relaxed);
    return real_mono();
}

uint64_t clock_mono_ms(void) {
    return clock_mono_ns() / 1000000;
}

int64_t clock_wall_ns(void) {
    if (__builtin_expect(clock_is_frozen(), 0))
        return atomic_load_explicit(&wall_held, memory_order_relaxed);
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void) {
    return clock_wall_ns() / 1000000;
}

int64_t clock_wall_s(void) {
    if (__builtin_expect(clock_is_frozen(), 0))
        return atomic_load_explicit(&wall_held, memory_order_relaxed) / 1000000000;
    return time(NULL);
}

uint64_t clock_cpu_ns(clockid_t of) {
    return (uint64_t)read_clock(of);
}

void clock_init_cond(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec clock_after_ns(uint64_t ns) {
    uint64_t at = (uint64_t)read_clock(CLOCK_MONOTONIC) + ns;
    return (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
}

void clock_freeze(void) {
    pthread_mutex_lock(&switching);
    if (!clock_is_frozen()) {
        atomic_store(&mono_held, real_mono());
        atomic_store(&wall_held, read_clock(CLOCK_REALTIME));
        atomic_store_explicit(&frozen, true, memory_order_release);
    }
    pthread_mutex_unlock(&switching);
}

void clock_advance_ns(uint64_t ns) {
    pthread_mutex_lock(&switching);
    if (clock_is_frozen()) {
        atomic_fetch_add(&mono_held, ns);
        atomic_fetch_add(&wall_held, (int64_t)ns);
    }
    pthread_mutex_unlock(&switching);
}

void clock_thaw(void) {
    pthread_mutex_lock(&switching);
    uint64_t held = atomic_load(&mono_held), real = real_mono();
    if (clock_is_frozen() && held > real)
        atomic_fetch_add(&mono_ahead, held - real);
    atomic_store_explicit(&frozen, false, memory_order_release);
    pthread_mutex_unlock(&switching);
}
