/* file: answers a stream with a file, for Lua: stream:file, and what middleware passes on to.
 *
 *     the task waits --static_file--> opened: the head is out, the file follows by itself --> true
 *           |                   \---> not there, or not to be read: nothing was sent ------> nil
 *           \--cancelled: static_cancel, as far as nothing has been sent
 *
 * The task waits only until it is known whether there is such a file, so that a handler can answer
 * otherwise. What it has set for the file alone does not stay when there is none. One file at a
 * time; which bytes of it are sent, and how, is http/static's. */
#include "exchange/exchange.h"

#include "http/static.h"

#include <lauxlib.h>
#include <stdlib.h>

static void file_done(void *arg, int error) {
    struct exchange *exchange = arg;
    struct task *task = exchange->filer;
    exchange->file = NULL;
    lua_State *co = task_wake(task);
    if (error == 0) {
        lua_pushboolean(co, true);
        return;
    }
    bool begun = error < -10000; /* one of stream's: it is closed, or answered otherwise */
    lua_pushnil(co);
    lua_pushstring(co, begun ? "closed" : uv_err_name(error));
    lua_pushstring(co, begun ? "the stream is closed or answered already" : uv_strerror(error));
    if (!begun) { /* they were the file's */
        stream_remove_header(exchange->stream, STR("Content-Type"));
        stream_remove_header(exchange->stream, STR("Content-Disposition"));
    }
    if (exchange->task == NULL) /* the handler has gone, and counted on the file */
        stream_fail(exchange->stream, 500, NULL);
}

static void stop_file(struct task *task) {
    struct exchange *exchange = task->armed;
    exchange->filer = NULL;
    if (exchange->file)
        static_cancel(exchange->file);
    exchange->file = NULL;
    exchange_settle(exchange);
}

static const struct wait filing = {.what = "stream:file", .disarm = stop_file, .elsewhere = true};

/* A quoted-string for ASCII names, and the UTF-8 form that RFC 6266 section 4.3 prefers. */
static void set_download(lua_State *L, struct stream *stream, struct str name) {
    struct buf value = {0};
    buf_add(&value, STR("attachment; filename=\""));
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        buf_add_char(&value, c < 0x20 || c >= 0x7f || c == '"' || c == '\\' ? '_' : (char)c);
    }
    buf_add(&value, STR("\"; filename*=UTF-8''"));
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '.' || c == '-' || c == '_';
        if (plain)
            buf_add_char(&value, (char)c);
        else
            buf_printf(&value, "%%%02X", c);
    }
    int rc = stream_set_header(stream, STR("Content-Disposition"), buf_str(&value));
    buf_fini(&value);
    if (rc < 0)
        answer_refuse(L, "stream:file", rc);
}

static int l_file(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct stream *stream = exchange->stream;
    struct generation *gen = exchange->app->gen;
    const char *path = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct task *task = task_enter(L, "stream:file");
    if (task == NULL)
        return task_refuse(L);
    if (stream->state != STREAM_OPEN || exchange->filer)
        return answer_refuse(L, "stream:file", STREAM_EHEAD);
    lua_getfield(L, 3, "type");
    if (!lua_isnil(L, -1)) {
        int rc = stream_set_header(stream, STR("Content-Type"), state_check_str(L, -1));
        if (rc < 0)
            return answer_refuse(L, "stream:file", rc);
    }
    lua_getfield(L, 3, "download");
    if (!lua_isnil(L, -1))
        set_download(L, stream, state_check_str(L, -1));
    lua_getfield(L, 3, "max_age");
    int64_t max_age = lua_isnil(L, -1) ? -1 : (int64_t)lua_tonumber(L, -1);
    lua_getfield(L, 3, "root");
    char *root = generation_path(gen, lua_isnil(L, -1) ? "public" : lua_tostring(L, -1));
    exchange->filer = task;
    task->armed = exchange;
    exchange->file = static_file(stream, root, path, max_age, file_done, exchange);
    free(root);
    return task_wait(task, &filing, WHEEL_NEVER);
}

static const struct wait plain_filing = {
    .what = "a static file", .disarm = stop_file, .elsewhere = true};

/* nil, nil, why */
static int refuse(lua_State *L, const char *why) {
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 3;
}

/* Answers what needs no handler. Results: true, or nil and why not: what was asked for is not
 * there, or "closed". */
static int l_plain(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct stream *stream = exchange->stream;
    struct task *task = task_enter(L, "a static file");
    if (task == NULL)
        return task_refuse(L);
    if (stream->state != STREAM_OPEN || exchange->filer)
        return refuse(L, "closed");
    if (!app_answer_plain(exchange->app, stream, exchange->skip, &exchange->file, file_done,
                          exchange))
        return refuse(L, "ENOENT");
    if (exchange->file == NULL) {
        lua_pushnil(L);
        lua_pushboolean(L, true);
        return 2;
    }
    exchange->filer = task;
    task->armed = exchange;
    return task_wait(task, &plain_filing, WHEEL_NEVER);
}

void bind_file(lua_State *L) {
    static const luaL_Reg methods[] = {{"_file", l_file}, {"_plain", l_plain}, {NULL, NULL}};
    lua_getfield(L, -1, "stream_methods");
    state_set(L, methods);
    lua_pop(L, 1);
}
