/* stream: the request half of a stream for Lua: its properties and its life.
 *
 * The metatable's __index looks for a method, then for a property, then for what the script itself
 * has put there. Properties are made when they are asked for. Those that are tables are remembered
 * in a table with weak values: the same one while somebody holds it, and no memory of a stream that
 * sleeps. */
#include "exchange/exchange.h"

#include "base/mem.h"
#include "http/proxies.h"
#include "http/sse.h"
#include "proto/cookie.h"
#include "proto/url.h"
#include "vm/class.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* --- properties --- */

typedef void (*property)(lua_State *L, struct exchange *exchange);

static void push_method(lua_State *L, struct exchange *exchange) {
    state_push_str(L, request_method(exchange->stream->request));
}

static void push_path(lua_State *L, struct exchange *exchange) {
    struct buf text = {0};
    path_text(request_path(exchange->stream->request), &text);
    state_push_str(L, buf_str(&text));
    buf_fini(&text);
}

static void push_target(lua_State *L, struct exchange *exchange) {
    state_push_str(L, request_target(exchange->stream->request));
}

static void push_base(lua_State *L, struct exchange *exchange) {
    lua_pushfstring(L, "%s%s", exchange->prefix, exchange->base);
}

static void push_query_string(lua_State *L, struct exchange *exchange) {
    state_push_str(L, request_query(exchange->stream->request));
}

static void push_scheme(lua_State *L, struct exchange *exchange) {
    lua_pushstring(L, exchange->stream->secure ? "https" : "http");
}

static void push_host(lua_State *L, struct exchange *exchange) {
    struct buf scratch = {0};
    state_push_str(L, proxies_host(&exchange->app->gen->trust, exchange->stream, &scratch));
    buf_fini(&scratch);
}

static void push_version(lua_State *L, struct exchange *exchange) {
    lua_pushfstring(L, "1.%d", exchange->stream->request->minor);
}

static void push_address(lua_State *L, const struct address *address) {
    char text[ADDRESS_TEXT];
    address_format(address, text);
    lua_pushstring(L, text);
}

static void push_remote_addr(lua_State *L, struct exchange *exchange) {
    push_address(L, stream_client(exchange->stream));
}

static void push_peer_addr(lua_State *L, struct exchange *exchange) {
    push_address(L, &exchange->stream->peer);
}

static void push_id(lua_State *L, struct exchange *exchange) {
    lua_pushnumber(L, (lua_Number)exchange->stream->id);
}

static void push_request_id(lua_State *L, struct exchange *exchange) {
    char made[IDENTITY_MADE];
    state_push_str(L, stream_request_id(exchange->stream, made));
}

static void push_traceparent(lua_State *L, struct exchange *exchange) {
    struct str came = identity_traceparent(exchange->stream->request);
    if (came.ptr)
        state_push_str(L, came);
    else
        lua_pushnil(L);
}

static void push_content_length(lua_State *L, struct exchange *exchange) {
    if (exchange->stream->request->content_length < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)exchange->stream->request->content_length);
}

static void push_received(lua_State *L, struct exchange *exchange) {
    lua_pushnumber(L, (lua_Number)exchange->stream->received);
}

static void push_closed(lua_State *L, struct exchange *exchange) {
    lua_pushboolean(L, exchange->stream->state == STREAM_CLOSED);
}

static void push_params(lua_State *L, struct exchange *exchange) {
    (void)exchange; /* those that there are were kept when the route was found */
    lua_newtable(L);
}

