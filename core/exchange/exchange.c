/* exchange: a stream in the hands of Lua.
 *
 *     request --> exchange_start: userdata, task --> the task ends --> the stream closes --> over
 *                                        \--error--> a recovering task --/
 *                                         <--cancelled-- the stream closes first
 *
 * It is the `events` of its stream: bytes and room wake the tasks that wait in its lists, the
 * closing cancels the task that answers and starts the on_close functions, each in a task of its
 * own. When stream, task and those are all over, the pointer in the userdata is nulled, so that a
 * reference that a script kept fails politely instead of pinning a request's memory.
 *
 * Freed by itself; the generation owns what it holds of Lua. What the end of that task means for
 * the answer is in answerer.c; what scripts can call in stream.c, answer.c, file.c, body.c and
 * parts.c. */
#include "exchange/exchange.h"

#include "base/must.h"
#include "proto/trace.h"
#include "read/subscription.h"

#include <lauxlib.h>
#include <string.h>

#define EXPEL_TURN 64 /* streams ended in one turn */

/* What a slot holds once a write to a stream that is over has been answered: the next one raises.
 */
static struct exchange told;

/* --- the userdata --- */

void exchange_push(struct exchange *exchange, lua_State *L) {
    generation_push(exchange->app->gen, L, exchange->self);
}

/* stream.status(200), with a dot. */
static int refuse_self(lua_State *L) {
    lua_Debug ar = {0};
    if (lua_getstack(L, 0, &ar))
        lua_getinfo(L, "n", &ar);
    const char *name = ar.name ? ar.name : "a method";
    return state_error(
        L, "stream.%s: called without the stream; write stream:%s(...), with a colon", name, name);
}

/* luaL_checkudata looks the metatable up by its name, which costs more than most methods. */
static struct exchange **slot_at(lua_State *L, int index) {
    bool known = false;
    if (lua_getmetatable(L, index)) {
        const struct generation *gen = task_generation(L);
        const void *meta = lua_topointer(L, -1);
        known = meta == gen->stream_meta || meta == gen->left_meta;
        lua_pop(L, 1);
    }
    if (!known)
        refuse_self(L);
    return lua_touserdata(L, index);
}

struct exchange *exchange_get(lua_State *L, int index) {
    struct exchange *exchange = *slot_at(L, index);
    return exchange == &told ? NULL : exchange;
}

struct exchange *exchange_check(lua_State *L, int index) {
    struct exchange *exchange = exchange_get(L, index);
    if (exchange == NULL)
        state_error(L,
                    "this stream is over; what must be kept of it has to be copied while it lives");
    return exchange;
}

void exchange_push_fields(lua_State *L, int index) {
    lua_getfenv(L, index);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    bool none = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (!none)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_setfenv(L, -2);
    lua_pop(L, 1);
}

/* HEAD of a stream that would go on: the handler cannot know that nobody listens. */
static bool is_head(const struct exchange *exchange) {
    return exchange && exchange != &told && exchange->stream->head_only;
}

int exchange_refuse_write(lua_State *L, int index) {
    struct exchange **slot = slot_at(L, index);
    struct exchange *exchange = *slot;
    bool again = exchange == &told || (exchange && exchange->told);
    if (again) {
        struct task *task = task_current(L);
        if (task && (task->cancelled || is_head(exchange)))
            return task_refuse(L);
        state_where(L);
        lua_pushliteral(L, "stream:write: the stream is closed, as the write before has told with "
                           "nil, \"closed\"; "
                           "stop writing when a write returns nil");
        lua_concat(L, 2);
        return 1;
    }
    if (exchange)
        exchange->told = true;
    else
        *slot = &told;
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 3;
}

/* --- the end --- */

/* Frees the exchange when nothing of it goes on. */
void exchange_settle(struct exchange *exchange) {
    if (exchange->stream->state != STREAM_CLOSED || exchange->task || exchange->closing ||
        !list_empty(&exchange->waiters) || exchange->filer)
        return;
    struct generation *gen = exchange->app->gen;
    *exchange->slot = NULL;
    list_remove(&exchange->link);
    stream_own(exchange->stream, NULL, NULL);
    stream_unref(exchange->stream);
    parts_free(exchange->parts);
    generation_unref(gen, exchange->closers);
    generation_unref(gen, exchange->self);
    pool_free(&gen->scheduler->loop->pool, exchange, sizeof *exchange);
    generation_settle(gen);
}

void exchange_forget(struct exchange *exchange) {
    *exchange->slot = NULL;
    list_remove(&exchange->link);
    stream_own(exchange->stream, NULL, NULL);
    if (exchange->self != LUA_NOREF && exchange->stream->state == STREAM_OPEN)
        stream_fail(exchange->stream, 503, NULL);
    else if (exchange->self != LUA_NOREF)
        stream_abort(exchange->stream, REASON_DRAIN, NULL);
    stream_unref(exchange->stream);
    parts_free(exchange->parts);
    pool_free(&exchange->app->gen->scheduler->loop->pool, exchange, sizeof *exchange);
}

