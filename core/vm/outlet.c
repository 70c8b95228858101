/* outlet: what tasks take values from, one at a time: a channel, a subscription.
 *
 *     a value comes --> the first who waits is roused --> runs and takes it, and is no longer there
 *                                 \--cancelled, or faster elsewhere--> the next is roused
 *
 * A value stays where it is until a task that runs takes it, so nothing is lost with one that is
 * cancelled on the way. Who waits keeps a *watch* in each outlet that it would take from, in order
 * of coming; receiving is choosing among one. A task that runs without having waited may be faster
 * than one that was roused, which then waits on in its place.
 *
 * The waiting call's arguments stay on its stack (task.h), and with them the outlets. */
#include "vm/outlet.h"

#include "base/mem.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

struct watch {
    struct list link; /* outlet->watches */
    struct task *task;
    struct outlet *outlet;
};

/* What a task waits with. */
struct choice {
    int first; /* index of the first outlet on its stack */
    int n;
    bool indexed; /* results begin with which outlet it was */
    struct watch watches[];
};

/* --- who waits --- */

static struct watch *watch_at(const struct list *at) {
    return CONTAINER_OF(at, struct watch, link);
}

void outlet_init(struct outlet *outlet, const struct outlet_ops *ops) {
    outlet->ops = ops;
    list_init(&outlet->watches);
}

void outlet_rouse(struct outlet *outlet) {
    struct list *at = outlet->watches.next;
    while (at != &outlet->watches && watch_at(at)->task->state == TASK_READY)
        at = at->next;
    if (at != &outlet->watches)
        task_rouse(watch_at(at)->task);
}

void outlet_rouse_all(struct outlet *outlet) {
    for (struct list *at = outlet->watches.next; at != &outlet->watches; at = at->next)
        task_rouse(watch_at(at)->task);
}

bool outlet_is_watched(const struct outlet *outlet) {
    return !list_empty(&outlet->watches);
}

bool outlet_is_roused(const struct outlet *outlet) {
    for (const struct list *at = outlet->watches.next; at != &outlet->watches; at = at->next)
        if (watch_at(at)->task->state == TASK_READY)
            return true;
    return false;
}

/* --- taking --- */

/* The results that follow the nil error; 0: nothing has come. The outlets that are closed answer
 * last. */
static int take_from(lua_State *L, int first, int n, bool indexed, uint32_t dice) {
    int closed = -1;
    for (int i = 0; i < n; i++) {
        int which = (int)((dice + (uint32_t)i) % (uint32_t)n);
        struct outlet *outlet = lua_touserdata(L, first + which);
        if (indexed)
            lua_pushinteger(L, which + 1);
        int taken = outlet->ops->take(outlet, L, first + which);
        if (taken > 0)
            return taken + indexed;
        lua_pop(L, indexed);
        if (taken == OUTLET_CLOSED && closed < 0)
            closed = which;
    }
    if (closed < 0)
        return 0;
    if (indexed)
        lua_pushinteger(L, closed + 1);
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2 + indexed;
}

/* xorshift (Marsaglia, 2003): who is asked first decides nothing that must not be guessed. */
static uint32_t roll(struct scheduler *scheduler) {
    uint32_t x = scheduler->dice;
    x ^= x << 13;
    x ^= x >> 17;
    return scheduler->dice = x ^ x << 5;
}

static int take(struct task *task, lua_State *co) {
    const struct choice *choice = task->armed;
    return take_from(co, choice->first, choice->n, choice->indexed, roll(task->gen->scheduler));
}

/* Whoever it was roused for, others may have what it leaves. */
static void disarm(struct task *task) {
    struct choice *choice = task->armed;
    for (int i = 0; i < choice->n; i++)
        list_remove(&choice->watches[i].link);
    for (int i = 0; i < choice->n; i++)
        if (choice->watches[i].outlet->ops->has(choice->watches[i].outlet))
            outlet_rouse(choice->watches[i].outlet);
    free(choice);
}

static void expired(struct task *task, lua_State *co) {
    (void)task;
    lua_pushnil(co);
    lua_pushliteral(co, "timeout");
}

static const struct wait taking = {
    .what = "a channel or a subscription", .disarm = disarm, .expired = expired, .take = take};

static struct choice *watch(struct task *task, int first, int n, bool indexed) {
    struct choice *choice = mem_zalloc(sizeof *choice + (size_t)n * sizeof *choice->watches);
    choice->first = first;
    choice->n = n;
    choice->indexed = indexed;
    for (int i = 0; i < n; i++) {
        struct watch *watch = &choice->watches[i];
        watch->task = task;
        watch->outlet = lua_touserdata(task->co, first + i);
        list_push(&watch->outlet->watches, &watch->link);
    }
    return choice;
}

/* The same for who does not wait until he is told what has come. */
static int take_now(lua_State *L, int first, int n, bool indexed, uint32_t dice) {
    bool any = false;
    for (int i = 0; i < n; i++) {
        struct outlet *outlet = lua_touserdata(L, first + i);
        any = (outlet->ops->look && outlet->ops->look(outlet)) || any;
    }
    return any ? take_from(L, first, n, indexed, dice) : 0;
}

/* Takes from one of the n outlets at `first` and behind, waiting so many milliseconds for it. */
static int choose(lua_State *L, const char *what, int first, int n, bool indexed, uint64_t ms) {
    struct task *task = task_current(L);
    if (task && task->cancelled)
        return task_refuse(L);
    int top = lua_gettop(L);
    lua_pushnil(L);
    uint32_t dice = indexed ? roll(task_generation(L)->scheduler) : 0;
    int taken = take_from(L, first, n, indexed, dice);
    if (taken == 0 && ms > 0) {
        lua_settop(L, top);
        task = task_enter(L, what);
        task->armed = watch(task, first, n, indexed);
        return task_wait(task, &taking, ms);
    }
    if (taken == 0 && take_now(L, first, n, indexed, dice) == 0)
        expired(task, L);
    return lua_gettop(L) - top;
}

/* --- for Lua --- */

/* Of every outlet's metatable, and no others. */
static const char mark[] = "weir.outlet";

void outlet_mark(lua_State *L) {
    lua_pushlightuserdata(L, (void *)mark);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
}

static bool is_outlet(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    lua_pushlightuserdata(L, (void *)mark);
    lua_rawget(L, -2);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return is;
}

/* name of the call, seconds or nil, outlet -> nil, value | nil, nil, "timeout"|"closed" */
static int l_recv(lua_State *L) {
    luaL_argcheck(L, is_outlet(L, 3), 3, "a channel or a subscription expected");
    return choose(L, luaL_checkstring(L, 1), 3, 1, false, task_ms(L, 2));
}

/* Whether a value is something to take from. */
static int l_is_outlet(lua_State *L) {
    lua_pushboolean(L, is_outlet(L, 1));
    return 1;
}

/* seconds or nil, list of outlets -> nil, index, value | nil, index, nil, "closed"
 * | nil, nil, "timeout" */
static int l_select(lua_State *L) {
    uint64_t ms = task_ms(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    int n = (int)lua_objlen(L, 2);
    luaL_checkstack(L, n + 8, "weir.select: too many to choose from");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, i);
        luaL_argcheck(L, is_outlet(L, -1), 2, "channels and subscriptions expected");
    }
    return choose(L, "weir.select", 3, n, true, ms);
}

void bind_outlet(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"outlet_recv", l_recv}, {"is_outlet", l_is_outlet}, {"select", l_select}, {NULL, NULL}};
    state_set(L, functions);
}
