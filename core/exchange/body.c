/* body: a request's body for Lua, as bytes: some, all, or what a file is written from.
 *
 *     stream->in --_read--> bytes          one task waits at a time, and takes when it runs
 *                --_body--> all of it
 *                --_gather, _move--> a writer
 *
 * Bytes stay in the stream until a task takes them. One that waits has said how many it wants; it
 * is roused when they are there, or when there will be no more, and takes then, so that a task
 * which is cancelled before has taken nothing. A body that is read in parts (parts.c) is
 * waited for in the same way, and read in no other. */
#include "bind/bind.h"
#include "exchange/exchange.h"

#include <lauxlib.h>

#define READ_DEFAULT 65536
#define GATHER_MS 100          /* so often who gathers is told what has come, however little */
#define GATHER_MOST (1u << 20) /* what may wait for it */

/* --- what there is --- */

bool body_is_broken(const struct exchange *exchange) {
    const struct stream *stream = exchange->stream;
    return stream->in_failed || stream->in_dropped ||
           (stream->state == STREAM_CLOSED && !stream->in_ended);
}

int body_push_broken(const struct exchange *exchange, lua_State *L) {
    return state_push_failure(L, exchange->stream->in_timeout ? "timeout" : "closed");
}

static void push_taken(struct stream *stream, lua_State *L, size_t n) {
    lua_pushlstring(L, n ? stream->in.data : "", n);
    stream_take(stream, NULL, n);
}

/* Bytes, at most `n`; nil: the end; nil and why. Returns how many values; 0: nothing yet. */
static int push_bytes(struct exchange *exchange, lua_State *L, size_t n) {
    struct stream *stream = exchange->stream;
    if (stream->in.len > 0) {
        push_taken(stream, L, n < stream->in.len ? n : stream->in.len);
        exchange->partly = true;
        return 1;
    }
    if (body_is_broken(exchange))
        return body_push_broken(exchange, L);
    if (!stream->in_ended)
        return 0;
    lua_pushnil(L);
    return 1;
}

/* How many bytes are here, of which none is taken, once they are `n` or the last ones. */
static int push_gathered(struct exchange *exchange, lua_State *L, size_t n) {
    struct stream *stream = exchange->stream;
    if (body_is_broken(exchange))
        return body_push_broken(exchange, L);
    if (!stream->in_ended && stream->in.len < n)
        return 0;
    if (stream->in.len > 0)
        lua_pushnumber(L, (lua_Number)stream->in.len);
    else
        lua_pushnil(L);
    return 1;
}

/* The whole body, of which nothing is taken before all is there; nil, "limit" if it is longer. */
static int push_body(struct exchange *exchange, lua_State *L, size_t limit) {
    struct stream *stream = exchange->stream;
    if (stream->in.len > limit) {
        return state_push_failure(L, "limit");
    }
    if (body_is_broken(exchange))
        return body_push_broken(exchange, L);
    if (!stream->in_ended)
        return 0;
    push_taken(stream, L, stream->in.len);
    return 1;
}

/* --- waiting --- */

bool body_is_awaited(const struct task *task) {
    return task->wait->take != NULL;
}

static int take(struct task *task, lua_State *co) {
    return push_bytes(task->armed, co, task->amount);
}

static int take_body(struct task *task, lua_State *co) {
    return push_body(task->armed, co, task->amount);
}

static bool is_read(struct exchange *exchange) {
    for (struct list *at = exchange->waiters.next; at != &exchange->waiters; at = at->next)
        if (body_is_awaited(CONTAINER_OF(at, struct task, seat)))
            return true;
    return false;
}

static int take_gathered(struct task *task, lua_State *co) {
    return push_gathered(task->armed, co, task->amount);
}

/* The time to gather is over: what is here is enough, or else the next byte is. */
static bool gathers_on(struct task *task) {
    const struct exchange *exchange = task->armed;
    task->amount = 1;
    return exchange->stream->in.len == 0;
}

static void push_some(struct task *task, lua_State *co) {
    push_gathered(task->armed, co, 1);
}

