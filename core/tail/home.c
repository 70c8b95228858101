/* home: the one thread of the process that looks after files that grow.
 *
 *     none --home_enter--> running, n followers --home_leave of the last--> ends by itself
 *
 * Followers belong to no worker: whoever has asked for one first may go while others read on. So
 * they live here, on a loop that serves nobody else; it hears of changes (one inotify instance for
 * all files, of which a user has 128) and keeps the timers, while reading is done by the pool.
 *
 * The thread takes no signals and is detached; home_finish waits for it where the process ends, so
 * that it is not in the pool when that is taken down. While the clock is frozen it wakes now and
 * then by itself, since who moves the clock does not know of it.
 *
 * It knows nothing of files. */
#include "tail/home.h"

#include "base/fault.h"
#include "base/mem.h"
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE_S 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct loop *home; /* NULL: no thread */
static struct loop *lent; /* a test's */
static unsigned followers;
static unsigned threads; /* not ended yet */

static void nothing(struct loop *loop) {
    (void)loop;
}

static void *run(void *arg) {
    struct loop *loop = arg;
    loop_run(loop);
    loop_fini(loop);
    free(loop);
    pthread_mutex_lock(&lock);
    threads--;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int start_thread(struct loop *loop) {
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

/* Under the lock. */
static int start(void) {
    struct loop *loop = mem_zalloc(sizeof *loop);
    int rc = fault("tail_home");

    if (rc == 0 && (rc = loop_init(loop)) == 0) {
        loop->on_still = nothing;
        rc = start_thread(loop);
        if (rc < 0)
            loop_fini(loop);
    }
    if (rc < 0) {
        free(loop);
        return rc;
    }
    threads++;
    home = loop;
    return 0;
}

int home_enter(struct mail *mail) {
    pthread_mutex_lock(&lock);
    int rc = home == NULL && lent == NULL ? start() : 0;
    if (rc == 0) {
        followers++;
        loop_post(lent ? lent : home, mail);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void home_post(struct mail *mail) {
    pthread_mutex_lock(&lock);
    loop_post(lent ? lent : home, mail);
    pthread_mutex_unlock(&lock);
}

struct loop *home_loop(void) {
    pthread_mutex_lock(&lock);
    struct loop *loop = lent ? lent : home;
    pthread_mutex_unlock(&lock);
    return loop;
}

void home_leave(void) {
    pthread_mutex_lock(&lock);
    if (--followers == 0 && lent == NULL) {
        loop_stop(home);
        home = NULL;
    }
    pthread_mutex_unlock(&lock);
}

void home_finish(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&lock);
    while (threads > 0 && pthread_cond_timedwait(&ended, &lock, &until) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

void home_use(struct loop *loop) {
    pthread_mutex_lock(&lock);
    lent = loop;
    pthread_mutex_unlock(&lock);
}
