/* scheduler: which task of a loop runs next.
 *
 *     ready: t1 t2 t3 ... --turn: RUN_TASKS, or RUN_NS--> resumed, one after the other --> the rest
 *                                                                                in the next turn
 *
 * A task is resumed here and nowhere else, in the loop's turn, never below the callback that made
 * it ready; the guard watches over each stretch. What comes of it is judged here: the task waits,
 * has returned, has failed, was ended by the guard, or has yielded to nobody. One per loop. It must
 * not know what tasks wait for. */
#include "vm/task.h"

#include "base/clock.h"
#include "base/must.h"
#include "net/loops.h"
#include "vm/generation.h"

#define RUN_TASKS 64   /* in one turn, */
#define RUN_NS 5000000 /* and for about this long */

static void pause_task(struct scheduler *scheduler, bool waits) {
    void (*paused)(void *, bool) = scheduler->paused;
    if (paused == NULL)
        return;
    scheduler->paused = NULL;
    paused(scheduler->paused_arg, waits);
}

/* What one stretch has left as garbage, the next one, of another task, would be ended for. */
static void tidy(struct generation *gen, enum guard_stop stop) {
    if (gen->state.bytes > gen->state.worn_mark && (stop || !gen->worn))
        generation_collect(gen);
}

static int resume(lua_State *co, void *nargs) {
    return lua_resume(co, *(int *)nargs);
}

/* What has become of a task that ran. */
static void judge(struct task *task, int rc, enum guard_stop stop) {
    if (stop && rc != LUA_YIELD) {
        task_end_stopped(task);
    } else if (rc != LUA_YIELD) {
        task_end(task, rc != 0);
    } else if (task->dropped) {
        task_drop(task);
    } else if (task->state ==
               TASK_RUNNING) { /* coroutine.yield in the task itself: nobody could wake it */
        lua_settop(task->co, 0);
        lua_pushliteral(task->co,
                        "coroutine.yield outside of a coroutine that the script made; a task waits "
                        "with weir.sleep, a channel or a stream");
        task_end(task, true);
    }
}

static void run(struct scheduler *scheduler, struct task *task) {
    struct generation *gen = task->gen;
    if (gen->state.broken)
        return; /* it is freed with its generation */
    if (task->wait && !task_take(task))
        return;
    int nargs = lua_gettop(task->co) - task->kept;
    MUST(task->state == TASK_READY && scheduler->current == NULL);
    task->started = true;
    task->state = TASK_RUNNING;
    scheduler->resumes++;
    scheduler->current = task;
    guard_enter(&scheduler->guard, &gen->state, task->what);
    int rc = guard_run(&scheduler->guard, resume, task->co, &nargs);
    enum guard_stop stop = guard_leave(&scheduler->guard);
    scheduler->current = NULL;
    pause_task(scheduler, rc == LUA_YIELD);
    if (rc == GUARD_BROKEN) {
        generation_break(gen, task->what);
        return;
    }
    state_tune(&gen->state);
    judge(task, rc, stop);
    tidy(gen, stop);
}

static void run_ready(void *arg) {
    struct scheduler *scheduler = arg;
    uint64_t begun = clock_mono_ns();
    for (int n = 0; n < RUN_TASKS; n++) {
        struct list *node = list_pop(&scheduler->ready);
        if (node == NULL)
            return;
        counter_add(&scheduler->queued, (uint64_t)-1);
        run(scheduler, CONTAINER_OF(node, struct task, link));
        if (n % 8 == 7 && clock_mono_ns() - begun > RUN_NS)
            break;
    }
    if (!list_empty(&scheduler->ready))
        scheduler->loop->ready = true;
}

/* What is told while a task runs is told of its request. */
static void tell_origin(void *arg, struct log_origin *out) {
    const struct scheduler *scheduler = arg;
    if (scheduler->current)
        task_origin(scheduler->current, out);
}

void scheduler_init(struct scheduler *scheduler, struct loop *loop, struct reader *reader,
                    void (*library)(lua_State *)) {
    *scheduler = (struct scheduler){
        .loop = loop, .reader = reader, .library = library, .dice = (uint32_t)clock_mono_ns() | 1};
    list_init(&scheduler->ready);
    list_init(&scheduler->cancelling);
    loop->run_ready = run_ready;
    loop->run_arg = scheduler;
    guard_init(&scheduler->guard);
    loops_join(loop);
    log_speak((struct log_speaker){tell_origin, scheduler});
}

void scheduler_fini(struct scheduler *scheduler) {
    log_speak((struct log_speaker){NULL, NULL});
    guard_fini(&scheduler->guard);
    loops_leave(scheduler->loop); /* its tasks are over: nobody waits for an answer */
}