static const struct wait collecting = {
    .what = "stream:body", .disarm = exchange_disarm, .take = take_body};
static const struct wait reading = {.what = "stream:read", .disarm = exchange_disarm, .take = take};
static const struct wait gathering = {.what = "stream:save",
                                      .disarm = exchange_disarm,
                                      .take = take_gathered,
                                      .overdue = gathers_on,
                                      .expired = push_some};

size_t body_enough(const struct task *task) {
    return task->wait == &collecting  ? task->amount + 1
           : task->wait == &gathering ? task->amount
                                      : 1;
}

int body_await(lua_State *L, const struct wait *wait, size_t n, uint64_t whole,
               int (*push)(struct exchange *, lua_State *, size_t)) {
    struct exchange *exchange = exchange_get(L, 1);
    struct task *task = task_current(L);
    if (task && task->cancelled)
        return task_refuse(L);
    lua_pushnil(L);
    if (exchange == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 3;
    }
    int pushed = push(exchange, L, n);
    if (pushed > 0)
        return 1 + pushed;
    task_enter(L, wait->what);
    if (is_read(exchange))
        return state_error(L, "%s: another task reads this body already; let one task read it",
                           wait->what);
    stream_want_body(exchange->stream, whole);
    task->amount = n;
    uint64_t ms = wait == &gathering && n > 1 ? GATHER_MS : WHEEL_NEVER;
    return exchange_wait(exchange, task, wait, ms);
}

int body_gather(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    lua_Number wanted = luaL_checknumber(L, 2);
    size_t n = wanted < 1 ? 1 : wanted > GATHER_MOST ? GATHER_MOST : (size_t)wanted;
    if (exchange)
        exchange->stream->in_window = (uint32_t)n + LOOP_READ_BYTES;
    return body_await(L, &gathering, n, 0, push_gathered);
}

/* --- for Lua --- */

/* Raises when the body of the stream at 1 is read in parts. */
static void refuse_parts(lua_State *L, const char *what) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange && exchange->parts)
        state_error(L, "%s: this body is read by stream:parts; read what its parts have", what);
}

/* stream, n -> nil, bytes | nil, nil [, why] */
static int l_read(lua_State *L) {
    lua_Number wanted = luaL_optnumber(L, 2, READ_DEFAULT);
    size_t n = wanted < 1 ? 1 : wanted > 1 << 30 ? 1 << 30 : (size_t)wanted;
    refuse_parts(L, "stream:read");
    return body_await(L, &reading, n, 0, push_bytes);
}

/* See body_gather. */
static int l_gather(lua_State *L) {
    refuse_parts(L, "stream:save");
    return body_gather(L);
}

/* stream, writer, most -> n: moves all that is here of the body to what the writer writes next;
 * false: it is more than `most` (nil: any number), and stays. */
static int l_move(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct buf *into = bind_writer_bytes(L, 2);
    if (!lua_isnoneornil(L, 3) && (lua_Number)exchange->stream->in.len > luaL_checknumber(L, 3)) {
        lua_pushboolean(L, false);
        return 1;
    }
    exchange->partly = true;
    lua_pushnumber(L, (lua_Number)stream_take_all(exchange->stream, into));
    return 1;
}

/* stream, limit -> nil, bytes | nil, nil, why */
static int l_body(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    lua_Number limit = luaL_checknumber(L, 2);
    size_t most = limit < 1 << 30 ? (size_t)limit : 1 << 30; /* a Lua string ends at 2 GiB */
    if (exchange && exchange->partly)
        return state_error(L, "stream:body: part of this body has been read by read, chunks, "
                              "parts or save; read all of it in one way");
    return body_await(L, &collecting, most, (uint64_t)most + 1, push_body);
}

/* stack: core table; 0 */
void bind_body(lua_State *L) {
    static const luaL_Reg methods[] = {{"_read", l_read},
                                       {"_gather", l_gather},
                                       {"_move", l_move},
                                       {"_body", l_body},
                                       {NULL, NULL}};
    lua_getfield(L, -1, "stream_methods");
    state_set(L, methods);
    lua_pop(L, 1);
}
