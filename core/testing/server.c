/* server: apps under test for weir.test: served from this loop, or asked without a socket.
 *
 *     listen --its on_start functions return--> serving --close--> closing --> closed
 *        \--they fail, or the task is cancelled--------------------^
 *     simulate --> asking --the exchange is over, or the task is cancelled--> done
 *
 * Either is a userdata around a host (host.h), kept by a reference while it goes on. A host serves
 * an app of this very state, which is kept until the host is closed, or loads one from a path into
 * a state of its own. */
#include "testing/testing.h"

#include "vm/class.h"
#include "proto/field_lines.h"
#include "wire/simulated.h"
#include "exchange/exchange.h"
#include "serve/host.h"

#include <lauxlib.h>

#include <stdlib.h>
#include <string.h>

#define SERVER_META "weir.test.server"
#define SIMULATION_META "weir.test.simulation"

/* --- an app of this state --- */

/* A host for the router and the app at 1 and 2, which are kept. */
static struct host *new_host(lua_State *L, struct app **app) {
    struct generation *gen = task_generation(L);
    app_check(L, 1);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    *app = app_keep(gen, L);
    struct host *host = host_new(gen->scheduler->loop, gen->scheduler, &gen->limits);
    host_add(host, "", *app);
    return host;
}

/* Once its host is closed, for then its last stream is out of Lua's hands. */
static void release_app(void *arg) {
    struct app *app = arg;
    generation_unref(app->gen, app->functions);
    app->functions = LUA_NOREF;
}

/* --- servers --- */

struct server {
    struct host *host; /* NULL once closed */
    struct generation *gen;
    struct app *app;      /* of this state; NULL: the host's own */
    struct task *starter; /* waits for the on_start functions */
    char *error;          /* of theirs */
    struct list closers;  /* tasks that wait for the end */
    struct timer later;   /* closes, when what goes on now has returned */
    int anchor;           /* of the userdata, while there is a host */
    uint16_t port;
    bool started, closing;
};

static struct server *check_server(lua_State *L) {
    return luaL_checkudata(L, 1, SERVER_META);
}

static void on_closed(void *arg) {
    struct server *server = arg;
    server->host = NULL;
    if (server->app)
        release_app(server->app);
    while (!list_empty(&server->closers))
        task_wake(CONTAINER_OF(server->closers.next, struct task, seat));
    generation_unref(server->gen, server->anchor);
}

static void close_now(struct server *server) {
    if (server->closing)
        return;
    server->closing = true;
    timer_clear(&server->later);
    host_close(server->host, on_closed, server);
}

static void on_later(struct timer *timer) {
    close_now(CONTAINER_OF(timer, struct server, later));
}

static void close_later(struct server *server) {
    struct loop *loop = server->gen->scheduler->loop;
    loop_timer(loop, &server->later, 0);
    loop->ready = true; /* the clock may be frozen */
}

/* The generations take over, and connections are accepted. Pushes the results. */
static int open_up(lua_State *L, struct server *server) {
    int fd = -1;
    if (server->error == NULL) {
        host_take_over(server->host);
        fd = listener_bind("127.0.0.1", &server->port, false);
        if (fd >= 0)
            fd = doors_listen(host_doors(server->host), fd);
    }
    if (fd < 0) {
        lua_pushstring(L, server->error ? server->error : uv_strerror(fd));
        close_later(server);
        return 1;
    }
    lua_pushnil(L);
    generation_push(server->gen, L, server->anchor);
    return 2;
}

static void stop_starting(struct task *task) {
    struct server *server = task->armed;
    server->starter = NULL;
    if (!server->started)
        close_later(server);
}

static const struct wait starting = {.what = "weir.test.start", .disarm = stop_starting};

static void on_started(struct host *host, char *error, void *arg) {
    struct server *server = arg;
    (void)host;
    server->error = error;
    server->started = true;
    if (server->starter == NULL)
        return;
    lua_State *co = task_wake(server->starter);
    lua_pop(co, 1); /* open_up pushes the error or nil itself */
    open_up(co, server);
}

/* stack: +1 */
static struct server *push_server(lua_State *L) {
    struct server *server = class_new(L, SERVER_META, sizeof *server);
    server->gen = task_generation(L);
    list_init(&server->closers);
    timer_init(&server->later, on_later);
    lua_pushvalue(L, -1);
    server->anchor = generation_ref(server->gen, L);
    return server;
}

