/* task: a coroutine that the scheduler resumes.
 *
 *     HELD -> READY <-> RUNNING -> ENDING (its children end, its defers run) -> DONE
 *               ^          |
 *               +- WAITING-+   for a time, bytes, room, another task: what `wait` says
 *
 * A task waits for one thing and at most one deadline. What it consumes by waiting it takes itself:
 * whoever has something *rouses* it, which queues it, still waiting; when it runs it tries, and
 * waits on if another was faster. So what is cancelled on the way has taken nothing. What is only
 * told (a time is over, a job is done) *wakes* it: task_wake disarms the rest and queues the task
 * with its results. It is resumed in the loop's turn, never below the callback that woke it.
 * The scheduler alone resumes one, and the guard (guard.h) watches over it.
 *
 * Cancellation is sticky: the call that blocks, and each later one, raises weir.cancelled, so that
 * a task unwinds through its own pcalls. One that swallows it too often is dropped: never resumed
 * again. What a task deferred runs in a task of its own, so it may wait even when the task died of
 * an error.
 *
 * A task is freed when it is done and no userdata names it. It must not know of streams. */
#include "vm/task.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static void conclude(struct task *task);

/* --- life --- */

static void release_coroutine(struct task *task) {
    if (task->co == NULL)
        return;
    generation_recycle(task->gen, (struct spare){task->co, task->anchor},
                       !task->failed && task->started);
    task->co = NULL;
}

struct task *task_ref(struct task *task) {
    MUST(task->refs > 0);
    task->refs++;
    return task;
}

void task_unref(struct task *task) {
    MUST(task->refs > 0);
    if (--task->refs > 0)
        return;
    generation_unref(task->gen, task->error);
    generation_unref(task->gen, task->place);
    generation_unref(task->gen, task->origin);
    release_coroutine(task);
    pool_free(&task->gen->scheduler->loop->pool, task, sizeof *task);
}

static void expire(struct task *task) {
    const struct wait *wait = task->wait;
    lua_State *co = task_wake(task);
    if (wait->expired)
        wait->expired(task, co);
}

static void on_timer(struct timer *timer) {
    struct task *task = CONTAINER_OF(timer, struct task, timer);
    if (task->wait->overdue && task->wait->overdue(task))
        return;
    if (task->state == TASK_READY)
        task->overdue = true; /* it may still take what it was roused for */
    else
        expire(task);
}

struct task *task_new(struct generation *gen, struct task *parent) {
    struct task *task = pool_zalloc(&gen->scheduler->loop->pool, sizeof *task);
    struct spare spare = generation_coroutine(gen);
    task->co = spare.co;
    task->anchor = spare.anchor;
    task->gen = gen;
    task->refs = 1;
    task->kept = 1;
    task->defers = task->error = task->place = task->origin = LUA_NOREF;
    task->what = parent ? parent->what : "a background task";
    list_init(&task->link);
    list_init(&task->seat);
    list_init(&task->sibling);
    list_init(&task->children);
    list_init(&task->joiners);
    list_init(&task->holdings);
    timer_init(&task->timer, on_timer);
    task->serial = ++gen->scheduler->serial;
    list_push(&gen->tasks, &task->all);
    counter_add(&gen->scheduler->tasks, 1);
    if (parent) {
        task->parent = parent;
        list_push(&parent->children, &task->sibling);
        if (parent->background)
            task_set_background(task);
    }
    return task;
}

static void queue(struct scheduler *scheduler, struct task *task) {
    list_push(&scheduler->ready, &task->link);
    counter_add(&scheduler->queued, 1);
    scheduler->loop->ready = true;
}

/* Whether it was in the scheduler's queue, or held, or neither. */
static void unqueue(struct task *task) {
    if (list_empty(&task->link))
        return;
    list_remove(&task->link);
    if (task->state != TASK_HELD)
        counter_add(&task->gen->scheduler->queued, (uint64_t)-1);
}

