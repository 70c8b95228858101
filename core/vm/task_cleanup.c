/* task_cleanup: a task that runs what comes behind an end: deferred functions, on_close.
 *
 * Such a function may wait, as any other, but what it cleans up for is over: nobody waits for it
 * with a limit of his own. So it belongs to no other task, nothing that ends cancels it, even in a
 * generation that ends it begins, and it has a time limit, behind which it is cancelled. Its errors
 * are logged. Whoever made it is told of its end, failed or not, so that an end goes on. */
#include "vm/task.h"

#include "base/log.h"
#include "base/mem.h"
#include "vm/generation.h"

#include <stdlib.h>

struct cleanup {
    struct task *task;
    struct timer limit;
    const struct cleanup_ops *ops;
    void *arg;
};

static void on_limit(struct timer *timer) {
    struct cleanup *cleanup = CONTAINER_OF(timer, struct cleanup, limit);
    static struct log_kind late = LOG_KIND("deferred functions that take long");
    if (log_admits(&late, LOG_WARN))
        log_warn("a deferred or on_close function took longer than %d s and was cancelled",
                 CLEANUP_MS / 1000);
    task_cancel(cleanup->task);
}

static void cleanup_ended(struct task *task) {
    struct cleanup *cleanup = task->owner;
    if (task->failed && !task_was_cancelled(task))
        task_log_failure(task);
    timer_clear(&cleanup->limit);
    cleanup->ops->ended(cleanup->arg);
    free(cleanup);
}

static void cleanup_origin(struct task *task, struct log_origin *out) {
    struct cleanup *cleanup = task->owner;
    cleanup->ops->origin(cleanup->arg, out);
}

static const struct task_ops task_ops = {.ended = cleanup_ended, .origin = cleanup_origin};

bool task_is_cleanup(const struct task *task) {
    return task->ops == &task_ops;
}

struct task *task_cleanup(struct generation *gen, lua_State *L, int nargs,
                          const struct cleanup_ops *ops, void *arg) {
    struct cleanup *cleanup = mem_zalloc(sizeof *cleanup);
    struct task *task = cleanup->task = task_new(gen, NULL);
    cleanup->ops = ops;
    cleanup->arg = arg;
    task->what = "a deferred or on_close function";
    timer_init(&cleanup->limit, on_limit);
    loop_timer(gen->scheduler->loop, &cleanup->limit, CLEANUP_MS);
    task->owner = cleanup;
    task->ops = &task_ops;
    lua_xmove(L, task->co, nargs + 1);
    task_make_ready(task);
    return task;
}

void task_cleanup_forget(struct task *task) {
    struct cleanup *cleanup = task->owner;
    timer_clear(&cleanup->limit);
    free(cleanup);
}