/* The app file is not run by the task that loads it. */
static int load(struct server *server, const char *path, char **error) {
    struct scheduler *scheduler = server->gen->scheduler;
    struct task *current = scheduler->current;
    scheduler->current = NULL;
    int rc = host_load(server->host, path, error);
    scheduler->current = current;
    return rc;
}

static int open_path(lua_State *L, struct server *server, struct task *task, const char *path) {
    struct limits limits;
    limits_init(&limits);
    server->host = host_new(server->gen->scheduler->loop, server->gen->scheduler, &limits);
    int rc = load(server, path, &server->error);
    state_lend(state_of(L)); /* loading was a stretch of its own */
    if (rc < 0)
        return open_up(L, server);
    host_start(server->host, true, on_started, server);
    if (server->started)
        return open_up(L, server);
    server->starter = task;
    task->armed = server;
    return task_wait(task, &starting, WHEEL_NEVER);
}

/* (router, app) or (nil, nil, path, env) -> server; env: names to strings, or false for none */
static int l_listen(lua_State *L) {
    const char *path = lua_isnil(L, 1) ? luaL_checkstring(L, 3) : NULL;
    if (path == NULL)
        app_check(L, 1);
    lua_settop(L, 4);
    luaL_checkstack(L, 4, "env");
    struct task *task = task_enter(L, "weir.test.start");
    if (task == NULL)
        return task_refuse(L);
    size_t mark = state_lend(state_of(L)); /* a server that nobody got nobody would close */
    struct server *server = push_server(L);
    int kept;
    if (path) {
        state_mode.env = lua_istable(L, 4) ? L : NULL;
        state_mode.env_at = 4;
        kept = open_path(L, server, task, path);
        state_mode.env = NULL;
    } else {
        server->host = new_host(L, &server->app);
        kept = open_up(L, server);
    }
    state_take_back(state_of(L), mark);
    return kept;
}

static int l_port(lua_State *L) {
    lua_pushinteger(L, check_server(L)->port);
    return 1;
}

static const struct wait closing = {.what = "server:close"};

/* Waits until all connections are gone. */
static int l_close(lua_State *L) {
    struct server *server = check_server(L);
    struct task *task = task_enter(L, "server:close");
    if (task == NULL)
        return task_refuse(L);
    if (server->host)
        close_now(server);
    if (server->host == NULL)
        return 0;
    list_push(&server->closers, &task->seat);
    return task_wait(task, &closing, WHEEL_NEVER);
}

static int l_server_gc(lua_State *L) {
    struct server *server = check_server(L);
    timer_clear(&server->later);
    if (server->host)
        host_close(server->host, NULL, NULL);
    free(server->error);
    return 0;
}

/* --- without a socket --- */

struct simulation {
    struct simulated simulated;
    struct host *host; /* NULL once done */
    struct app *app;
    struct generation *gen;
    struct task *task;
    int anchor; /* of the userdata, while it goes on */
};

/* Frees all but the userdata, which may go with it. */
static void end_simulation(struct simulation *simulation) {
    struct host *host = simulation->host;
    if (host == NULL)
        return;
    simulation->host = NULL;
    simulated_leave(&simulation->simulated);
    simulated_fini(&simulation->simulated);
    bool alone = simulation->gen->closing; /* the app does not outlive the state */
    host_close(host, alone ? NULL : release_app, simulation->app);
    generation_unref(simulation->gen, simulation->anchor);
}

/* "name: value CRLF" lines as a list of {name, value}. stack: +1 */
static void push_fields(lua_State *L, struct str lines) {
    struct str name, value;
    lua_newtable(L);
    for (int i = 1; field_lines_next(&lines, &name, &value); i++) {
        lua_createtable(L, 2, 0);
        state_push_str(L, name);
        lua_rawseti(L, -2, 1);
        state_push_str(L, value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, i);
    }
}

/* {status=, headers=, body=, complete=}. stack: +1 */
static void push_response(lua_State *L, const struct simulated *simulated) {
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, simulated->status);
    lua_setfield(L, -2, "status");
    push_fields(L, buf_str(&simulated->fields));
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, simulated->body.len ? simulated->body.data : "", simulated->body.len);
    lua_setfield(L, -2, "body");
    lua_pushboolean(L, simulated->complete);
    lua_setfield(L, -2, "complete");
}

static void on_over(struct simulated *simulated) {
    struct simulation *simulation = CONTAINER_OF(simulated, struct simulation, simulated);
    struct task *task = simulation->task;
    simulation->task = NULL;
    lua_State *co = task_wake(task);
    if (simulated->status != 0) {
        push_response(co, simulated);
    } else {
        lua_pop(co, 1);
        lua_pushfstring(co, "weir.test.simulate: the request ended without an answer: %s",
                        stream_reason_name(simulated->stream->reason));
    }
    end_simulation(simulation);
}

