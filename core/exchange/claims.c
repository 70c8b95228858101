/* claims: what a token says of a stream, between Lua and http/grant.
 *
 * `stream.claims` is an ordinary field of the stream, so a table is made once for a request.
 * Setting it is what counts, whoever does it, weir.jwt or a middleware of the app: `sub` is then in
 * whose name the stream is open, and `exp` when it ends. Renewing goes the other way, from another
 * stream's task and maybe another worker: the table is made again, if anybody can still see it. */
#include "exchange/exchange.h"

#include "http/grant.h"
#include "bind/bind.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <string.h>

/* Pushes the field of the table at 3: whether it has that type. stack: +1 */
static bool has(lua_State *L, const char *field, int type) {
    lua_getfield(L, 3, field);
    return lua_type(L, -1) == type;
}

/* Raises what weir.fail(429) does: whoever the token names has enough streams. */
static int refuse(lua_State *L, struct stream *stream) {
    stream_set_lasting(stream, STR("Retry-After"), STR("5"));
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, 429);
    lua_setfield(L, -2, "status");
    lua_pushliteral(L, "too many streams of this subject");
    lua_setfield(L, -2, "body");
    luaL_getmetatable(L, "weir.failure");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

/* Of the table at 3; without bytes: nobody's. stack: +1 */
static struct str check_subject(lua_State *L) {
    if (!has(L, "sub", LUA_TSTRING)) {
        if (!lua_isnil(L, -1))
            state_error(L, "stream.claims: sub is a %s; it must be a string, or not be there",
                        luaL_typename(L, -1));
        return (struct str){NULL, 0};
    }
    struct str subject = state_check_str(L, -1);
    if (memchr(subject.ptr, '\0', subject.len)) /* it is a name wherever it is looked up */
        state_error(L, "stream.claims: sub holds NUL; take what comes before it, or refuse it");
    return subject;
}

/* Of the table at 3. What cannot be read must not mean that the stream never ends. stack: +1 */
static int64_t check_end(lua_State *L) {
    if (has(L, "exp", LUA_TNUMBER) && lua_tonumber(L, -1) == lua_tonumber(L, -1))
        return grant_end_of(lua_tonumber(L, -1));
    if (!lua_isnil(L, -1))
        state_error(L, "stream.claims: exp is %s; it must be a number of seconds, or not be there",
                    lua_type(L, -1) == LUA_TNUMBER
                        ? "NaN"
                        : lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
    return GRANT_FOREVER;
}

void claims_take(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    struct str subject = {NULL, 0};
    int64_t end = GRANT_FOREVER;
    if (exchange == NULL)
        return;
    if (lua_istable(L, 3)) {
        subject = check_subject(L);
        end = check_end(L);
    } else if (!lua_isnil(L, 3)) {
        state_error(L, "stream.claims: expected a table of claims or nil, got a %s",
                    luaL_typename(L, 3));
    }
    if (grant_set(exchange->stream, subject, end) < 0)
        refuse(L, exchange->stream);
    lua_settop(L, 3);
}

/* stream:_expire(seconds): the end is not the one that its claims name. */
static int l_expire(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange)
        grant_renew(exchange->stream, grant_end_of(luaL_checknumber(L, 2)));
    return 0;
}

/* A name that the new claims leave open is kept: whose a stream is does not change. */
static void keep_subject(lua_State *L, const struct stream *stream) {
    const char *subject = grant_subject(stream);
    lua_getfield(L, -1, "sub");
    if (lua_isnil(L, -1) && subject) {
        lua_pushstring(L, subject);
        lua_setfield(L, -3, "sub");
    }
    lua_pop(L, 1);
}

void claims_renew(struct stream *stream, struct json_t *claims, int64_t end) {
    struct exchange *exchange = exchange_of(stream);
    grant_renew(stream, end);
    if (exchange == NULL || exchange->self == LUA_NOREF)
        return;
    lua_State *L = exchange->app->gen->state.L;
    int top = lua_gettop(L);
    luaL_checkstack(L, BIND_OBJECT_STACK + 2, "claims");
    exchange_push(exchange, L);
    exchange_push_fields(L, top + 1);
    bind_push_object(L, claims);
    keep_subject(L, stream);
    lua_setfield(L, -2, "claims");
    lua_settop(L, top);
}

void bind_claims(lua_State *L) {
    static const luaL_Reg methods[] = {{"_expire", l_expire}, {NULL, NULL}};
    lua_getfield(L, -1, "stream_methods");
    state_set(L, methods);
    lua_pop(L, 1);
}
