/* history: what a topic keeps, for Lua.
 *
 * From memory it comes at once. For what only the store has the task waits; if it is cancelled
 * meanwhile, the fetch ends after the page it is at, and nobody is told. */
#include "bind/bind.h"

#include "base/mem.h"
#include "hub/history.h"
#include "hub/reader.h"
#include "proto/sse.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

/* Pushes a list of events, whether there are more, and true if the topic is closed. stack: +3 */
static void push_history(lua_State *L, struct history *history, struct str topic) {
    struct str records = buf_str(&history->records), text, key;
    size_t mark = state_lend(state_of(L));
    lua_createtable(L, (int)history->count, 0);
    for (int i = 1; history_next(&records, &text, &key); i++) {
        bind_push_event(L, topic, key, text);
        lua_rawseti(L, -2, i);
    }
    lua_pushboolean(L, history->more);
    if (history->closed)
        lua_pushboolean(L, true);
    else
        lua_pushnil(L);
    state_take_back(state_of(L), mark);
    buf_fini(&history->records);
}

static void on_fetched(struct fetch *fetch, int error) {
    struct task *task = fetch->owner;
    lua_State *co = task ? task_wake(task) : NULL;
    if (co && error == 0) {
        push_history(co, &fetch->history, fetch->topic);
    } else if (co) {
        lua_pushnil(co);
        lua_pushliteral(co, "io");
    }
    buf_fini(&fetch->history.records);
    free(fetch);
}

static void leave(struct task *task) {
    ((struct fetch *)task->armed)->owner = NULL;
}

static const struct wait fetching = {.what = "weir.history", .disarm = leave, .elsewhere = true};

static event_id check_id(lua_State *L, int index, const char *option) {
    event_id id;
    if (event_id_parse(state_check_str(L, index), &id) < 0)
        state_error(L, "weir.history: %s is no id; an id is what weir.publish returns", option);
    return id;
}

/* topic, after, before, limit -> nil, list, more, closed | nil, nil, "io" */
static int l_history(lua_State *L) {
    struct str topic = bind_check_topic(L, 1, "weir.history");
    struct history history = {.limit = (size_t)luaL_checknumber(L, 4),
                              .from_id = !lua_isnoneornil(L, 2),
                              .before = EVENT_ID_NONE};
    if (history.from_id)
        history.after = check_id(L, 2, "after");
    if (!lua_isnoneornil(L, 3))
        history.before = check_id(L, 3, "before");
    lua_pushnil(L);
    if (history_read(&history, topic)) {
        push_history(L, &history, topic);
        return 4;
    }
    struct task *task = task_enter(L, "weir.history");
    if (task == NULL)
        return task_refuse(L);
    struct fetch *fetch = mem_zalloc(sizeof *fetch);
    *fetch = (struct fetch){.history = history, .done = on_fetched, .owner = task};
    task->armed = fetch;
    history_fetch(fetch, task->gen->scheduler->reader, topic);
    return task_wait(task, &fetching, WHEEL_NEVER);
}

void bind_history(lua_State *L) {
    static const luaL_Reg functions[] = {{"history", l_history}, {NULL, NULL}};
    state_set(L, functions);
}
