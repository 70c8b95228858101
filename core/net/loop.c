/* loop: a worker's event loop.
 *
 * libuv calls back for sockets, files and timers; those callbacks only take bytes in and mark tasks
 * ready. When libuv has no more events to tell, the *turn* happens:
 *
 *     poll -> callbacks, mail -> [ timers due, what is ready, chores, what was written ] -> poll
 *
 * So Lua never runs below a parser or a write callback, and whatever one turn wrote to a connection
 * leaves in one system call. The turn runs from the check handle (after poll) and, without timers,
 * from the prepare handle (before poll) when closing callbacks made something ready meanwhile. If
 * work is left over because a budget was used up, the idle handle keeps poll from blocking.
 *
 * When all of that is over the turn ends, and who wants to know is told when (loop_at_end). All
 * deadlines of a worker live in one wheel; libuv sees a single timer, the wheel's next due
 * time. The loop knows nothing of HTTP or Lua: `run_ready` is whoever schedules. Owned by one
 * thread; only loop_post, loop_take_back and loop_busy_ms may be called from
 * others. */
#include "net/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

/* Whoever runs it; before and after that it is nobody's in particular. */
#ifdef WEIR_MUST
static void set_owner(struct loop *loop, bool runs) {
    loop->runs = runs;
    loop->thread = uv_thread_self();
}

bool loop_is_mine(const struct loop *loop) {
    uv_thread_t self = uv_thread_self();
    return !loop->runs || uv_thread_equal(&loop->thread, &self);
}
#else
static void set_owner(struct loop *loop, bool runs) {
    (void)loop;
    (void)runs;
}
#endif

#define TRIM_MS 1000

static struct mail *take_mail(struct loop *loop) {
    uv_mutex_lock(&loop->mail_lock);
    struct list *node = list_pop(&loop->mail);
    struct mail *mail = node ? CONTAINER_OF(node, struct mail, link) : NULL;
    if (mail)
        mail->posted = false;
    uv_mutex_unlock(&loop->mail_lock);
    return mail;
}

static void deliver_mail(struct loop *loop) {
    struct mail *mail;
    while ((mail = take_mail(loop)) != NULL)
        mail->run(mail);
}

static void send_unsent(struct loop *loop) {
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &loop->unsent);
    struct list *node;
    while ((node = list_pop(&batch)) != NULL)
        loop->flush(node);
}

void chore_init(struct chore *chore, void (*run)(struct chore *)) {
    list_init(&chore->link);
    chore->run = run;
}

void chore_clear(struct chore *chore) {
    list_remove(&chore->link);
}

void loop_chore(struct loop *loop, struct chore *chore) {
    MUST(loop_is_mine(loop));
    if (list_empty(&chore->link))
        list_push(&loop->chores, &chore->link);
}

static void run_chores(struct loop *loop) {
    struct list batch;
    list_init(&batch);
    list_splice(&batch, &loop->chores);
    struct list *node;
    while ((node = list_pop(&batch)) != NULL) {
        struct chore *chore = CONTAINER_OF(node, struct chore, link);
        chore->run(chore);
    }
}

static bool is_busy(const struct loop *loop) {
    return loop->ready || !list_empty(&loop->chores) || !list_empty(&loop->unsent);
}

static void on_again(uv_idle_t *handle) {
    (void)handle; /* being active is all it does: poll returns at once */
}

void loop_wake_up(struct loop *loop) {
    loop->now = clock_mono_ms();
    if (atomic_load_explicit(&loop->awake, memory_order_relaxed) == 0)
        loop->began = loop->now;
    atomic_store_explicit(&loop->awake, loop->now, memory_order_relaxed);
}

uint64_t loop_busy_ms(const struct loop *loop) {
    uint64_t since = atomic_load_explicit(&loop->awake, memory_order_relaxed);
    uint64_t now = clock_mono_ms();
    return since != 0 && now > since ? now - since : 0;
}

static void work_off(struct loop *loop) {
    if (loop->ready && loop->run_ready) {
        loop->ready = false;
        loop->run_ready(loop->run_arg);
    }
    run_chores(loop);
    send_unsent(loop);
    if (is_busy(loop))
        uv_idle_start(&loop->again, on_again);
    else
        uv_idle_stop(&loop->again);
}

/* Behind poll only: what has come in time has been read by then, however long the turn before was.
 */
static void turn(struct loop *loop) {
    loop_wake_up(loop);
    wheel_advance(&loop->wheel, loop->now);
    work_off(loop);
}

#define DUE_STILL (WHEEL_NEVER - 1) /* the clock is frozen: to look whether all stands still */
#define STILL_MS 250

static void on_alarm(uv_timer_t *handle) {
    struct loop *loop = handle->data;
    bool still = loop->alarm_due == DUE_STILL;
    loop->alarm_due = WHEEL_NEVER; /* the turn behind the next poll advances the wheel */
    if (still && loop->on_still)
        loop->on_still(loop);
}