/* While the state closes, what the stream would tell Lua has no reader: __gc ends it. */
static void stop_simulating(struct task *task) {
    struct simulation *simulation = task->armed;
    if (simulation->task && !simulation->gen->closing)
        end_simulation(simulation);
}

static const struct wait simulating = {.what = "weir.test.simulate", .disarm = stop_simulating};

static struct str check_field(lua_State *L, int index, const char *name) {
    struct str s;
    lua_getfield(L, index, name);
    s.ptr = luaL_checklstring(L, -1, &s.len);
    return s;
}

/* stack: the value on top */
static void add_field(lua_State *L, struct simulated *simulated, struct str name) {
    struct str value;
    value.ptr = luaL_checklstring(L, -1, &value.len);
    if (simulated_add_field(simulated, name, value) < 0)
        state_error(L, "weir.test.simulate: not a header name or value: %s", name.ptr);
}

/* { name = value or list of values }, { {name, value}, ... }, or both. stack: the table on top */
static void add_fields(lua_State *L, struct simulated *simulated) {
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        bool pair = lua_type(L, -2) == LUA_TNUMBER;
        struct str name = {NULL, 0};
        if (pair) {
            luaL_checktype(L, -1, LUA_TTABLE);
            lua_rawgeti(L, -1, 1);
            name.ptr = luaL_checklstring(L, -1, &name.len);
            lua_rawgeti(L, -2, 2);
            add_field(L, simulated, name);
            lua_pop(L, 2);
            continue;
        }
        name.ptr = luaL_checklstring(L, -2, &name.len);
        if (!lua_istable(L, -1)) {
            lua_pushvalue(L, -1); /* a number stays one in the table */
            add_field(L, simulated, name);
            lua_pop(L, 1);
            continue;
        }
        for (int i = 1, n = (int)lua_objlen(L, -1); i <= n; i++) {
            lua_rawgeti(L, -1, i);
            add_field(L, simulated, name);
            lua_pop(L, 1);
        }
    }
}

/* The userdata is there first, so that whatever raises afterwards leaves it to the collector. */
static struct simulation *push_simulation(lua_State *L, struct str method, struct str target) {
    struct simulation *simulation = class_new(L, SIMULATION_META, sizeof *simulation);
    simulation->gen = task_generation(L);
    simulation->anchor = LUA_NOREF;
    simulation->host = new_host(L, &simulation->app);
    simulated_init(&simulation->simulated, host_http(simulation->host), method, target, on_over);
    return simulation;
}

/* (router, app, {method=, target=, headers=, body=}) -> {status=, headers=, body=, complete=} */
static int l_simulate(lua_State *L) {
    luaL_checktype(L, 3, LUA_TTABLE);
    struct task *task = task_enter(L, "weir.test.simulate");
    if (task == NULL)
        return task_refuse(L);
    struct str method = check_field(L, 3, "method"), target = check_field(L, 3, "target");
    struct str body = {NULL, 0};
    lua_getfield(L, 3, "body");
    if (!lua_isnil(L, -1))
        body.ptr = luaL_checklstring(L, -1, &body.len);
    struct simulation *simulation = push_simulation(L, method, target);
    lua_getfield(L, 3, "headers");
    add_fields(L, &simulation->simulated);
    lua_pop(L, 1);
    simulation->anchor = generation_ref(simulation->gen, L);
    const char *why;
    size_t mark = state_lend(state_of(L)); /* its task is made */
    int status = simulated_send(&simulation->simulated, body, &why);
    if (status != 0) {
        lua_pushfstring(L, "weir.test.simulate: %d %s", status, why);
        end_simulation(simulation);
    }
    state_take_back(state_of(L), mark);
    if (status != 0)
        return 1;
    simulation->task = task;
    task->armed = simulation;
    return task_wait(task, &simulating, WHEEL_NEVER);
}

static int l_simulation_gc(lua_State *L) {
    end_simulation(luaL_checkudata(L, 1, SIMULATION_META));
    return 0;
}

void bind_host(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"listen", l_listen}, {"simulate", l_simulate}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"port", l_port}, {"close", l_close}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, SERVER_META, methods, l_server_gc);
    class_define(L, SIMULATION_META, NULL, l_simulation_gc);
    lua_pop(L, 2);
}