static void forget_all(struct generation *gen) {
    list_splice(&gen->exchanges, &gen->leaving);
    while (!list_empty(&gen->exchanges))
        exchange_forget(CONTAINER_OF(gen->exchanges.next, struct exchange, link));
}

bool exchange_expel(struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    if (stream->state >= STREAM_ENDING)
        return false;
    bool well = stream_end_well(stream, REASON_DRAIN, STREAM_RETRY_LEAST_MS, STREAM_RETRY_MOST_MS);
    if (!well && exchange->task == NULL)
        stream_abort(stream, REASON_CANCELLED, "its generation is too old");
    return true;
}

static void closer_ended(void *arg) {
    struct exchange *exchange = arg;
    MUST(exchange->closing > 0);
    exchange->closing--;
    exchange_settle(exchange);
}

_Static_assert(TRACE_REQUEST_ID_MAX <= LOG_ID_MAX, "a request id fits into a line");

void exchange_origin(void *arg, struct log_origin *out) {
    struct stream *stream = ((struct exchange *)arg)->stream;
    char made[IDENTITY_MADE];
    struct str id = stream_request_id(stream, made), trace = identity_trace(stream->request);
    memcpy(out->request_id, id.ptr, id.len);
    if (trace.len > 0)
        memcpy(out->trace_id, trace.ptr, trace.len);
}

static const struct cleanup_ops closer = {closer_ended, exchange_origin};

static void run_closers(struct exchange *exchange) {
    struct generation *gen = exchange->app->gen;
    struct stream *stream = exchange->stream;
    lua_State *L = gen->state.L;
    if (exchange->closers == LUA_NOREF)
        return;
    generation_push(gen, L, exchange->closers);
    int n = (int)lua_objlen(L, -1);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        lua_pushstring(L, stream_reason_name(stream->reason));
        lua_pushstring(L, stream->detail); /* NULL gives nil */
        exchange->closing++;
        task_cleanup(gen, L, 2, &closer, exchange);
    }
    lua_pop(L, 1);
}

/* --- what the stream tells --- */

struct task *exchange_waiter(struct exchange *exchange, const struct wait *wait) {
    for (struct list *at = exchange->waiters.next; at != &exchange->waiters; at = at->next) {
        struct task *task = CONTAINER_OF(at, struct task, seat);
        if (task->wait == wait)
            return task;
    }
    return NULL;
}

static void on_readable(struct stream *stream) {
    struct exchange *exchange = stream->owner;
    bool over = stream->in_ended || stream->in_failed || stream->in_dropped;
    for (struct list *at = exchange->waiters.next; at != &exchange->waiters; at = at->next) {
        struct task *task = CONTAINER_OF(at, struct task, seat);
        if (body_is_awaited(task) && (over || stream->in.len >= body_enough(task)))
            task_rouse(task);
    }
}

static void wake_all(struct exchange *exchange, const struct wait *wait) {
    struct task *task;
    while ((task = exchange_waiter(exchange, wait)) != NULL)
        lua_pushboolean(task_wake(task), true);
}

/* Those that wait for no more than what has been delivered. */
static void wake_flushing(struct exchange *exchange) {
    struct subscription *sub = subscription_of(exchange->stream);
    struct list *next;
    bool left = false;
    for (struct list *at = exchange->waiters.next; at != &exchange->waiters; at = next) {
        struct task *task = CONTAINER_OF(at, struct task, seat);
        next = at->next;
        if (task->wait != &exchange_flushing)
            continue;
        if (sub && !subscription_is_flushed(sub, task->amount))
            left = true;
        else
            lua_pushboolean(task_wake(task), true);
    }
    if (sub)
        sub->flushing = left;
}

void exchange_drop(struct exchange *exchange) {
    struct state *state = &exchange->app->gen->state;
    size_t mark = state_lend(state);
    struct task *task;
    while (subscription_of(exchange->stream) &&
           (task = exchange_waiter(exchange, &exchange_flushing)) != NULL) {
        lua_State *co = task_wake(task);
        lua_pushnil(co);
        lua_pushliteral(co, "closed");
    }
    state_take_back(state, mark);
}

static void on_writable(struct stream *stream) {
    struct exchange *exchange = stream->owner;
    wake_all(exchange, &exchange_writing);
    if (stream_queued(stream) == 0)
        wake_flushing(exchange);
}

/* Readers get what is left, writers nil, "closed". */
static void wake_for_the_end(struct exchange *exchange) {
    struct list *next;
    for (struct list *at = exchange->waiters.next; at != &exchange->waiters; at = next) {
        struct task *task = CONTAINER_OF(at, struct task, seat);
        next = at->next;
        if (body_is_awaited(task)) {
            task_rouse(task);
        } else if (exchange->stream->reason == REASON_DONE) {
            lua_pushboolean(task_wake(task), true); /* all that was written has been handed over */
        } else {
            lua_State *co = task_wake(task);
            lua_pushnil(co);
            lua_pushliteral(co, "closed");
        }
    }
}

