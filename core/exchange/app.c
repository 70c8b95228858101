/* app: what weir.app() returned, compiled.
 *
 * The Lua half (lua/weir/app.lua) walks the app value and fills a router userdata; this is that
 * userdata. Strings and patterns live in the C router, functions in the userdata's environment
 * table, so the collector sees them: handlers under their route's id, middleware under minus its
 * own, the app value under "app", the userdata itself under "router".
 *
 * A request that needs no function of the script (a file, 404, 405, 501, OPTIONS, no middleware on
 * its way) is answered without entering Lua. So is /weir.js, the page's side of event streams,
 * which each app has unless it has a route or a file there. */
#include "exchange/app.h"

#include "base/mem.h"
#include "http/bundled.h"
#include "proto/methods.h"
#include "http/proxies.h"
#include "exchange/exchange.h"
#include "vm/class.h"
#include "vm/files.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define META "weir.router"
#define USES_MAX 256 /* middlewares of one app; behind them are the functions of app:not_found */

/* --- answering --- */

/* What is left of the request's path for this app. */
static struct path path_below(const struct stream *stream, size_t skip) {
    return path_after(request_path(stream->request), skip);
}

static void match(struct app *app, struct stream *stream, size_t skip, struct buf *scratch,
                  struct route_match *out) {
    router_match(app->router, request_method(stream->request), path_below(stream, skip), scratch,
                 out);
}

/* Nobody here knows what it means (RFC 9110 section 9.1). */
static bool is_unknown_method(const struct stream *stream) {
    struct http_server *server = stream->server;
    struct str method = request_method(stream->request);
    return !method_is_known(method) && !(server->has_method && server->has_method(server, method));
}

static bool is_page_script(struct path below) {
    return path_is(below, STR("/weir.js"));
}

void app_serve_page_script(struct stream *stream) {
    bundled_serve(stream, "weir.js", "text/javascript; charset=utf-8");
}

static void on_looked(void *arg, int error) {
    struct stream *stream = arg;
    if (error < 0 && error != STREAM_ECLOSED)
        app_serve_page_script(stream);
    stream_unref(stream);
}

/* Of a folder: its own file of that name, or the one that every app has. */
static void look_for_page_script(struct app *app, struct stream *stream,
                                 const struct route_match *found) {
    const struct static_dir *dir = app->routes[found->id].dir;
    if (static_serve(stream, dir, found->rest, on_looked, stream_ref(stream)) == NULL)
        on_looked(stream, -ENOENT);
}

static void answer(struct app *app, struct stream *stream, size_t skip,
                   const struct route_match *found) {
    bool page_script = is_page_script(path_below(stream, skip));
    if (found->verdict != ROUTE_FOUND && is_unknown_method(stream)) {
        stream_fail(stream, 501, NULL);
        return;
    }
    switch (found->verdict) {
    case ROUTE_NONE:
        if (page_script)
            app_serve_page_script(stream);
        else
            stream_fail(stream, 404, NULL);
        break;
    case ROUTE_METHOD:
        stream_set_header(stream, STR("Allow"), found->allow);
        stream_fail(stream, 405, NULL);
        break;
    case ROUTE_OPTIONS:
        stream_set_header(stream, STR("Allow"), found->allow);
        stream_finish(stream);
        break;
    case ROUTE_FOUND: /* of a folder: "/prefix/" and all below it, or "/prefix" itself */
        if (app->routes[found->id].slash)
            static_redirect(stream);
        else if (page_script)
            look_for_page_script(app, stream, found);
        else
            static_serve(stream, app->routes[found->id].dir, found->rest, NULL, NULL);
    }
}

static bool is_handled(const struct app *app, const struct route_match *match) {
    if (match->verdict != ROUTE_FOUND)
        return false;
    const struct route *route = &app->routes[match->id];
    return route->dir == NULL && !route->slash;
}

static bool is_file(const struct app *app, const struct route_match *found) {
    return found->verdict == ROUTE_FOUND && app->routes[found->id].dir;
}

bool app_answer_plain(struct app *app, struct stream *stream, size_t skip, struct static_job **job,
                      void (*done)(void *arg, int error), void *arg) {
    struct route_match found;
    struct buf scratch = {0};
    bool there = true;
    match(app, stream, skip, &scratch, &found);
    if (is_page_script(path_below(stream, skip)))
        done = NULL; /* it is always there */
    if (done && is_file(app, &found))
        there = (*job = static_serve(stream, app->routes[found.id].dir, found.rest, done, arg));
    else if (is_handled(app, &found) ||
             (done && found.verdict == ROUTE_NONE && !is_unknown_method(stream)))
        there = false;
    else
        answer(app, stream, skip, &found);
    buf_fini(&scratch);
    return there;
}

/* The handler in place of one, when only middleware made Lua necessary. */
static int l_plain(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    if (exchange->stream->state == STREAM_OPEN)
        app_answer_plain(exchange->app, exchange->stream, exchange->skip, NULL, NULL, NULL);
    return 0;
}

static bool has_use(const struct app *app, struct path path) {
    size_t cursor = 0;
    int id;
    return router_use_next(app->router, path, &cursor, &id);
}

