/* process: what concerns the whole process, for Lua: limits, log, where the app lies.
 *
 * Limits are set while the app file loads and only kept in its generation; the host decides which
 * of several apps' values hold. */
#include "bind/bind.h"

#include "base/log.h"
#include "base/version.h"
#include "proto/header.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

/* --- limits --- */

static int l_limits(lua_State *L) {
    struct generation *gen = task_generation(L);
    lua_newtable(L);
    for (const struct limit_row *row = limit_rows; row->name; row++) {
        lua_Number value = (lua_Number)limits_get(&gen->limits, row);
        if (value < (lua_Number)row->least) /* none is set */
            continue;
        lua_pushnumber(L, row->kind == LIMIT_SECONDS ? value / 1000 : value);
        lua_setfield(L, -2, row->name);
    }
    return 1;
}

/* One of them alone, for who asks with each request. */
static int l_body_bytes(lua_State *L) {
    lua_pushnumber(L, (lua_Number)task_generation(L)->limits.body_bytes);
    return 1;
}

/* A body was longer than it may be. */
static int l_count_too_long(lua_State *L) {
    (void)L;
    limits_reached(REACHED_BODY_BYTES);
    return 0;
}

/* A list, in the table's order. */
static int l_limit_names(lua_State *L) {
    lua_newtable(L);
    for (int i = 0; limit_rows[i].name; i++) {
        lua_pushstring(L, limit_rows[i].name);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static uint64_t limit_value(lua_State *L, const struct limit_row *row) {
    uint64_t value = 0;
    lua_Number number = lua_tonumber(L, -1);
    if (row->kind == LIMIT_BYTES && lua_type(L, -1) == LUA_TSTRING) {
        if (str_to_size(state_check_str(L, -1), &value) == 0)
            return value;
    } else if (lua_type(L, -1) == LUA_TNUMBER && number >= 0 && number < 1e15) {
        if (row->kind == LIMIT_SECONDS)
            return (uint64_t)ceil(number * 1000);
        if (number == floor(number))
            return (uint64_t)number;
    }
    static const char *const expected[] = {"a whole number", "a size, as a number or like \"64KB\"",
                                           "seconds, as a number"};
    state_error(L, "weir.limits: %s: expected %s, got %s", row->name, expected[row->kind],
                lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
    return 0;
}

/* "256 and 65536", in the limit's unit. */
static const char *limit_range(lua_State *L, const struct limit_row *row) {
    lua_Number unit = row->kind == LIMIT_SECONDS ? 1000 : 1;
    lua_pushfstring(L, "%f and %f", (lua_Number)row->least / unit, (lua_Number)row->most / unit);
    return lua_tostring(L, -1);
}

static int l_set_limits(lua_State *L) {
    struct generation *gen = task_generation(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!gen->loading)
        return state_error(
            L, "weir.limits: limits are set while the app file loads; move the call to its top");
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const struct limit_row *row = limits_find(str_of(name));
        if (row == NULL)
            continue; /* the Lua half has told of it */
        if (limits_set(&gen->limits, row, limit_value(L, row)) < 0)
            return state_error(L, "weir.limits: %s must lie between %s", name, limit_range(L, row));
        gen->limits_set |= 1ull << (row - limit_rows);
    }
    generation_apply_limits(gen); /* to the rest of the app file, too */
    if (gen->limits.low_mark >= gen->limits.high_mark)
        return state_error(
            L, "weir.limits: low_mark must be below high_mark, or writers would never wait");
    if (gen->limits.connection_burst > 0 && gen->limits.connection_rate == 0)
        return state_error(L, "weir.limits: connection_burst says nothing without connection_rate");
    return 0;
}

/* --- the rest --- */

/* Empty for what is no text. */
static struct str text_at(lua_State *L, int index) {
    size_t n = 0;
    const char *text = lua_tolstring(L, index, &n);
    return (struct str){text, n};
}

/* The value on top, as JSON. */
static void add_field_value(lua_State *L, struct buf *out) {
    int type = lua_type(L, -1);
    if (type == LUA_TBOOLEAN)
        buf_add(out, lua_toboolean(L, -1) ? STR("true") : STR("false"));
    else if (type == LUA_TNUMBER && isfinite(lua_tonumber(L, -1)))
        buf_printf(out, "%.14g", lua_tonumber(L, -1));
    else
        log_quote(out, text_at(L, -1));
}

/* {name, value, ...}, of which names are strings, at 3: as an object. */
static void add_fields(lua_State *L, struct buf *out) {
    int n = (int)lua_objlen(L, 3);
    for (int i = 1; i < n; i += 2) {
        buf_add_char(out, i == 1 ? '{' : ',');
        lua_rawgeti(L, 3, i);
        log_quote(out, text_at(L, -1));
        buf_add_char(out, ':');
        lua_rawgeti(L, 3, i + 1);
        add_field_value(L, out);
        lua_pop(L, 2);
    }
    if (n > 0)
        buf_add_char(out, '}');
}

/* level, message [, fields as a list of names and values, where lines are JSON] */
static int l_log(lua_State *L) {
    enum log_level level;
    if (log_level_of(state_check_str(L, 1), &level) < 0)
        return state_error(L, "weir.log: no level \"%s\"", lua_tostring(L, 1));
    struct str text = state_check_str(L, 2);
    if (!lua_isnoneornil(L, 3))
        luaL_checktype(L, 3, LUA_TTABLE);
    if (!log_enabled(level))
        return 0;
    struct buf fields = {0};
    size_t mark = state_lend(state_of(L));
    if (lua_istable(L, 3))
        add_fields(L, &fields);
    log_fields(level, text, buf_str(&fields));
    state_take_back(state_of(L), mark);
    buf_fini(&fields);
    return 0;
}

/* Whether a line of that level is told, and whether as JSON. */
static int l_log_form(lua_State *L) {
    enum log_level level;
    if (log_level_of(state_check_str(L, 1), &level) < 0)
        return state_error(L, "weir.log: no level \"%s\"", lua_tostring(L, 1));
    lua_pushboolean(L, log_enabled(level));
    lua_pushboolean(L, log_is_json());
    return 2;
}

/* Whether one more refused token is to be told: whoever likes sends them. */
static int l_tells_refused(lua_State *L) {
    static struct log_kind refused = LOG_KIND("refused tokens");
    lua_pushboolean(L, log_admits(&refused, LOG_INFO));
    return 1;
}

/* The phrase of a status, as the head of an answer has it. */
static int l_reason(lua_State *L) {
    lua_pushstring(L, http_reason((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* Whether somebody collects mistakes: then the script goes on. */
static int l_mistake(lua_State *L) {
    struct str text = state_check_str(L, 1);
    if (state_on_mistake)
        state_on_mistake(text);
    lua_pushboolean(L, state_on_mistake != NULL);
    return 1;
}

static int l_watching(lua_State *L) {
    lua_pushboolean(L, state_mode.watching);
    return 1;
}

static int l_app_folder(lua_State *L) {
    lua_pushstring(L, task_generation(L)->folder);
    return 1;
}

void bind_process(lua_State *L) {
    static const luaL_Reg functions[] = {{"limits", l_limits},
                                         {"body_bytes", l_body_bytes},
                                         {"count_too_long", l_count_too_long},
                                         {"limit_names", l_limit_names},
                                         {"set_limits", l_set_limits},
                                         {"log", l_log},
                                         {"log_form", l_log_form},
                                         {"tells_refused", l_tells_refused},
                                         {"reason", l_reason},
                                         {"app_folder", l_app_folder},
                                         {"mistake", l_mistake},
                                         {"watching", l_watching},
                                         {NULL, NULL}};
    state_set(L, functions);
    lua_pushstring(L, weir_version);
    lua_setfield(L, -2, "version");
}
