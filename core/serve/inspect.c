/* inspect: what lives in a worker, told to the log, when an operator asks (SIGUSR1).
 *
 * A line for each stream, its URL without what is secret in it, and of each task what it waits for,
 * with its traceback. It changes nothing, and looks at everything on the loop's own thread, in a
 * turn of its own: so a worker that does not turn says nothing, which says that. */
#include "serve/inspect.h"

#include "base/log.h"
#include "proto/redact.h"
#include "vm/task.h"

void inspect_describe(struct task *task, const char *prefix, struct buf *out) {
    struct generation *gen = task->gen;
    lua_State *L = gen->state.L;
    task_push_name(task, L);
    task_describe(L, task);
    buf_printf(out, "task of %s, generation %u, %s: %s", prefix[0] ? prefix : "/", gen->number,
               lua_tostring(L, -2), lua_tostring(L, -1));
    lua_pop(L, 2);
}

bool inspect_task(void *arg, struct task *task, const char *prefix) {
    struct buf text = {0};
    (void)arg;
    inspect_describe(task, prefix, &text);
    log_text(LOG_INFO, buf_str(&text));
    buf_fini(&text);
    return true;
}

static void describe_stream(struct stream *stream, uint64_t now) {
    static const char *const states[] = {"open", "started", "ending", "finished", "closed"};
    struct buf shown = {0}, scratch = {0};
    struct str target = redact_url(request_show_target(stream->request, &shown), &scratch);
    log_info("stream %llu: %.*s %.*s, %s, %llu bytes in, %llu out, %llu waiting, %.1f s",
             (unsigned long long)stream->id, STR_ARG(request_method(stream->request)),
             STR_ARG(target), states[stream->state], (unsigned long long)stream->received,
             (unsigned long long)stream->sent, (unsigned long long)stream_queued(stream),
             (double)(now - stream->started) / 1000);
    buf_fini(&shown);
    buf_fini(&scratch);
}

void inspect_streams(struct http_server *http) {
    for (struct list *at = http->streams.next; at != &http->streams; at = at->next)
        describe_stream(CONTAINER_OF(at, struct stream, link), loop_now(http->loop));
}