/* The function of app:not_found that is for a path; 0: none. */
static int find_missing(const struct app *app, struct path path) {
    size_t cursor = 0;
    int id, innermost = 0;
    while (app->missing && router_use_next(app->missing, path, &cursor, &id))
        innermost = id;
    return innermost;
}

void app_push_functions(struct app *app, lua_State *L, int functions, struct path path,
                        const struct route_match *match) {
    size_t cursor = 0;
    int id, missing;
    if (app->nuses > 0)
        lua_checkstack(L, app->nuses + LUA_MINSTACK);
    if (is_handled(app, match))
        lua_rawgeti(L, functions, match->id + 1);
    else if ((missing = find_missing(app, path)) > 0)
        lua_rawgeti(L, functions, -missing);
    else
        lua_pushcfunction(L, l_plain);
    while (router_use_next(app->router, path, &cursor, &id))
        lua_rawgeti(L, functions, -id);
}

/* An app is served by one server, and no longer than that. */
static struct asked_route *find_asked(struct stream *stream, struct route *route,
                                      const char *prefix) {
    struct buf pattern = {0};
    buf_printf(&pattern, "%s%s", prefix, strchr(route->name, ' ') + 1);
    route->asked = traffic_route(&stream->server->traffic, buf_str(&pattern));
    buf_fini(&pattern);
    return route->asked;
}

/* Counts the request as its route's. */
static void count(struct app *app, struct stream *stream, const char *prefix,
                  const struct route_match *found) {
    if (found->verdict != ROUTE_FOUND) {
        traffic_routed(&stream->asked, traffic_none(&stream->server->traffic),
                       traffic_method(request_method(stream->request)));
        return;
    }
    struct route *route = &app->routes[found->id];
    traffic_routed(&stream->asked, route->asked ? route->asked : find_asked(stream, route, prefix),
                   stream->head_only ? TRAFFIC_HEAD : route->method);
}

void app_serve(struct app *app, struct stream *stream, size_t skip, const char *prefix) {
    struct route_match found;
    struct buf scratch = {0};
    if (app->gen->trust.count > 0)
        proxies_see(&app->gen->trust, stream);
    match(app, stream, skip, &scratch, &found);
    count(app, stream, prefix, &found);
    struct path below = path_below(stream, skip);
    if (is_handled(app, &found) || has_use(app, below) || find_missing(app, below))
        exchange_start(app, stream, skip, prefix, &found);
    else
        answer(app, stream, skip, &found);
    buf_fini(&scratch);
}

void app_push(struct app *app, lua_State *L) {
    generation_push(app->gen, L, app->functions);
    lua_getfield(L, -1, "app");
    lua_replace(L, -2);
}

void app_list_routes(struct app *app, const char *prefix, struct buf *out) {
    for (size_t i = 0; i < router_count(app->router); i++) {
        struct str method, pattern;
        int id;
        router_route(app->router, i, &method, &pattern, &id);
        buf_printf(out, "%-7.*s %s%.*s\n", STR_ARG(method), prefix, STR_ARG(pattern));
    }
}

/* --- filling the router, from Lua --- */

struct app *app_check(lua_State *L, int index) {
    return luaL_checkudata(L, index, META);
}

static int l_router(lua_State *L) {
    struct app *app = class_new(L, META, sizeof *app);
    *app = (struct app){.router = router_new(), .gen = task_generation(L), .functions = LUA_NOREF};
    lua_newtable(L);
    lua_setfenv(L, -2);
    return 1;
}

static int l_gc(lua_State *L) {
    struct app *app = lua_touserdata(L, 1);
    for (int i = 0; i < app->nroutes; i++) {
        free(app->routes[i].name);
        free(app->routes[i].base);
        static_dir_free(app->routes[i].dir);
    }
    free(app->routes);
    router_free(app->router);
    router_free(app->missing);
    return 0;
}

static void check_added(lua_State *L, int rc, const char *what, struct str pattern) {
    if (rc < 0) {
        state_push_str(L, pattern);
        lua_pushfstring(L, "%s \"%s\": %s", what, lua_tostring(L, -1), router_error(rc));
        lua_error(L); /* the Lua half knows the script's line */
    }
}

static struct route *add_route(struct app *app, const char *method, struct str pattern,
                               const char *base) {
    struct buf name = {0};
    app->routes = mem_resize(app->routes, (size_t)(app->nroutes + 1) * sizeof *app->routes);
    struct route *route = &app->routes[app->nroutes++];
    buf_printf(&name, "%s %.*s", method, STR_ARG(pattern));
    buf_add_char(&name, '\0');
    *route = (struct route){
        .name = name.data, .base = mem_strdup(base), .method = traffic_method(str_of(method))};
    return route;
}

/* router:route(method, pattern, handler, base) */
static int l_route(lua_State *L) {
    struct app *app = app_check(L, 1);
    struct str method = state_check_str(L, 2), pattern = state_check_str(L, 3);
    luaL_checkany(L, 4);
    const char *base = luaL_optstring(L, 5, "");
    lua_pushfstring(L, "app:route %s", lua_tostring(L, 2));
    check_added(L, router_add(app->router, method, pattern, app->nroutes), lua_tostring(L, -1),
                pattern);
    add_route(app, method.ptr, pattern, base);
    lua_getfenv(L, 1);
    lua_pushvalue(L, 4);
    lua_rawseti(L, -2, app->nroutes);
    return 0;
}

