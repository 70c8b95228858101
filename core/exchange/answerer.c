/* answerer: the task that answers, and what its end means for the answer.
 *
 *     returned --> the stream is finished, unless a file or a subscription goes on
 *     died     --> head not out: another task answers 500 or 503, once (weir.app's `failed`)
 *              \-> head out: the stream is aborted, so that the client sees that it is incomplete
 *     cancelled -> the stream closes with that reason; that nobody listens is no error
 *
 * An error that a script raises to answer with is logged only where it came too late for that. What
 * goes on without Lua keeps neither its userdata nor more of its request than the access log needs.
 */
#include "exchange/exchange.h"

#include "access/access_log.h"
#include "proto/redact.h"
#include "read/subscription.h"

#include <lauxlib.h>

static void task_ended(struct task *task);

static void task_origin_of(struct task *task, struct log_origin *out) {
    exchange_origin(task->owner, out);
}

static const struct task_ops task_ops = {.ended = task_ended, .origin = task_origin_of};

struct task *answerer_new(struct exchange *exchange) {
    struct task *task = exchange->task = task_new(exchange->app->gen, NULL);
    task->owner = exchange;
    task->ops = &task_ops;
    task->what = exchange->route;
    return task;
}

/* Pushes the traceback of a task that died. stack of L: +1 */
static void push_traceback(struct exchange *exchange, struct task *task, lua_State *L) {
    struct str method = request_method(exchange->stream->request);
    struct buf where = {0}, shown = {0}, scratch = {0};
    struct str target =
        redact_url(request_show_target(exchange->stream->request, &shown), &scratch);
    buf_printf(&where, "%.*s %.*s: ", STR_ARG(method), (int)(target.len > 200 ? 200 : target.len),
               target.ptr);
    buf_add_char(&where, '\0');
    task_push_traceback(task, L, where.data);
    buf_fini(&where);
    buf_fini(&shown);
    buf_fini(&scratch);
}

/* The handler may have ended in a tail call: then Weir's line stands in the error where the
 * script's should, which weir.app's `place` knows better. */
static void place_error(struct task *task) {
    if (task_was_stopped(task)) /* and has no stack any more */
        return;
    struct generation *gen = task->gen;
    lua_State *L = gen->state.L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, gen->place);
    generation_push(gen, L, task->error);
    generation_push(gen, L, task->anchor);
    if (lua_pcall(L, 2, 1, 0) == 0) {
        generation_unref(gen, task->error);
        task->error = generation_ref(gen, L);
    } else {
        lua_pop(L, 1);
    }
}

/* An error before the head is out: another task answers in place of the one that died. */
static void recover(struct exchange *exchange, struct task *task) {
    struct generation *gen = exchange->app->gen;
    struct task *other = answerer_new(exchange);
    lua_State *co = other->co;
    stream_reset_head(exchange->stream);
    exchange->recovering = true;
    lua_rawgeti(co, LUA_REGISTRYINDEX, gen->failed);
    app_push(exchange->app, co);
    exchange_push(exchange, co);
    generation_push(gen, co, task->error);
    push_traceback(exchange, task, co);
    lua_pushinteger(co, exchange->failure);
    task_start(other);
}

static void task_failed(struct exchange *exchange, struct task *task) {
    struct stream *stream = exchange->stream;
    if (task_was_cancelled(task)) {
        if (stream->state < STREAM_ENDING) /* else the answer is complete, and on its way */
            stream_abort(stream, REASON_CANCELLED, NULL);
        return;
    }
    place_error(task);
    bool open = stream->state == STREAM_OPEN;
    exchange->failure = task_hit_limit(task) ? 503 : 500;
    /* weir.fail asks for an answer: it is an error only where it comes after the answer's head. */
    static struct log_kind errors = LOG_KIND("errors of handlers");
    bool unexpected = stream->state == STREAM_STARTED || !task_is_answer(task);
    if (unexpected && log_admits(&errors, LOG_ERROR)) {
        lua_State *L = exchange->app->gen->state.L;
        push_traceback(exchange, task, L);
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        task_log_error(task, (struct str){text, n});
        lua_pop(L, 1);
    }
    if (open && !exchange->recovering)
        recover(exchange, task);
    else if (open)
        stream_fail(stream, exchange->failure, NULL);
    else if (stream->state == STREAM_STARTED)
        stream_abort(stream, REASON_ERROR, "the handler failed");
}

/* The stream goes on without Lua: nothing here keeps its userdata any more, and with that it goes.
 */
static void let_go(struct exchange *exchange) {
    if (exchange->closers != LUA_NOREF)
        return;
    struct generation *gen = exchange->app->gen;
    lua_State *L = gen->state.L;
    exchange_push(exchange, L);
    luaL_getmetatable(L, EXCHANGE_LEFT_META);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    generation_unref(gen, exchange->self);
    exchange->self = LUA_NOREF;
    list_remove(&exchange->link);
    access_log_shorten(exchange->stream->request);
}

static void task_succeeded(struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    if (subscription_of(stream) && stream->state <= STREAM_ENDING)
        let_go(exchange);
    if (stream->producer || stream->state >= STREAM_FINISHED)
        return;
    if (exchange->recovering && stream->state == STREAM_OPEN && stream->status == 0)
        stream_fail(stream, exchange->failure, NULL);
    else
        stream_finish(stream);
}

static void task_ended(struct task *task) {
    struct exchange *exchange = task->owner;
    exchange->task = NULL;
    exchange->closing++; /* what follows may close the stream, and free what is used here */
    if (task->failed)
        task_failed(exchange, task);
    else
        task_succeeded(exchange);
    if (exchange->task == NULL && exchange->stream->state == STREAM_STARTED)
        stream_drop_body(exchange->stream); /* it goes on without Lua */
    exchange->closing--;
    exchange_settle(exchange);
}
