/* clients: rates and trusted proxies for Lua: what weir.limit and weir.trust_proxies are made
 * of.
 *
 * A limiter is named by its app's folder and its number among those that the app has made, which is
 * the same in every worker, since each runs the same file; so all of them take from the same
 * buckets, and so does the next generation. */
#include "bind/bind.h"

#include "http/proxies.h"
#include "count/rates.h"
#include "exchange/exchange.h"

#include <lauxlib.h>

/* stream, limiter, per second, burst, key (nil: the client's address) -> nil, or after how many
 * seconds it may come again */
static int l_rate(lua_State *L) {
    struct stream *stream = exchange_check(L, 1)->stream;
    struct str limiter = state_check_str(L, 2);
    struct rate rate = {luaL_checknumber(L, 3), luaL_checknumber(L, 4)};
    char bytes[ADDRESS_KEY];
    struct str key = lua_isnoneornil(L, 5) ? address_key(stream_client(stream), 'c', bytes)
                                           : state_check_str(L, 5);
    uint64_t after = http_server_rate(stream->server, limiter, key, &rate);
    if (after == 0)
        return 0;
    lua_pushnumber(L, (lua_Number)after / 1000);
    return 1;
}

/* { "10.0.0.0/8", ... }, whether Forwarded is read -> nil, or the one that is no range */
static int l_trust_proxies(lua_State *L) {
    struct generation *gen = task_generation(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!gen->loading)
        return state_error(L, "weir.trust_proxies: it is said while the app file loads; move the "
                              "call to its top");
    size_t n = lua_objlen(L, 1);
    struct cidr *ranges = lua_newuserdata(L, (n + 1) * sizeof *ranges);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        if (cidr_parse(state_check_str(L, -1), &ranges[i]) < 0)
            return 1;
        lua_pop(L, 1);
    }
    generation_set_trust(gen, ranges, n, lua_toboolean(L, 2));
    return 0;
}

void bind_clients(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"rate", l_rate}, {"trust_proxies", l_trust_proxies}, {NULL, NULL}};
    state_set(L, functions);
}