/* router:use(prefix, fn) */
static int l_use(lua_State *L) {
    struct app *app = app_check(L, 1);
    struct str prefix = state_check_str(L, 2);
    luaL_checkany(L, 3);
    if (app->nuses == USES_MAX) {
        lua_pushfstring(L, "app:use: more than %d middlewares in one app", USES_MAX);
        return lua_error(L);
    }
    check_added(L, router_use(app->router, prefix, app->nuses + 1), "app:use", prefix);
    app->nuses++;
    lua_getfenv(L, 1);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, -app->nuses);
    return 0;
}

/* router:missing(prefix, fn): what answers below the prefix where neither a route nor a file is. */
static int l_missing(lua_State *L) {
    struct app *app = app_check(L, 1);
    struct str prefix = state_check_str(L, 2);
    luaL_checkany(L, 3);
    lua_getfenv(L, 1);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, -(USES_MAX + app->nmissing + 1));
    if (app->missing == NULL)
        app->missing = router_new();
    check_added(L, router_use(app->missing, prefix, USES_MAX + app->nmissing + 1), "app:not_found",
                prefix);
    app->nmissing++;
    return 0;
}

static struct static_options check_static_options(lua_State *L, int index) {
    struct static_options options = {.max_age = -1};
    if (!lua_istable(L, index))
        return options;
    lua_getfield(L, index, "max_age");
    if (!lua_isnil(L, -1))
        options.max_age = (int64_t)lua_tonumber(L, -1);
    lua_getfield(L, index, "hidden");
    options.hidden = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return options;
}

/* The folder at 3 and behind; raises if there is none. */
static struct static_dir *open_folder(lua_State *L, struct app *app) {
    const char *given = luaL_checkstring(L, 3);
    struct static_options options = check_static_options(L, 4);
    struct stat st;
    char *folder = generation_path(app->gen, given);
    bool there = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    struct static_dir *dir = there ? static_dir_new(folder, &options) : NULL;
    files_tell(app->gen, folder);
    size_t mark = state_lend(state_of(L));
    lua_pushfstring(L, "app:static \"%s\": there is no folder %s", lua_tostring(L, 2), folder);
    state_take_back(state_of(L), mark);
    free(folder);
    if (!there)
        lua_error(L);
    lua_pop(L, 1);
    return dir;
}

/* router:static(prefix, folder, options, base): two routes, for the folder and for what is below
 * it. */
static int l_static(lua_State *L) {
    struct app *app = app_check(L, 1);
    struct str prefix = state_check_str(L, 2);
    const char *base = luaL_optstring(L, 5, "");

    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    state_push_str(L, prefix);
    lua_pushliteral(L, "/*path");
    lua_concat(L, 2);
    struct str below = state_check_str(L, -1);
    struct static_dir *dir = open_folder(L, app);
    int rc = router_add(app->router, STR("GET"), below, app->nroutes);
    if (rc < 0)
        static_dir_free(dir);
    check_added(L, rc, "app:static", prefix);
    add_route(app, "GET", prefix, base)->dir = dir;
    if (prefix.len > 0 && router_add(app->router, STR("GET"), prefix, app->nroutes) == 0)
        add_route(app, "GET", prefix, base)->slash = true;
    return 0;
}

/* router:list() -> {{method, pattern}, ...} */
static int l_list(lua_State *L) {
    struct app *app = app_check(L, 1);
    lua_newtable(L);
    for (size_t i = 0; i < router_count(app->router); i++) {
        struct str method, pattern;
        int id;
        router_route(app->router, i, &method, &pattern, &id);
        lua_createtable(L, 2, 0);
        state_push_str(L, method);
        lua_rawseti(L, -2, 1);
        state_push_str(L, pattern);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

struct app *app_compile(struct generation *gen, lua_State *L) {
    state_require(L, "weir.app");
    lua_getfield(L, -1, "compile");
    lua_replace(L, -2);
    lua_pushvalue(L, -2); /* stack: app, compile, app */
    if (lua_pcall(L, 1, 1, 0) != 0) {
        lua_replace(L, -2);
        return NULL;
    }
    return app_keep(gen, L);
}

struct app *app_keep(struct generation *gen, lua_State *L) {
    struct app *app = app_check(L, -1);
    lua_getfenv(L, -1); /* stack: app, router, functions */
    lua_insert(L, -3);
    lua_setfield(L, -3, "router");
    lua_setfield(L, -2, "app");
    app->functions = generation_ref(gen, L);
    return app;
}

void bind_app(lua_State *L) {
    static const luaL_Reg functions[] = {{"router", l_router}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"route", l_route},   {"use", l_use},
                                       {"static", l_static}, {"missing", l_missing},
                                       {"list", l_list},     {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, methods, l_gc);
    lua_pop(L, 1);
}
