/* shared: the dictionaries of store/shared for Lua.
 *
 *     core.shared --> userdata, keeps its dictionary open --collected--> closed
 *
 * The checks of arguments, and so the messages about them, are the Lua half's
 * (lua/weir/shared.lua); here they are only what keeps C safe. Nothing waits.
 *
 * A string is copied into Lua after the dictionaries' lock was given back: Lua may collect garbage
 * meanwhile, and so close a dictionary. */
#include "bind/bind.h"

#include "store/shared.h"
#include "vm/class.h"
#include "vm/state.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>

#define META "weir.shared"

struct handle {
    struct shared *shared;
};

static struct handle *check_handle(lua_State *L) {
    return luaL_checkudata(L, 1, META);
}

static struct str check_key(lua_State *L) {
    struct str key = state_check_str(L, 2);
    luaL_argcheck(L, key.len >= 1 && key.len <= SHARED_KEY_MOST, 2, "a key of 1 to 1024 bytes");
    return key;
}

static void check_value(lua_State *L, int index, struct shared_value *out) {
    *out = (struct shared_value){0};
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        out->kind = SHARED_BOOLEAN;
        out->boolean = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        out->kind = SHARED_NUMBER;
        out->number = lua_tonumber(L, index);
        break;
    default:
        out->kind = SHARED_STRING;
        out->string = state_check_str(L, index);
        luaL_argcheck(L, out->string.len <= SHARED_STRING_MOST, index, "at most 1 MiB");
    }
}

/* Seconds, rounded up to a nanosecond; from 250 years on, as without any, for ever. */
static uint64_t ttl_of(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return SHARED_FOREVER;
    double ns = ceil(luaL_checknumber(L, index) * 1e9);
    if (!(ns > 0)) /* NaN too */
        return 0;
    return ns < 8e18 ? (uint64_t)ns : SHARED_FOREVER;
}

/* (name) */
static int l_shared(lua_State *L) {
    struct str name = state_check_str(L, 1);
    struct handle *handle = class_new(L, META, sizeof *handle);
    handle->shared = shared_open(name);
    return 1;
}

static int l_get(lua_State *L) {
    struct handle *handle = check_handle(L);
    struct shared_value value = {0};

    shared_get(handle->shared, check_key(L), &value);
    size_t mark = state_lend(state_of(L));
    switch (value.kind) {
    case SHARED_NOTHING:
        lua_pushnil(L);
        break;
    case SHARED_BOOLEAN:
        lua_pushboolean(L, value.boolean);
        break;
    case SHARED_NUMBER:
        lua_pushnumber(L, value.number);
        break;
    case SHARED_STRING:
        state_push_str(L, value.string);
        break;
    }
    state_take_back(state_of(L), mark);
    shared_value_fini(&value);
    return 1;
}

static int push_stored(lua_State *L, int rc) {
    if (rc < 0)
        return state_push_failure(L, rc == -EEXIST ? "exists" : "limit");
    lua_pushboolean(L, true);
    return 1;
}

static int l_set(lua_State *L) {
    struct handle *handle = check_handle(L);
    struct str key = check_key(L);
    struct shared_value value;
    check_value(L, 3, &value);
    return push_stored(L, shared_set(handle->shared, key, &value, ttl_of(L, 4)));
}

/* The last argument: how many entries the dictionary may have; none: any number. */
static int l_add(lua_State *L) {
    struct handle *handle = check_handle(L);
    struct str key = check_key(L);
    struct shared_value value;
    check_value(L, 3, &value);
    size_t most = lua_isnoneornil(L, 5) ? SHARED_ANY : (size_t)luaL_checknumber(L, 5);
    return push_stored(L, shared_add(handle->shared, key, &value, ttl_of(L, 4), most));
}

static int l_incr(lua_State *L) {
    struct handle *handle = check_handle(L);
    struct str key = check_key(L);
    double sum;
    int rc = shared_incr(handle->shared, key, luaL_checknumber(L, 3), ttl_of(L, 4), &sum);
    if (rc < 0)
        return state_push_failure(L, rc == -EINVAL ? "kind" : "limit");
    lua_pushnumber(L, sum);
    return 1;
}

static int l_delete(lua_State *L) {
    struct handle *handle = check_handle(L);
    lua_pushboolean(L, shared_delete(handle->shared, check_key(L)));
    return 1;
}

static int l_gc(lua_State *L) {
    struct handle *handle = lua_touserdata(L, 1);
    shared_close(handle->shared);
    return 0;
}

void bind_shared(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"shared", l_shared},  {"shared_get", l_get},   {"shared_set", l_set},
        {"shared_add", l_add}, {"shared_incr", l_incr}, {"shared_delete", l_delete},
        {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    class_share_methods(L, "shared_methods");
    lua_pop(L, 1);
}