/* The first value of a name wins. stack: table on top, 0 */
static void set_first(lua_State *L, struct str name, struct str value) {
    state_push_str(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    bool taken = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (taken) {
        lua_pop(L, 1);
        return;
    }
    state_push_str(L, value);
    lua_rawset(L, -3);
}

/* The next pair of a query, decoded into `text`. */
static bool next_pair(struct str *rest, struct buf *text, struct str *name, struct str *value) {
    struct str raw_name, raw_value;
    if (!url_query_next(rest, &raw_name, &raw_value))
        return false;
    text->len = 0;
    url_decode_lenient(raw_name, true, text);
    size_t name_len = text->len;
    url_decode_lenient(raw_value, true, text);
    *name = (struct str){text->data, name_len};
    *value = (struct str){text->data + name_len, text->len - name_len};
    return true;
}

static void push_query(lua_State *L, struct exchange *exchange) {
    struct str rest = request_query(exchange->stream->request), name, value;
    struct buf text = {0};
    lua_newtable(L);
    while (next_pair(&rest, &text, &name, &value))
        set_first(L, name, value);
    buf_fini(&text);
}

void bind_add_field(lua_State *L, struct str name, struct str value) {
    state_push_str(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        state_push_str(L, value);
    } else {
        lua_pushliteral(L, ", ");
        state_push_str(L, value);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

static void push_headers(lua_State *L, struct exchange *exchange) {
    const struct request *request = exchange->stream->request;
    lua_createtable(L, 0, (int)request->nfields);
    for (size_t i = 0; i < request->nfields; i++)
        bind_add_field(L, request_field_name(request, i), request_field_value(request, i));
}

static void push_cookies(lua_State *L, struct exchange *exchange) {
    const struct request *request = exchange->stream->request;
    lua_newtable(L);
    for (size_t i = 0; i < request->nfields; i++) {
        if (!str_eq(request_field_name(request, i), STR("cookie")))
            continue;
        struct str rest = request_field_value(request, i), name, value;
        while (cookie_next(&rest, &name, &value))
            set_first(L, name, value);
    }
}

static const struct {
    const char *name;
    property push;
    bool table; /* remembered */
} properties[] = {
    {"method", push_method, false},
    {"path", push_path, false},
    {"target", push_target, false},
    {"base", push_base, false},
    {"query_string", push_query_string, false},
    {"scheme", push_scheme, false},
    {"host", push_host, false},
    {"version", push_version, false},
    {"params", push_params, true},
    {"query", push_query, true},
    {"headers", push_headers, true},
    {"cookies", push_cookies, true},
    {"remote_addr", push_remote_addr, false},
    {"peer_addr", push_peer_addr, false},
    {"id", push_id, false},
    {"request_id", push_request_id, false},
    {"traceparent", push_traceparent, false},
    {"content_length", push_content_length, false},
    {"received", push_received, false},
    {"closed", push_closed, false},
};

#define PROPERTIES (sizeof properties / sizeof *properties)

/* stack: +1. The index into `properties` of the key at 2, from the upvalue that maps names, or nil.
 */
static void push_property_index(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
}

/* stack: +1. Nothing is refused meanwhile: some hold memory of C's. */
static void push_property(lua_State *L, struct exchange *exchange, int i) {
    struct state *state = &exchange->app->gen->state;
    size_t mark = state_lend(state);
    properties[i].push(L, exchange);
    state_take_back(state, mark);
}

/* The property's table: that of the route's params belongs to the stream, others to whoever holds
 * them. */
static int push_table(lua_State *L, struct exchange *exchange, int i) {
    if (properties[i].push == push_params) {
        exchange_push_fields(L, 1);
        lua_pushvalue(L, 2);
        lua_rawget(L, -2);
        if (!lua_isnil(L, -1))
            return 1;
    }
    lua_Number key = (lua_Number)(exchange->stream->id * PROPERTIES + (uint64_t)i);
    lua_pushnumber(L, key);
    lua_rawget(L, lua_upvalueindex(3));
    if (!lua_isnil(L, -1))
        return 1;
    push_property(L, exchange, i);
    lua_pushnumber(L, key);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(3));
    return 1;
}

static int l_index(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        return 1;
    push_property_index(L);
    if (lua_isnil(L, -1)) { /* the script's own */
        exchange_push_fields(L, 1);
        lua_pushvalue(L, 2);
        lua_rawget(L, -2);
        return 1;
    }
    int i = (int)lua_tointeger(L, -1);
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange == NULL && strcmp(properties[i].name, "closed") == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    exchange = exchange_check(L, 1);
    if (properties[i].table)
        return push_table(L, exchange, i);
    push_property(L, exchange, i);
    return 1;
}

static int l_newindex(lua_State *L) {
    exchange_get(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "claims") == 0)
        claims_take(L);
    push_property_index(L);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1) || !lua_isnil(L, -2))
        return state_error(L,
                           "stream.%s belongs to the stream and cannot be set; choose another name",
                           lua_tostring(L, 2));
    exchange_push_fields(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_rawset(L, -3);
    return 0;
}