void task_make_ready(struct task *task) {
    struct scheduler *scheduler = task->gen->scheduler;
    task->state = TASK_READY;
    queue(scheduler, task);
}

void task_set_background(struct task *task) {
    task->background = true;
    task->gen->background++;
}

void task_start(struct task *task) {
    MUST(!task->started && task->state != TASK_DONE);
    struct generation *gen = task->gen;
    bool belongs = task->background && task->parent == NULL;
    if (gen->ending || (gen->retired && task->background)) {
        task_cancel(task);
    } else if (belongs && !gen->active) {
        task->state = TASK_HELD;
        list_push(&gen->held, &task->link);
    } else {
        task_make_ready(task);
    }
}

/* --- waiting --- */

struct generation *task_generation(lua_State *L) {
    return state_owner(L);
}

struct task *task_current(lua_State *L) {
    return task_generation(L)->scheduler->current;
}

struct task *task_enter(lua_State *L, const char *what) {
    struct task *task = task_current(L);
    if (task == NULL)
        state_error(L,
                    "%s: cannot wait here, outside of any task (an app file and the modules it "
                    "requires run before "
                    "there is one); do it in a handler, in app:on_start or in weir.background",
                    what);
    else if (task->co != L)
        state_error(
            L,
            "%s: cannot wait inside a coroutine that the script made itself (coroutine.create or "
            "coroutine.wrap); start a task with weir.spawn instead",
            what);
    else if (!lua_isyieldable(L))
        state_error(L,
                    "%s: cannot wait inside a table.sort comparator, a string.gsub callback, the "
                    "function of store:update, the top level of a required module or another "
                    "function called from C; collect first, then wait",
                    what);
    return task->cancelled ? NULL : task;
}

static void push_cancelled(struct task *task, lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->gen->cancelled);
}

int task_refuse(lua_State *L) {
    struct task *task = task_current(L);
    bool can_yield = task->co == L && lua_isyieldable(L);
    if (++task->swallowed > TASK_SWALLOW_MAX && can_yield) {
        task->dropped = true;
        task->kept = 0;
        return lua_yield(L, 0);
    }
    push_cancelled(task, L);
    return 1;
}

int task_push_cancelled(struct task *task, lua_State *co) {
    task->swallowed++;
    lua_pop(co, 1);
    push_cancelled(task, co);
    return 1;
}

int task_wait(struct task *task, const struct wait *wait, uint64_t ms) {
    MUST(task->state == TASK_RUNNING && task->wait == NULL);
    task->wait = wait;
    task->state = TASK_WAITING;
    task->overdue = false;
    task->gen->scheduler->elsewhere += wait->elsewhere;
    task->kept = (uint16_t)lua_gettop(task->co);
    if (ms != WHEEL_NEVER)
        loop_timer(task->gen->scheduler->loop, &task->timer, ms);
    return lua_yield(task->co, task->kept);
}

void task_rouse(struct task *task) {
    if (task->state == TASK_WAITING)
        task_make_ready(task);
}

void task_rouse_first(struct task *task) {
    if (task->state == TASK_WAITING) {
        task_make_ready(task);
        list_remove(&task->link);
        list_push(task->gen->scheduler->ready.next, &task->link);
    }
}

static void stop_waiting(struct task *task) {
    const struct wait *wait = task->wait;
    task->wait = NULL;
    task->gen->scheduler->elsewhere -= wait->elsewhere;
    timer_clear(&task->timer);
    list_remove(&task->seat);
    if (wait->disarm)
        wait->disarm(task);
}

/* Ends the wait of a task that waits, or was roused. */
static void end_wait(struct task *task) {
    stop_waiting(task);
    task_rouse(task);
}

lua_State *task_wake(struct task *task) {
    MUST(task->wait); /* once */
    end_wait(task);
    lua_pushnil(task->co);
    return task->co;
}

