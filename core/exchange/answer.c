/* answer: the response half of a stream for Lua: head, body, events.
 *
 * Misuse raises with what, where and the remedy; what a peer can bring about is a result. Waiting
 * is for the peer only: a write returns at once unless the stream is above its high mark. */
#include "exchange/exchange.h"

#include "http/sse.h"
#include "proto/cookie.h"
#include "proto/field_lines.h"
#include "proto/header.h"
#include "read/subscription.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

static struct stream *check_stream(lua_State *L) {
    return exchange_check(L, 1)->stream;
}

int answer_refuse(lua_State *L, const char *what, int error) {
    switch (error) {
    case STREAM_EHEAD:
        return state_error(
            L,
            "%s: the head of the answer has been sent; set status and headers before "
            "the first write",
            what);
    case STREAM_ECLOSED:
        return state_error(L, "%s: the stream is closed", what);
    case STREAM_EFRAMING:
        return state_error(L,
                           "%s: this header belongs to the framing of the answer, which is the "
                           "server's; leave it out",
                           what);
    case STREAM_ELENGTH:
        return state_error(L, "%s: more bytes than the length that was announced", what);
    case SSE_EFIELD:
        return state_error(L, "%s: CR, LF or NUL in event or id; they would end the field", what);
    default:
        return state_error(
            L,
            "%s: not a valid header name or value (a name is a token, a value has no control "
            "characters and no white space around it)",
            what);
    }
}

/* --- head --- */

static int l_status(lua_State *L) {
    struct stream *stream = check_stream(L);
    lua_Number status = luaL_checknumber(L, 2);
    int rc =
        stream_set_status(stream, status == floor(status) && fabs(status) < 1000 ? (int)status : 0);
    if (rc == STREAM_EVALUE)
        return state_error(L, "stream:status: expected a status from 200 to 599, got %s",
                           lua_tostring(L, 2));
    if (rc < 0)
        return answer_refuse(L, "stream:status", rc);
    return 0;
}

static int field_set(lua_State *L, const char *method, int rc) {
    if (rc < 0) {
        lua_pushfstring(L, "stream:%s \"%s\"", method, lua_tostring(L, 2));
        return answer_refuse(L, lua_tostring(L, -1), rc);
    }
    return 0;
}

static int l_header(lua_State *L) {
    return field_set(
        L, "header",
        stream_set_header(check_stream(L), state_check_str(L, 2), state_check_str(L, 3)));
}

static int l_add_header(lua_State *L) {
    return field_set(
        L, "add_header",
        stream_add_header(check_stream(L), state_check_str(L, 2), state_check_str(L, 3)));
}

/* For middleware of the library: errors and redirects have it too. */
static int l_lasting(lua_State *L) {
    return field_set(
        L, "lasting",
        stream_set_lasting(check_stream(L), state_check_str(L, 2), state_check_str(L, 3)));
}

static const char *same_site(lua_State *L, int index) {
    static const char *const names[] = {"Strict", "Lax", "None"};
    const char *given = luaL_checkstring(L, index);
    for (int i = 0; i < 3; i++)
        if (str_ieq(str_of(given), str_of(names[i])))
            return names[i];
    state_error(L, "stream:cookie: same_site is \"Strict\", \"Lax\" or \"None\", got \"%s\"",
                given);
    return NULL;
}

/* The Lua half refuses names that are not known. */
static void cookie_option(lua_State *L, const char *name, struct cookie_options *options) {
    if (strcmp(name, "path") == 0)
        options->path = state_check_str(L, -1);
    else if (strcmp(name, "domain") == 0)
        options->domain = state_check_str(L, -1);
    else if (strcmp(name, "max_age") == 0)
        options->max_age = (int64_t)luaL_checknumber(L, -1);
    else if (strcmp(name, "secure") == 0)
        options->secure = lua_toboolean(L, -1);
    else if (strcmp(name, "http_only") == 0)
        options->http_only = lua_toboolean(L, -1);
    else if (strcmp(name, "same_site") == 0)
        options->same_site = same_site(L, -1);
}

