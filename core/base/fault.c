/* fault: the table of armed points. A test arms a point by name; the code under test passes it and
 * is told to fail. Nothing is armed in a server that serves, so all that must be quick is the check
 * of `fault_armed` in the header; the table is a short array under a lock.
 *
 *     armed: [accept -EMFILE skip 2 times 1] [write -EAGAIN skip 0 times 3] ...
 *
 * Entries stand in the order in which they were armed, and one name may stand there several times:
 * the first entry acts until it is spent and goes, then the next. */
#include "base/fault.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 };

struct point {
    char *name;
    int error;
    int skip;
    int times;
};

int fault_armed; /* guarded for writing; also the length of `points` */
static struct point points[MOST];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void set_armed(int n) {
    __atomic_store_n(&fault_armed, n, __ATOMIC_RELAXED);
}

int fault_arm(const char *name, int error, int skip, int times) {
    int rc = -1;
    pthread_mutex_lock(&guard);
    if (fault_armed < MOST && times > 0) {
        points[fault_armed] = (struct point){mem_strdup(name), error, skip, times};
        set_armed(fault_armed + 1);
        rc = 0;
    }
    pthread_mutex_unlock(&guard);
    return rc;
}

static void disarm(int i) {
    free(points[i].name);
    set_armed(fault_armed - 1);
    memmove(&points[i], &points[i + 1], (size_t)(fault_armed - i) * sizeof(points[0]));
}

void fault_reset(void) {
    pthread_mutex_lock(&guard);
    while (fault_armed > 0)
        disarm(fault_armed - 1);
    pthread_mutex_unlock(&guard);
}

static int pass(int i) {
    struct point *p = &points[i];
    if (p->skip > 0) {
        p->skip--;
        return 0;
    }
    int error = p->error;
    if (--p->times == 0)
        disarm(i);
    return error;
}

int fault_check(const char *name) {
    int error = 0;
    pthread_mutex_lock(&guard);
    for (int i = 0; i < fault_armed; i++) {
        if (strcmp(points[i].name, name) == 0) {
            error = pass(i);
            break;
        }
    }
    pthread_mutex_unlock(&guard);
    return error;
}
