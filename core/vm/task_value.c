/* task_value: a task as a value of Lua's, and what Lua says of it.
 *
 * The userdata keeps the struct of its task, not the task alive: one that is done tells its results
 * as often as it is asked. Its methods are bind/task's. */
#include "vm/task.h"

#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>

void task_push(lua_State *L, struct task *task) {
    struct task **slot = class_new(L, TASK_META, sizeof *slot);
    *slot = task_ref(task);
}

struct task *task_check(lua_State *L, int index) {
    return *(struct task **)luaL_checkudata(L, index, TASK_META);
}

void task_describe(lua_State *L, struct task *task) {
    static const char *const states[] = {"ready", "running", "waiting", "held", "ending", "done"};
    const char *what = task->wait ? task->wait->what : states[task->state];
    if (task_was_stopped(task))
        generation_push(task->gen, L, task->place);
    else if (task->co)
        luaL_traceback(L, task->co, what, 0);
    else
        lua_pushstring(L, what);
}

uint64_t task_ms(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return WHEEL_NEVER;
    double ms = luaL_checknumber(L, index) * 1000;
    if (!(ms > 0)) /* NaN too */
        return 0;
    return ms > 1e15 ? WHEEL_NEVER : (uint64_t)(ms + 0.999);
}