static int l_cookie(lua_State *L) {
    struct stream *stream = check_stream(L);
    struct str name = state_check_str(L, 2), value = state_check_str(L, 3);
    struct cookie_options options = {
        .max_age = -1, .secure = stream->secure, .http_only = true, .same_site = "Lax"};
    luaL_checktype(L, 4, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            cookie_option(L, lua_tostring(L, -2), &options);
    struct buf field = {0};
    int rc = cookie_format(&field, name, value, &options);
    if (rc == 0)
        rc = stream_add_header(stream, STR("Set-Cookie"), buf_str(&field));
    buf_fini(&field);
    if (rc == COOKIE_ENAME)
        return state_error(L, "stream:cookie: the name is not a token");
    if (rc == COOKIE_EVALUE)
        return state_error(
            L, "stream:cookie: the value, path or domain holds a character that a cookie cannot "
               "(space, "
               "quote, comma, semicolon, backslash, control or non-ASCII); encode it first");
    return rc < 0 ? answer_refuse(L, "stream:cookie", rc) : 0;
}

/* The value on top of the stack. */
static void check_hint(lua_State *L, struct buf *lines, struct str name) {
    (void)lines;
    if (lua_type(L, -1) == LUA_TSTRING && header_is_token(name) && !header_is_framing(name) &&
        header_is_value(state_check_str(L, -1)))
        return;
    state_error(L, "stream:early_hints: not a header name and value, a string or a list of "
                   "strings, that may be sent early");
}

/* The same, once it has been checked. */
static void append_hint(lua_State *L, struct buf *lines, struct str name) {
    field_lines_add(lines, name, state_check_str(L, -1));
}

/* Of the table at 2, each name with each of its values. */
static void each_hint(lua_State *L, struct buf *lines,
                      void (*look)(lua_State *, struct buf *, struct str)) {
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            state_error(
                L, "stream:early_hints: expected header names as keys, such as { Link = \"…\" }");
        struct str name = state_check_str(L, -2);
        if (!lua_istable(L, -1)) {
            look(L, lines, name);
            continue;
        }
        for (int i = 1; i <= (int)lua_objlen(L, -1); i++) {
            lua_rawgeti(L, -1, i);
            look(L, lines, name);
            lua_pop(L, 1);
        }
    }
}

/* { Link = "…" } or { Link = {"…", "…"} } */
static int inform(lua_State *L, int status) {
    struct stream *stream = check_stream(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct buf lines = {0};
    each_hint(L, &lines, check_hint);
    each_hint(L, &lines, append_hint);
    int rc = stream_informational(stream, status, buf_str(&lines));
    buf_fini(&lines);
    return rc == STREAM_EHEAD ? answer_refuse(L, "stream:early_hints", rc) : 0;
}

static int l_early_hints(lua_State *L) {
    return inform(L, 103);
}

static int l_resumable(lua_State *L) { /* Upload Resumption Supported */
    return inform(L, 104);
}

/* --- body --- */

static int l_respond(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    const char *type = luaL_optstring(L, 2, NULL);
    struct str body = state_check_str(L, 3);
    struct stream *stream = exchange ? exchange->stream : NULL;
    if (stream == NULL || (stream->state == STREAM_CLOSED && stream->reason != REASON_DONE))
        return 0; /* the client is gone: nobody to answer, no fault of the handler */
    exchange->finished = true;
    int rc = stream_respond(exchange->stream, type, body.ptr, body.len);
    if (rc < 0)
        return state_error(L, "the answer has begun already; a handler answers once: by what it "
                              "returns, by text, html, "
                              "json, redirect or file, or by write");
    return 0;
}

static int push_true(lua_State *L) {
    lua_pushnil(L);
    lua_pushboolean(L, true);
    return 2;
}

/* nil, nil, why */
static int push_failure(lua_State *L, const char *why) {
    lua_pushnil(L);
    return 1 + state_push_failure(L, why);
}

/* The results of a write, waiting first when the stream is above its high mark. */
static int written(lua_State *L, struct exchange *exchange, const char *what, int rc) {
    struct stream *stream = exchange->stream;
    if (rc == STREAM_EDROPPED) {
        lua_pushnil(L);
        lua_pushboolean(L, false);
        lua_pushliteral(L, "dropped");
        return 3;
    }
    if (rc == STREAM_ECLOSED)
        return exchange_refuse_write(L, 1);
    if (rc < 0)
        return answer_refuse(L, what, rc);
    if (stream->policy != WRITE_BLOCK || !stream_is_full(stream))
        return push_true(L);
    struct task *task = task_enter(L, what);
    return task ? exchange_wait(exchange, task, &exchange_writing, WHEEL_NEVER) : task_refuse(L);
}

static void check_unfinished(lua_State *L, const struct exchange *exchange, const char *what) {
    if (exchange->stream->producer && subscription_of(exchange->stream) == NULL)
        state_error(L, "%s: a file is being sent; its bytes are the whole answer", what);
    if (exchange->finished)
        state_error(L,
                    "%s: the answer has been finished; write before finish, close, or what else "
                    "ends the answer",
                    what);
}

static int l_write(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    struct str chunk = state_check_str(L, 2);
    if (exchange == NULL)
        return exchange_refuse_write(L, 1);
    check_unfinished(L, exchange, "stream:write");
    return written(L, exchange, "stream:write",
                   stream_write(exchange->stream, chunk.ptr, chunk.len));
}

static int l_flush(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange == NULL)
        return exchange_refuse_write(L, 1);
    int rc = stream_write(exchange->stream, "", 0);
    if (rc < 0 && rc != STREAM_EDROPPED)
        return exchange_refuse_write(L, 1);
    struct subscription *sub = subscription_of(exchange->stream);
    if (sub == NULL && stream_queued(exchange->stream) == 0)
        return push_true(L);
    struct task *task = task_enter(L, "stream:flush");
    if (task == NULL)
        return task_refuse(L);
    task->amount = sub ? subscription_flush(sub) : 0;
    return exchange_wait(exchange, task, &exchange_flushing, WHEEL_NEVER);
}

