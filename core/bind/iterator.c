/* iterator: gives a script one thing after another, and has a task wait while there is none.
 *
 *     made --iterator_next--> what comes next, or the task waits for it
 *       |
 *       +--iterator_close, or the userdata is collected--> closed: nil
 *       +--its maker is cancelled while it waits here--> ended: a next one raises
 *
 * One task waits at a time, for what comes goes to one; it takes it when it runs.
 *
 * A stream whose client leaves is the usual end, so the source goes at once with the task that made
 * it, and not when the collector comes by. A task that was only lent the iterator, as weir.timeout
 * lends it, may be cancelled and it goes on.
 *
 * What its source is, bind/tail and bind/logs know. */
#include "bind/iterator.h"

#include "bind/bind.h"
#include "vm/class.h"

#define META "weir.iterator"

static void stop(struct iterator *iterator) {
    if (iterator->source)
        iterator->ops->free(iterator->source);
    iterator->source = NULL;
}

void iterator_disarm(struct task *task) {
    struct iterator *iterator = task->armed;
    iterator->waiter = NULL;
    if (task->cancelled && task->serial == iterator->maker) {
        iterator->ended = true;
        stop(iterator);
    }
}

int iterator_take(struct task *task, lua_State *co) {
    struct iterator *iterator = task->armed;
    if (iterator->source)
        return iterator->ops->next(co, iterator->source);
    lua_pushnil(co);
    return 1;
}

struct iterator *iterator_new(lua_State *L, const struct iterator_ops *ops) {
    struct iterator *iterator = class_new(L, META, sizeof *iterator);
    struct task *maker = task_current(L);
    *iterator = (struct iterator){.ops = ops, .maker = maker ? maker->serial : 0};
    return iterator;
}

void iterator_rouse(struct iterator *iterator) {
    if (iterator->waiter)
        task_rouse(iterator->waiter);
}

static int push_end(lua_State *L, const struct iterator *iterator) {
    if (iterator->ended)
        return state_error(L,
                           "%s: this has ended, because the task that made it was cancelled; make "
                           "another one",
                           iterator->ops->wait.what);
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

static int l_next(lua_State *L) {
    struct iterator *iterator = luaL_checkudata(L, 1, META);
    const char *what = iterator->ops->wait.what;
    struct task *task = task_enter(L, what);
    if (task == NULL)
        return task_refuse(L);
    if (iterator->waiter)
        return state_error(
            L, "%s: another task waits for what comes next; give each task one of its own", what);
    if (iterator->source == NULL)
        return push_end(L, iterator);
    lua_pushnil(L);
    int n = iterator->ops->next(L, iterator->source);
    if (n > 0)
        return 1 + n;
    lua_pop(L, 1);
    iterator->waiter = task;
    task->armed = iterator;
    return task_wait(task, &iterator->ops->wait, WHEEL_NEVER);
}

static int l_close(lua_State *L) {
    struct iterator *iterator = luaL_checkudata(L, 1, META);
    stop(iterator);
    iterator_rouse(iterator);
    return 0;
}

static int l_gc(lua_State *L) {
    stop(lua_touserdata(L, 1));
    return 0;
}

void bind_iterator(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"iterator_next", l_next}, {"iterator_close", l_close}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    lua_pop(L, 1);
}