/* Of one that was let go: nobody has its userdata any more, or the state closes. */
static int l_left_gc(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange)
        exchange_forget(exchange);
    return 0;
}

static int l_tostring(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange == NULL)
        lua_pushliteral(L, "weir.stream (over)");
    else
        lua_pushfstring(L, "weir.stream (%d)", (int)exchange->stream->id);
    return 1;
}

static int l_query_all(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    size_t len;
    const char *wanted = luaL_checklstring(L, 2, &len);
    struct str rest = request_query(exchange->stream->request), name, value;
    struct buf text = {0};
    int n = 0;

    size_t mark = state_lend(state_of(L));
    lua_newtable(L);
    while (next_pair(&rest, &text, &name, &value)) {
        if (!str_eq(name, (struct str){wanted, len}))
            continue;
        state_push_str(L, value);
        lua_rawseti(L, -2, ++n);
    }
    state_take_back(state_of(L), mark);
    buf_fini(&text);
    return 1;
}

/* --- life --- */

static int l_on_close(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct generation *gen = exchange->app->gen;
    if (exchange->stream->state == STREAM_CLOSED)
        return state_error(L, "stream:on_close: the stream has closed already (see stream.closed)");
    if (exchange->closers == LUA_NOREF) {
        lua_newtable(L);
        exchange->closers = generation_ref(gen, L);
    }
    generation_push(gen, L, exchange->closers);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    return 0;
}

static int l_detach(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    if (exchange)
        exchange->detached = true;
    return 0;
}

static int l_last_event_id(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct buf scratch = {0};
    struct str id = sse_last_event_id(exchange->stream, &scratch);
    size_t mark = state_lend(state_of(L));
    if (id.ptr)
        state_push_str(L, id);
    else
        lua_pushnil(L);
    state_take_back(state_of(L), mark);
    buf_fini(&scratch);
    return 1;
}

/* stack: core, metatable, methods; 0 */
static void set_access(lua_State *L) {
    static const struct {
        const char *name;
        lua_CFunction function;
    } functions[] = {{"__index", l_index}, {"__newindex", l_newindex}};
    lua_newtable(L);
    for (size_t i = 0; i < PROPERTIES; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_setfield(L, -2, properties[i].name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -5, "stream_properties"); /* for who looks for names */
    lua_newtable(L);                          /* the remembered tables */
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    for (int i = 0; i < 2; i++) { /* upvalues: methods, property names, remembered tables */
        for (int upvalue = 0; upvalue < 3; upvalue++)
            lua_pushvalue(L, -3);
        lua_pushcclosure(L, functions[i].function, 3);
        lua_setfield(L, -5, functions[i].name);
    }
    lua_pop(L, 2);
}

/* A stream that is open keeps its userdata, and one that is over has no need of being told: so
 * what nearly all requests leave to the collector has no __gc, which would cost as much as routing
 * them. Only those that were let go have. Of those that are open when the state closes the
 * generation has a list. stack: core, metatable; 0 */
static void make_left_meta(lua_State *L) {
    class_define(L, EXCHANGE_LEFT_META, NULL, l_left_gc);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

void bind_stream(lua_State *L) {
    static const luaL_Reg methods[] = {{"query_all", l_query_all},
                                       {"on_close", l_on_close},
                                       {"detach", l_detach},
                                       {"_last_event_id", l_last_event_id},
                                       {NULL, NULL}};
    class_define(L, EXCHANGE_META, methods, NULL);
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    class_share_methods(L, "stream_methods");
    lua_getfield(L, -1, "__index");
    set_access(L);
    lua_pop(L, 1);
    make_left_meta(L);
    lua_pop(L, 1);
}