static int l_finish(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange == NULL)
        return 0;
    exchange->finished = true;
    stream_end(exchange->stream, REASON_DONE);
    return 0;
}

/* The same, but what was published and not sent is dropped. */
static int l_finish_now(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange == NULL)
        return 0;
    exchange->finished = true;
    exchange_drop(exchange);
    stream_finish(exchange->stream);
    return 0;
}

static int policy_of(lua_State *L, const char *what, const char *name) {
    static const char *const names[] = {"block", "drop_newest", "disconnect"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return state_error(L, "%s: expected \"block\", \"drop_newest\" or \"disconnect\", got \"%s\"",
                       what, name);
}

static int l_write_policy(lua_State *L) {
    struct stream *stream = check_stream(L);
    stream->policy = (uint8_t)policy_of(L, "stream:write_policy", luaL_checkstring(L, 2));
    return 0;
}

/* --- server-sent events --- */

static uint32_t opt_ms(lua_State *L, int index) {
    uint64_t ms = lua_isnoneornil(L, index) ? 0 : task_ms(L, index);
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* Its head leaves when the task waits. One that failed instead may still be answered otherwise. */
static void open_stream(void *stream, bool waits) {
    if (waits)
        sse_open(stream);
    stream_unref(stream);
}

/* retry, heartbeat, heartbeat_event, hello, overflow, write_timeout, whether notices are messages
 */
static int l_sse(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct stream *stream = exchange->stream;
    struct sse_options options = {.retry_ms = (int64_t)luaL_optnumber(L, 2, -1),
                                  .heartbeat_ms = opt_ms(L, 3),
                                  .heartbeat_event = state_opt_str(L, 4),
                                  .hello = lua_toboolean(L, 5),
                                  .nameless = lua_toboolean(L, 8)};
    if (!lua_isnoneornil(L, 6))
        stream->policy = (uint8_t)policy_of(L, "stream:sse", luaL_checkstring(L, 6));
    stream->write_timeout_ms = opt_ms(L, 7);
    int rc = sse_start(stream, &options);
    if (rc == STREAM_EHEAD || rc == SSE_EFIELD)
        return answer_refuse(L, "stream:sse", rc);
    struct scheduler *scheduler = exchange->app->gen->scheduler;
    if (rc == 0 && scheduler->paused == NULL) {
        scheduler->paused = open_stream;
        scheduler->paused_arg = stream_ref(stream);
    }
    return 0;
}

/* data, event, id, retry, comment */
static int l_send(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    struct sse_event event = {.data = state_opt_str(L, 2),
                              .event = state_opt_str(L, 3),
                              .id = state_opt_str(L, 4),
                              .retry = (int64_t)luaL_optnumber(L, 5, -1),
                              .comment = state_opt_str(L, 6)};
    if (exchange == NULL)
        return exchange_refuse_write(L, 1);
    check_unfinished(L, exchange, "sse:send");
    uint64_t limit = exchange->stream->server->limits.event_bytes;
    if (event.data.len + event.comment.len + event.event.len + event.id.len > limit) {
        limits_reached(REACHED_EVENT_BYTES);
        return push_failure(L, "limit");
    }
    int rc = sse_send(exchange->stream, &event);
    if (rc == STREAM_ECLOSED && exchange->detached) /* it goes on without its client, as it said */
        return push_failure(L, "closed");
    return written(L, exchange, "sse:send", rc);
}

void bind_answer(lua_State *L) {
    static const luaL_Reg methods[] = {{"status", l_status},
                                       {"header", l_header},
                                       {"add_header", l_add_header},
                                       {"_lasting", l_lasting},
                                       {"_cookie", l_cookie},
                                       {"early_hints", l_early_hints},
                                       {"_resumable", l_resumable},
                                       {"_respond", l_respond},
                                       {"_write", l_write},
                                       {"_flush", l_flush},
                                       {"finish", l_finish},
                                       {"_finish_now", l_finish_now},
                                       {"write_policy", l_write_policy},
                                       {"_sse", l_sse},
                                       {"_send", l_send},
                                       {NULL, NULL}};
    lua_getfield(L, -1, "stream_methods");
    state_set(L, methods);
    lua_pop(L, 1);
}
