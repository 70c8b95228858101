/* clock: what time it is. Monotonic time drives deadlines, wall time goes to people and
 * headers. A test can freeze both and move them by hand; frozen time is the whole process's. Every
 * function may be called from any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some moment before the process began; never goes back while the clocks run. */
uint64_t clock_mono_ns(void);
/* The same in milliseconds, rounded down. */
uint64_t clock_mono_ms(void);
/* Nanoseconds since 1970-01-01T00:00:00Z; goes wherever the machine's clock is set to. */
int64_t clock_wall_ns(void);
/* The same in seconds, for dates and logs: costs a fraction, and may be a tick (4 ms) behind. */
int64_t clock_wall_s(void);
/* The same as clock_wall_ns, in milliseconds. */
int64_t clock_wall_ms(void);

/* What a thread has computed, in nanoseconds: `of` is its clock, from pthread_getcpuclockid. Tests
 * cannot stop it. */
uint64_t clock_cpu_ns(clockid_t of);

/* For who waits for another thread, in real time: a condition, and until when
 * pthread_cond_timedwait waits for it. */
void clock_init_cond(pthread_cond_t *cond);
struct timespec clock_after_ns(uint64_t ns);

/* For tests: stops both clocks where they are; a second call changes nothing. */
void clock_freeze(void);
/* For tests: moves frozen clocks on; does nothing while they run. */
void clock_advance_ns(uint64_t ns);
/* For tests: the real clocks again, which may be behind what the frozen ones showed. */
void clock_thaw(void);
/* Whether the clocks stand still. */
bool clock_is_frozen(void);

#endif
