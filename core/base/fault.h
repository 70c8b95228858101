/* fault: named points where a test makes a system call fail. Compiled in always, so that what is
 * tested is what is shipped; unarmed, a point costs one load and a branch.
 *
 *   int rc = fault("accept");
 *   if (rc == 0)
 *       rc = accept4(...);
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

extern int fault_armed; /* how many points are armed; others only read it, through fault() */

/* Passing point `name` the next `skip` times succeeds, then `times` times (at least 1) gives
 * `error` (a negative errno), then the point is disarmed. A name armed twice acts twice, one after
 * the other. `name` is borrowed for the call. At most 16 points at once; -1 beyond. */
int fault_arm(const char *name, int error, int skip, int times);
/* Disarms all. */
void fault_reset(void);
/* The slow half of fault(). */
int fault_check(const char *name);

/* 0, or the negative errno to fail with. From any thread; the unlocked look is a hint that is
 * always right for what the same thread armed. */
static inline int fault(const char *name) {
    int armed = __atomic_load_n(&fault_armed, __ATOMIC_RELAXED);
    return __builtin_expect(armed != 0, 0) ? fault_check(name) : 0;
}

#endif
