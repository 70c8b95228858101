/* channel: a queue between the tasks of one Lua state.
 *
 *     send --> [ waiting senders ] --> [ ring: at most `capacity` values ] --> waiting receivers
 *
 * Senders wait only while the ring is full, so no value overtakes another. A receiver takes from
 * the ring, which then has room for the first sender's, or from the first sender itself (a capacity
 * of 0 has no ring). A sender's value lies on its own stack; the send is over in the moment in
 * which the value is taken from there, whatever becomes of the sender afterwards, and until then it
 * is the sender's. The receivers' side is the outlet's.
 *
 * The ring is a table, the environment of the userdata. */
#include "bind/bind.h"

#include "vm/class.h"
#include "vm/generation.h"
#include "vm/outlet.h"

#include <lauxlib.h>
#include <limits.h>

#define META "weir.channel"
#define VALUE_INDEX 2 /* on the stack of a sender that waits */

struct channel { /* a userdata */
    struct outlet outlet;
    struct list senders;
    uint32_t capacity, count;
    uint32_t first; /* in the ring: 0.. */
    bool closed;
};

static struct channel *of_outlet(struct outlet *outlet) {
    return CONTAINER_OF(outlet, struct channel, outlet);
}

/* --- the ring --- */

static int place_at(const struct channel *channel, uint32_t i) {
    return (int)((channel->first + (uint64_t)i) % channel->capacity) + 1;
}

/* Adds the value on top, which it pops. */
static void ring_add(struct channel *channel, lua_State *L, int index) {
    lua_getfenv(L, index);
    lua_insert(L, -2);
    lua_rawseti(L, -2, place_at(channel, channel->count));
    lua_pop(L, 1);
    channel->count++;
}

/* stack: +1. One that is empty begins again at its front, so that a large one takes little. */
static void ring_shift(struct channel *channel, lua_State *L, int index) {
    int place = place_at(channel, 0);
    lua_getfenv(L, index);
    lua_rawgeti(L, -1, place);
    lua_pushnil(L);
    lua_rawseti(L, -3, place);
    lua_remove(L, -2);
    channel->first = --channel->count == 0 ? 0 : (uint32_t)place % channel->capacity;
}

/* --- receiving --- */

/* Pushes the first sender's value, and its send is over. */
static void take_over(struct channel *channel, lua_State *L) {
    struct task *sender = CONTAINER_OF(channel->senders.next, struct task, seat);
    lua_pushvalue(sender->co, VALUE_INDEX);
    lua_xmove(sender->co, L, 1);
    lua_pushboolean(task_wake(sender), true);
}

static int take(struct outlet *outlet, lua_State *L, int index) {
    struct channel *channel = of_outlet(outlet);
    bool waits = !list_empty(&channel->senders);
    if (channel->count > 0) {
        size_t mark = state_lend(state_of(L)); /* a value must not be lost on its way */
        ring_shift(channel, L, index);
        if (waits) {
            take_over(channel, L);
            ring_add(channel, L, index);
        }
        state_take_back(state_of(L), mark);
        return 1;
    }
    if (!waits)
        return channel->closed ? OUTLET_CLOSED : 0;
    take_over(channel, L);
    return 1;
}

static bool has(const struct outlet *outlet) {
    const struct channel *channel = CONTAINER_OF(outlet, struct channel, outlet);
    return channel->count > 0 || !list_empty(&channel->senders) || channel->closed;
}

static const struct outlet_ops ops = {.take = take, .has = has};

/* --- sending --- */

static void expired(struct task *task, lua_State *co) {
    (void)task;
    state_push_failure(co, "timeout");
}

/* A receiver that runs may take the value: then that decides, and not how full the run queue is. */
static bool overdue(struct task *task) {
    const struct channel *channel = task->armed;
    bool roused = outlet_is_roused(&channel->outlet);
    if (roused)
        loop_timer(task->gen->scheduler->loop, &task->timer, 0);
    return roused;
}

static const struct wait sending = {.what = "channel:send", .expired = expired, .overdue = overdue};

static struct channel *check(lua_State *L) {
    return luaL_checkudata(L, 1, META);
}

/* channel, value, seconds or nil -> nil, true | nil, nil, "timeout"|"closed" */
static int l_send(lua_State *L) {
    struct channel *channel = check(L);
    uint64_t ms = task_ms(L, 3);
    if (channel->closed ||
        (ms == 0 && channel->count == channel->capacity && !outlet_is_watched(&channel->outlet))) {
        lua_pushnil(L);
        return 1 + state_push_failure(L, channel->closed ? "closed" : "timeout");
    }
    if (channel->count < channel->capacity) {
        lua_pushvalue(L, VALUE_INDEX);
        ring_add(channel, L, 1);
        outlet_rouse(&channel->outlet);
        lua_pushnil(L);
        lua_pushboolean(L, true);
        return 2;
    }
    struct task *task = task_enter(L, "channel:send");
    if (task == NULL)
        return task_refuse(L);
    task->armed = channel;
    list_push(&channel->senders, &task->seat);
    outlet_rouse(&channel->outlet);
    return task_wait(task, &sending, ms);
}

static int l_close(lua_State *L) {
    struct channel *channel = check(L);
    channel->closed = true;
    outlet_rouse_all(&channel->outlet);
    size_t mark = state_lend(state_of(L));
    while (!list_empty(&channel->senders))
        state_push_failure(task_wake(CONTAINER_OF(channel->senders.next, struct task, seat)),
                           "closed");
    state_take_back(state_of(L), mark);
    return 0;
}

static int l_channel(lua_State *L) {
    lua_Number capacity = luaL_checknumber(L, 1);
    struct channel *channel = class_new(L, META, sizeof *channel);
    *channel = (struct channel){.capacity = capacity < INT_MAX ? (uint32_t)capacity : INT_MAX};
    outlet_init(&channel->outlet, &ops);
    list_init(&channel->senders);
    lua_newtable(L);
    lua_setfenv(L, -2);
    return 1;
}

void bind_channel(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"channel", l_channel}, {"channel_send", l_send}, {"channel_close", l_close}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, NULL);
    outlet_mark(L);
    class_share_methods(L, "channel_methods");
    lua_pop(L, 1);
}