void task_go_on(struct task *task) {
    (void)task;
}

bool task_take(struct task *task) {
    lua_State *co = task->co;
    if (task->state == TASK_ENDING) {
        conclude(task);
        return false;
    }
    lua_pushnil(co);
    if (task->wait->take(task, co) > 0) {
        stop_waiting(task);
        return true;
    }
    lua_settop(co, task->kept);
    task->state = TASK_WAITING;
    if (task->overdue)
        expire(task);
    return false;
}

/* What a task waits for may be others, which wait for others: one after the other, and not as deep
 * in calls as a script has nested them. */
static void cancel_wait(struct task *task) {
    struct scheduler *scheduler = task->gen->scheduler;
    bool outermost = list_empty(&scheduler->cancelling);
    list_push(&scheduler->cancelling, &task->seat);
    while (outermost && !list_empty(&scheduler->cancelling)) {
        struct task *next = CONTAINER_OF(scheduler->cancelling.next, struct task, seat);
        next->wait->cancel(next);
        list_remove(&next->seat);
    }
}

/* By another task that runs, as often as not. */
void task_cancel(struct task *task) {
    if (task->cancelled || task->state >= TASK_ENDING)
        return;
    struct state *state = &task->gen->state;
    size_t mark = state_lend(state);
    task->cancelled = true;
    if (task->wait && task->wait->cancel) {
        cancel_wait(task);
    } else if (task->wait) {
        end_wait(task);
        task->swallowed++;
        push_cancelled(task, task->co);
    } else if (!task->started) {
        unqueue(task);
        push_cancelled(task, task->co);
        task_end(task, true);
    }
    state_take_back(state, mark);
}

/* --- the end --- */

void task_push_results(struct task *task, lua_State *to) {
    lua_State *co = task->co;
    if (task->failed) {
        lua_pushnil(to);
        if (task_was_cancelled(task))
            lua_pushliteral(to, "cancelled");
        else
            generation_push(task->gen, to, task->error);
        return;
    }
    int n = lua_gettop(co);
    lua_checkstack(co, n);
    lua_checkstack(to, n + 1);
    lua_pushboolean(to, true);
    for (int i = 1; i <= n; i++)
        lua_pushvalue(co, i);
    lua_xmove(co, to, n);
}

static void child_over(struct task *parent);

static void finish(struct task *task) {
    MUST(task->state == TASK_ENDING);
    task->state = TASK_DONE;
    struct list *node;
    while ((node = task->joiners.next) != &task->joiners) {
        task->joined = true;
        task_push_results(task, task_wake(CONTAINER_OF(node, struct task, seat)));
    }
    if (task->ops)
        task->ops->ended(task);
    else if (task->failed && !task->joined && !task_was_cancelled(task))
        task_log_failure(task);
    list_remove(&task->all);
    list_remove(&task->sibling);
    if (task->parent)
        child_over(task->parent);
    counter_add(&task->gen->scheduler->tasks, (uint64_t)-1);
    if (task->failed) /* a stack that will never run again may hold the task's own handle, and so
                         itself */
        release_coroutine(task);
    struct generation *gen = task->gen;
    MUST(gen->state.broken || gen->background >= task->background);
    gen->background -= task->background;
    task_unref(task);
    generation_settle(gen);
}

static void run_defers(struct task *task);

/* Those that are left when one was ended by the guard get another cleanup. */
static void defers_done(void *arg) {
    struct task *task = arg;
    lua_State *L = task->gen->state.L;
    generation_push(task->gen, L, task->defers);
    size_t left = lua_objlen(L, -1);
    lua_pop(L, 1);
    if (left > 0) {
        run_defers(task);
        return;
    }
    generation_unref(task->gen, task->defers);
    task->defers = LUA_NOREF;
    finish(task);
}

static void defers_origin(void *arg, struct log_origin *out) {
    task_origin(arg, out);
}

