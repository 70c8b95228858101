/* loop: one worker's event loop and its turn. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/histogram.h"
#include "base/list.h"
#include "base/must.h"
#include "base/pool.h"
#include "base/wheel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#define LOOP_READ_BYTES 65536

/* A message for another thread's loop; owned by the sender until `run` is called there. */
struct mail {
    struct list link;
    void (*run)(struct mail *mail);
    bool posted; /* under the loop's lock: it waits to be run */
};

/* Something to be done in the turn, behind what is ready and before what was written is sent. */
struct chore {
    struct list link;
    void (*run)(struct chore *chore);
};

/* Who is told of the end of each turn, all that it wrote having been sent, as far as it could. */
struct turn_end {
    struct list link;
    void (*run)(struct turn_end *end, uint64_t now); /* ms, monotonic */
};

struct loop {
#ifdef WEIR_MUST
    uv_thread_t thread; /* that runs it, */
    bool runs;          /* if one does */
#endif
    uv_loop_t uv;
    struct wheel wheel;
    uint64_t now;   /* ms, monotonic: when poll last returned; read it by loop_now */
    uint64_t began; /* the turn: what poll has found may have taken its time before `now` */
    /* `now` since poll has returned, 0 while it is in there and `now` is stale; other threads may
     * look at it. */
    atomic_uint_fast64_t awake;
    /* Runs what is ready, within its budget; NULL: nobody schedules here. */
    void (*run_ready)(void *arg);
    void *run_arg;
    bool ready;         /* something waits for run_ready: do not block in poll */
    struct list chores; /* to run in this turn, or in the next if they came up meanwhile */
    struct list unsent; /* who wrote during this turn */
    void (*flush)(struct list *unsent); /* has one of `unsent` send that: conn's */
    char *read_buf;     /* LOOP_READ_BYTES, shared by all conns: valid during one on_data */
    struct pool pool;   /* for what comes and goes with each request */
    uint64_t trimmed;   /* when the pool was last trimmed */
    uv_timer_t alarm;   /* the wheel's next due time */
    uint64_t alarm_due; /* WHEEL_NEVER: not set */
    /* Called now and then while the clock is frozen; NULL: nobody asks. */
    void (*on_still)(struct loop *loop);
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t again;
    uv_async_t bell;
    uv_mutex_t mail_lock;
    struct list mail;
    struct list ends;                  /* struct turn_end */
    struct histogram turns;            /* how long they lasted; any thread may read */
    struct list joined, asked, asking; /* net/loops' */
};

/* 0 or a libuv error. The loop's address must not change afterwards. */
int loop_init(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* From the loop's own thread: loop_run returns after this turn. */
void loop_stop(struct loop *loop);
/* Runs the mail that is there, closes the loop's own handles, runs what is still closing or in the
 * thread pool, frees. */
void loop_fini(struct loop *loop);
/* From any thread: runs `mail` on the loop's thread, in the order of posting. One that waits
 * already is run once. */
void loop_post(struct loop *loop, struct mail *mail);
/* From any thread, while the loop is there: whether `mail` still waited, and is not run then. */
bool loop_take_back(struct loop *loop, struct mail *mail);
/* From the loop's own thread: mail that was posted is not run, if it has not been. */
void loop_retract(struct loop *loop, struct mail *mail);
/* The first who asks for the time after poll has returned reads the clock. */
void loop_wake_up(struct loop *loop);
/* From any thread: for how many ms the turn under way has lasted; 0: it waits for events. */
uint64_t loop_busy_ms(const struct loop *loop);
/* From the loop's own thread: runs `chore` once, at the end of this turn, or of the next one if
 * that is where the call comes from. A chore that is due already is run once. */
void loop_chore(struct loop *loop, struct chore *chore);
void chore_init(struct chore *chore, void (*run)(struct chore *));
/* It is not run any more. */
void chore_clear(struct chore *chore);
/* `end` is run at the end of each turn, until it is unlinked. Not from within. */
void loop_at_end(struct loop *loop, struct turn_end *end,
                 void (*run)(struct turn_end *end, uint64_t now));
/* Whether this is its own thread. For MUST, and known to builds with it only. */
bool loop_is_mine(const struct loop *loop);
/* How many libuv handles there are, the loop's own not counted. For leak checks. */
int loop_handles(struct loop *loop);

/* The time of this turn, ms. */
static inline uint64_t loop_now(struct loop *loop) {
    if (atomic_load_explicit(&loop->awake, memory_order_relaxed) == 0)
        loop_wake_up(loop);
    return loop->now;
}

static inline void loop_timer(struct loop *loop, struct timer *timer, uint64_t after_ms) {
    MUST(loop_is_mine(loop));
    wheel_set(&loop->wheel, timer, loop_now(loop) + after_ms);
}

#endif