static void on_close(struct stream *stream) {
    struct exchange *exchange = stream->owner;
    struct state *state = &exchange->app->gen->state;
    size_t mark = state_lend(state); /* a call of another task may have closed it */
    /* A good end that the handler itself brought about does not cancel what it does after it. */
    exchange->closing++; /* waking the last task must not free what is still used here */
    if (exchange->task && !exchange->detached && stream->reason != REASON_DONE)
        task_cancel(exchange->task);
    wake_for_the_end(exchange);
    run_closers(exchange);
    state_take_back(state, mark);
    closer_ended(exchange);
}

static const struct stream_events events = {
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_close = on_close,
};

struct exchange *exchange_of(const struct stream *stream) {
    return stream->events == &events ? stream->owner : NULL;
}

/* --- waiting --- */

void exchange_disarm(struct task *task) {
    struct exchange *exchange = task->armed;
    exchange_settle(exchange);
}

const struct wait exchange_writing = {.what = "stream:write", .disarm = exchange_disarm};
const struct wait exchange_flushing = {.what = "stream:flush", .disarm = exchange_disarm};

int exchange_wait(struct exchange *exchange, struct task *task, const struct wait *wait,
                  uint64_t ms) {
    task->armed = exchange;
    lua_settop(task->co, 1); /* what was written has been copied, and may be large */
    list_push(&exchange->waiters, &task->seat);
    return task_wait(task, wait, ms);
}

/* --- the beginning --- */

/* Of the userdata on top of L's stack. */
static void set_params(lua_State *L, const struct route_match *match) {
    if (match->verdict != ROUTE_FOUND || match->nparams == 0)
        return;
    exchange_push_fields(L, lua_gettop(L));
    lua_createtable(L, 0, (int)match->nparams);
    for (size_t i = 0; i < match->nparams; i++) {
        const struct route_param *param = &match->params[i];
        state_push_str(L, param->name);
        state_push_str(L, param->value);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "params");
    lua_pop(L, 1);
}

/* The userdata, on top of L's stack. */
static void make_userdata(struct exchange *exchange, lua_State *L,
                          const struct route_match *match) {
    struct generation *gen = exchange->app->gen;
    exchange->slot = lua_newuserdata(L, sizeof *exchange->slot);
    *exchange->slot = exchange;
    lua_rawgeti(L, LUA_REGISTRYINDEX, gen->stream_meta_ref);
    lua_setmetatable(L, -2);
    set_params(L, match);
    lua_pushvalue(L, -1);
    exchange->self = generation_ref(gen, L);
    list_push(&gen->exchanges, &exchange->link);
}

void exchange_start(struct app *app, struct stream *stream, size_t skip, const char *prefix,
                    const struct route_match *match) {
    struct generation *gen = app->gen;
    struct exchange *exchange = pool_zalloc(&gen->scheduler->loop->pool, sizeof *exchange);
    exchange->stream = stream_ref(stream);
    exchange->app = app;
    exchange->closers = LUA_NOREF;
    exchange->prefix = prefix;
    const struct route *route = match->verdict == ROUTE_FOUND ? &app->routes[match->id] : NULL;
    exchange->base = route ? route->base : "";
    exchange->route = route ? route->name : "a path without a route, in its middleware";
    exchange->skip = (uint8_t)skip;
    list_init(&exchange->waiters);
    list_init(&exchange->link);
    stream_own(stream, &events, exchange);
    struct task *task = answerer_new(exchange);
    lua_State *co = task->co;
    generation_push(gen, co, app->functions); /* at 1, where then is what runs them */
    make_userdata(exchange, co, match);
    app_push_functions(app, co, 1, path_after(request_path(stream->request), skip), match);
    bool has_middleware = lua_gettop(co) > 3; /* beside the userdata and the handler */
    lua_rawgeti(co, LUA_REGISTRYINDEX, has_middleware ? gen->run_through : gen->run);
    lua_replace(co, 1);
    task_start(task);
}

/* --- those of a generation --- */

void exchange_expel_all(struct generation *gen) {
    gen->expelling = true;
    list_splice(&gen->leaving, &gen->exchanges);
}

bool exchange_expel_some(struct generation *gen) {
    struct list *node;
    for (int i = 0; i < EXPEL_TURN && (node = list_pop(&gen->leaving)) != NULL; i++) {
        list_push(&gen->exchanges, node);
        gen->expelled += exchange_expel(CONTAINER_OF(node, struct exchange, link));
    }
    if (!list_empty(&gen->leaving))
        return true;
    gen->expelling = false;
    generation_cancel(gen);
    return false;
}

void exchange_prepare(lua_State *L) {
    struct generation *gen = task_generation(L);
    gen->on_closing = forget_all;
    luaL_getmetatable(L, EXCHANGE_META);
    gen->stream_meta = lua_topointer(L, -1);
    gen->stream_meta_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_getmetatable(L, EXCHANGE_LEFT_META);
    gen->left_meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    gen->run = generation_require(L, "weir.app", "run");
    gen->run_through = generation_require(L, "weir.app", "run_through");
    gen->place = generation_require(L, "weir.app", "place");
    gen->failed = generation_require(L, "weir.app", "failed");
}
