/* store: the pairs of weir.store for Lua: each function is one call to the store, whose answer
 * its task waits for.
 *
 *     called --> kv_submit --> done, on this loop: wakes its task with the results, frees the call
 *                      \--a task that reads is cancelled, or its generation freed--> kv_abandon
 *
 * Values are bytes here; lua/weir/store.lua makes values of them and says what the limits are. What
 * the store refuses is a result: nil, "io", a message. */
#include "bind/bind.h"

#include "store/kv.h"
#include "vm/generation.h"

#include <lauxlib.h>

#define LIST_PAIRS 128
#define LIST_BYTES (256u << 10)

static void lose(struct task *task) {
    if (task->armed)
        kv_abandon(store_default(), task->armed);
}

static const struct wait reading = {.what = "the store", .disarm = lose, .elsewhere = true};
/* What has begun is done when the task goes on. */
static const struct wait writing = {
    .what = "the store", .disarm = lose, .cancel = task_go_on, .elsewhere = true};

static void push_pairs(lua_State *co, const struct kv_call *call) {
    lua_createtable(co, (int)call->npairs * 2, 0);
    for (size_t i = 0; i < call->npairs; i++) {
        state_push_str(co, kv_pair_key(call, i));
        lua_rawseti(co, -2, (int)i * 2 + 1);
        state_push_str(co, kv_pair_value(call, i));
        lua_rawseti(co, -2, (int)i * 2 + 2);
    }
    lua_pushboolean(co, call->more);
}

static void push_found(lua_State *co, const struct kv_call *call) {
    if (call->found)
        state_push_str(co, buf_str(&call->bytes));
    else
        lua_pushnil(co);
}

static void push_result(lua_State *co, const struct kv_call *call) {
    switch (call->kind) {
    case KV_GET:
        push_found(co, call);
        break;
    case KV_LIST:
        push_pairs(co, call);
        break;
    case KV_SET:
        lua_pushboolean(co, true);
        break;
    case KV_CLEAR:
    case KV_DELETE:
        lua_pushboolean(co, call->found);
        break;
    case KV_SWAP:
        lua_pushboolean(co, call->swapped);
        push_found(co, call);
        break;
    }
}

static void done(struct kv_call *call) {
    struct task *task = call->arg;
    task->armed = NULL; /* nothing to abandon any more */
    lua_State *co = task_wake(task);
    if (call->error < 0) {
        lua_pushnil(co);
        lua_pushliteral(co, "io");
        lua_pushstring(co, uv_strerror(call->error));
    } else {
        push_result(co, call);
    }
    kv_free(call);
}

/* A call about the set at index 1 and the key at index 2, for the current task; NULL when that is
 * cancelled. Where it raises nothing has been made yet. */
static struct kv_call *begin(lua_State *L, const char *what, enum kv_kind kind) {
    struct str name = state_check_str(L, 1), key = state_check_str(L, 2);
    struct task *task = task_enter(L, what);
    if (task == NULL)
        return NULL;
    struct kv_call *call = kv_new(task->gen->scheduler->loop, kind, done, task);
    buf_add(&call->name, name);
    buf_add(&call->key, key);
    return call;
}

static int await(lua_State *L, struct kv_call *call) {
    if (call == NULL)
        return task_refuse(L);
    struct task *task = call->arg;
    task->armed = call;
    bool reads = call->kind == KV_GET || call->kind == KV_LIST;
    kv_submit(store_default(), call);
    lua_settop(L, 0); /* the call has copies */
    return task_wait(task, reads ? &reading : &writing, WHEEL_NEVER);
}

static int l_get(lua_State *L) {
    return await(L, begin(L, "store:get", KV_GET));
}

/* name, key, value, milliseconds that it lives or 0 */
static int l_set(lua_State *L) {
    struct str value = state_check_str(L, 3);
    lua_Number ms = luaL_checknumber(L, 4);
    struct kv_call *call = begin(L, "store:set", KV_SET);
    if (call) {
        buf_add(&call->value, value);
        call->ttl_ms = (uint64_t)ms;
    }
    return await(L, call);
}

static int l_delete(lua_State *L) {
    return await(L, begin(L, "store:delete", KV_DELETE));
}

/* ("", ""): removes what specs have stored; a folder is nobody's to empty. */
static int l_clear(lua_State *L) {
    struct kv_call *call = begin(L, "weir.test", KV_CLEAR);
    if (call && store_folder(store_default())) {
        kv_free(call);
        return state_error(L, "weir.test: the store has a folder, which is not emptied");
    }
    return await(L, call);
}

/* name, key, the value that must be there or nil, the one that is to be or nil */
static int l_swap(lua_State *L) {
    struct str none = {0};
    bool has_expected = !lua_isnil(L, 3), has_value = !lua_isnil(L, 4);
    struct str expected = has_expected ? state_check_str(L, 3) : none;
    struct str value = has_value ? state_check_str(L, 4) : none;
    struct kv_call *call = begin(L, "store:update", KV_SWAP);
    if (call) {
        call->has_expected = has_expected;
        call->has_value = has_value;
        buf_add(&call->expected, expected);
        buf_add(&call->value, value);
    }
    return await(L, call);
}

/* name, prefix, the key to go on after or "" */
static int l_list(lua_State *L) {
    struct str from = state_check_str(L, 3);
    struct kv_call *call = begin(L, "store:each", KV_LIST);
    if (call) {
        buf_add(&call->from, from);
        call->pairs_max = LIST_PAIRS;
        call->bytes_max = LIST_BYTES;
    }
    return await(L, call);
}

/* fn(value), from C, so that it cannot wait. One result. */
static int l_call(lua_State *L) {
    lua_settop(L, 2);
    lua_call(L, 1, 1);
    return 1;
}

void bind_store(lua_State *L) {
    static const luaL_Reg functions[] = {{"store_get", l_get},       {"store_set", l_set},
                                         {"store_delete", l_delete}, {"store_swap", l_swap},
                                         {"store_clear", l_clear},   {"store_list", l_list},
                                         {"store_call", l_call},     {NULL, NULL}};
    state_set(L, functions);
}