static void set_alarm(struct loop *loop) {
    uint64_t due = wheel_next(&loop->wheel);
    if (due > loop->wheel.now && clock_is_frozen()) /* it comes when somebody moves the clock */
        due = loop->on_still ? DUE_STILL : WHEEL_NEVER;
    if (due == loop->alarm_due)
        return;
    loop->alarm_due = due;
    if (due == WHEEL_NEVER) {
        uv_timer_stop(&loop->alarm);
        return;
    }
    uv_update_time(&loop->uv);
    if (due == DUE_STILL) {
        uv_timer_start(&loop->alarm, on_alarm, STILL_MS, 0);
        return;
    }
    uint64_t now = clock_mono_ms();
    uv_timer_start(&loop->alarm, on_alarm, due > now ? due - now : 0, 0);
}

/* Now and then, between two turns. */
static void trim(struct loop *loop) {
    if (loop->now - loop->trimmed < TRIM_MS)
        return;
    loop->trimmed = loop->now;
    pool_trim(&loop->pool);
}

void loop_at_end(struct loop *loop, struct turn_end *end,
                 void (*run)(struct turn_end *end, uint64_t now)) {
    list_init(&end->link);
    end->run = run;
    list_push(&loop->ends, &end->link);
}

static void end_turn(struct loop *loop) {
    if (atomic_load_explicit(&loop->awake, memory_order_relaxed) == 0)
        return; /* there was none */
    uint64_t now = clock_mono_ms();
    histogram_add(&loop->turns, now - loop->began);
    loop->began = now;
    for (struct list *at = loop->ends.next; at != &loop->ends; at = at->next) {
        struct turn_end *end = CONTAINER_OF(at, struct turn_end, link);
        end->run(end, now);
    }
}

static void on_before_poll(uv_prepare_t *handle) {
    struct loop *loop = handle->data;
    trim(loop);
    if (is_busy(loop)) {
        end_turn(loop);
        loop_wake_up(loop);
        work_off(loop);
    }
    end_turn(loop);
    set_alarm(loop);
    atomic_store_explicit(&loop->awake, 0, memory_order_relaxed);
}

static void on_after_poll(uv_check_t *handle) {
    turn(handle->data);
}

static void on_bell(uv_async_t *handle) {
    loop_now(handle->data); /* mail may be as long as a turn */
    deliver_mail(handle->data);
}

int loop_init(struct loop *loop) {
    *loop = (struct loop){.alarm_due = WHEEL_NEVER};
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0)
        return rc;
    rc = uv_async_init(&loop->uv, &loop->bell, on_bell);
    if (rc < 0) {
        uv_loop_close(&loop->uv);
        return rc;
    }
    uv_mutex_init(&loop->mail_lock);
    list_init(&loop->mail);
    list_init(&loop->chores);
    list_init(&loop->unsent);
    list_init(&loop->ends);
    loop->read_buf = mem_alloc(LOOP_READ_BYTES);
    loop->now = clock_mono_ms();
    wheel_init(&loop->wheel, loop->now);
    uv_timer_init(&loop->uv, &loop->alarm);
    uv_prepare_init(&loop->uv, &loop->before_poll);
    uv_check_init(&loop->uv, &loop->after_poll);
    uv_idle_init(&loop->uv, &loop->again);
    loop->bell.data = loop->alarm.data = loop->before_poll.data = loop->after_poll.data = loop;
    uv_prepare_start(&loop->before_poll, on_before_poll);
    uv_check_start(&loop->after_poll, on_after_poll);
    return 0;
}

void loop_run(struct loop *loop) {
    set_owner(loop, true);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    set_owner(loop, false);
}

void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

void loop_fini(struct loop *loop) {
    deliver_mail(loop);
    uv_close((uv_handle_t *)&loop->bell, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->again, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    uv_mutex_destroy(&loop->mail_lock);
    free(loop->read_buf);
    pool_fini(&loop->pool);
}

void loop_post(struct loop *loop, struct mail *mail) {
    uv_mutex_lock(&loop->mail_lock);
    if (!mail->posted)
        list_push(&loop->mail, &mail->link);
    mail->posted = true;
    uv_mutex_unlock(&loop->mail_lock);
    uv_async_send(&loop->bell);
}

bool loop_take_back(struct loop *loop, struct mail *mail) {
    uv_mutex_lock(&loop->mail_lock);
    bool waited = mail->posted;
    if (waited)
        list_remove(&mail->link);
    mail->posted = false;
    uv_mutex_unlock(&loop->mail_lock);
    return waited;
}

void loop_retract(struct loop *loop, struct mail *mail) {
    MUST(loop_is_mine(loop));
    loop_take_back(loop, mail);
}

static void count_handle(uv_handle_t *handle, void *arg) {
    (void)handle;
    ++*(int *)arg;
}

int loop_handles(struct loop *loop) {
    int count = 0;
    uv_walk(&loop->uv, count_handle, &count);
    return count - 5; /* bell, alarm, before_poll, after_poll, again */
}