static const struct cleanup_ops defers = {defers_done, defers_origin};

static void run_defers(struct task *task) {
    lua_State *L = task->gen->state.L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->gen->run_defers);
    generation_push(task->gen, L, task->defers);
    task_cleanup(task->gen, L, 1, &defers, task)->depth = (uint8_t)(task->depth + 1);
}

static void cancel_children(struct task *task) {
    struct list uncancelled, *node;
    list_init(&uncancelled);
    list_splice(&uncancelled, &task->children);
    while ((node = list_pop(&uncancelled)) != NULL) {
        list_push(&task->children, node);
        task_cancel(CONTAINER_OF(node, struct task, sibling));
    }
}

static void release_holdings(struct task *task) {
    struct list *node;
    while ((node = list_pop(&task->holdings)) != NULL) {
        struct holding *holding = CONTAINER_OF(node, struct holding, link);
        holding->release(holding);
    }
}

static const struct wait awaiting_children = {.what = "the end of its children"};

/* Its children are over. */
static void conclude(struct task *task) {
    task->wait = NULL;
    if (task->defers == LUA_NOREF)
        finish(task);
    else
        run_defers(task);
}

/* A child of a task that has ended is over. The last one queues it, for in a call the ends of a
 * long line of parents would lie on top of each other. */
static void child_over(struct task *parent) {
    if (parent->wait != &awaiting_children || !list_empty(&parent->children))
        return;
    queue(parent->gen->scheduler, parent);
}

void task_end(struct task *task, bool failed) {
    task->failed = failed;
    if (task_was_stopped(task)) { /* what its stack holds may be what is too much */
        release_coroutine(task);
    } else if (failed) { /* at once: after a stack overflow nothing can be pushed on that stack any
                            more */
        lua_State *L = task->gen->state.L;
        lua_xmove(task->co, L, 1);
        task->error = generation_ref(task->gen, L);
    }
    task->state = TASK_ENDING;
    if (task->ops && task->ops->returned)
        task->ops->returned(task);
    cancel_children(task);
    release_holdings(task);
    if (list_empty(&task->children))
        conclude(task);
    else
        task->wait = &awaiting_children;
}

void task_forget(struct task *task) {
    if (task->wait)
        task->gen->scheduler->elsewhere -= task->wait->elsewhere;
    release_holdings(task);
    timer_clear(&task->timer);
    unqueue(task);
    list_remove(&task->seat);
    list_remove(&task->sibling);
    while (list_pop(&task->children) != NULL)
        ;
    while (list_pop(&task->joiners) != NULL)
        ;
    if (task->wait && task->wait->disarm)
        task->wait->disarm(task);
    if (task_is_cleanup(task))
        task_cleanup_forget(task);
    task->state = TASK_DONE;
    counter_add(&task->gen->scheduler->tasks, (uint64_t)-1);
    task->co = NULL; /* its state closes */
    task_unref(task);
}

/* --- for the scheduler --- */

void task_drop(struct task *task) {
    static struct log_kind swallowers = LOG_KIND("tasks that swallow weir.cancelled");
    if (log_admits(&swallowers, LOG_WARN))
        log_warn("a task swallowed weir.cancelled more than %d times and was dropped; let errors "
                 "through that are weir.cancelled",
                 TASK_SWALLOW_MAX);
    if (task->state == TASK_WAITING)
        stop_waiting(task);
    push_cancelled(task, task->co);
    task_end(task, true);
}

void task_end_stopped(struct task *task) {
    struct generation *gen = task->gen;
    lua_State *L = gen->state.L;
    stop_explain(&gen->state.stop, task->co, L);
    task->place = generation_ref(gen, L);
    lua_pushvalue(L, -1);
    task->error = generation_ref(gen, L);
    generation_unref(gen, gen->limit_error);
    gen->limit_error = generation_ref(gen, L);
    task_end(task, true);
}
