/* group: functions that run at once, each in a child of the task that waits for them: what
 * weir.all, race and timeout are, and every call of the library's that must go on after a script's
 * function.
 *
 *     members start --> one decides, or the time is over, or the waiter is cancelled
 *                         --> the others are cancelled --> all are over --> the waiter runs
 *
 * What decides is told when its function returns, in that very moment and before another task runs:
 * so a member that has lost and would run next has taken nothing. The waiter is woken when every
 * member is over, its children and its defers included, whatever ended the wait.
 *
 * Whose outcome counts: that of who was not cancelled; and of who was, but had not been told yet
 * (weir.cancelled was not raised in it) and returned. For it cannot have given back what it took.
 *
 * A group is its waiter's, which is resumed by the last member; a member that the waiter does not
 * report is logged if it failed. */
#include "bind/bind.h"

#include "base/mem.h"
#include "base/must.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

enum group_kind { GROUP_ONE, GROUP_RACE, GROUP_ALL };

struct group {
    struct task *waiter;
    struct task *first; /* the member that decides: of all the first to fail, else the first to end;
                           NULL: none yet */
    enum group_kind kind;
    bool missed; /* an outcome does not count */
    bool late;   /* the time was over */
    int left;    /* members that are not over */
    int size;
    struct task *members[];
};

static void cancel_members(struct group *group) {
    for (int i = 0; i < group->size; i++)
        if (group->members[i])
            task_cancel(group->members[i]);
}

/* --- what members tell --- */

static void member_returned(struct task *task) {
    struct group *group = task->owner;
    bool counts = !task->cancelled || (!task->failed && task->swallowed == 0);
    group->missed |= !counts;
    if (group->first || !counts || (group->kind == GROUP_ALL && !task->failed))
        return;
    group->first = task;
    cancel_members(group);
}

static void member_over(struct task *task) {
    struct group *group = task->owner;
    if (task->failed && task != group->first && !task_was_cancelled(task))
        task_log_failure(task);
    MUST(group->left > 0);
    if (--group->left == 0) /* first: its own return may decide a group around this one */
        task_rouse_first(group->waiter);
}

/* --- the outcome --- */

static int index_of(const struct group *group, const struct task *task) {
    int i = 0;
    while (group->members[i] != task)
        i++;
    return i + 1;
}

/* true, in a race the index, and the results; or false, the error and what is known of its place.
 */
static int push_outcome(const struct group *group, struct task *task, lua_State *co) {
    int top = lua_gettop(co);
    if (task->failed) {
        lua_pushboolean(co, false);
        generation_push(task->gen, co, task->error);
        task_describe(co, task);
        return 3;
    }
    task_push_results(task, co);
    if (group->kind == GROUP_RACE) {
        lua_pushinteger(co, index_of(group, task));
        lua_insert(co, top + 2);
    }
    return lua_gettop(co) - top;
}

static int push_list(const struct group *group, lua_State *co) {
    lua_pushboolean(co, true);
    lua_createtable(co, group->size, 0);
    for (int i = 0; i < group->size; i++) {
        int top = lua_gettop(co);
        task_push_results(group->members[i], co);
        lua_settop(co, top + 2); /* true, and the first */
        lua_rawseti(co, top, i + 1);
        lua_settop(co, top);
    }
    return 2;
}

static int push_settled(const struct group *group, lua_State *co) {
    if (group->first)
        return push_outcome(group, group->first, co);
    if (group->kind == GROUP_ALL && !group->missed)
        return push_list(group, co);
    if (!group->late || group->waiter->cancelled)
        return task_push_cancelled(group->waiter, co);
    return state_push_failure(co, "timeout");
}

/* --- waiting --- */

static int take(struct task *task, lua_State *co) {
    const struct group *group = task->armed;
    return group->left > 0 ? 0 : push_settled(group, co);
}

static void release(struct task *task) {
    struct group *group = task->armed;
    for (int i = 0; i < group->size; i++)
        task_unref(group->members[i]);
    free(group);
}

static void on_cancel(struct task *task) {
    cancel_members(task->armed);
}

/* What has not begun yet begins, so that a timeout of 0 does what can be done without waiting. */
static bool on_overdue(struct task *task) {
    struct group *group = task->armed;
    if (group->members[0]->started) {
        group->late = true;
        cancel_members(group);
    } else {
        loop_timer(task->gen->scheduler->loop, &task->timer, 0);
    }
    return true;
}

static const struct wait grouping = {.what = "weir.all, race or timeout",
                                     .disarm = release,
                                     .take = take,
                                     .cancel = on_cancel,
                                     .overdue = on_overdue};

/* Makes a member of the function and its arguments, which are popped. Raises nothing, for a group
 * that is not whole nobody would end. */
static const struct task_ops member_ops = {.returned = member_returned, .ended = member_over};

static void add_member(lua_State *L, struct group *group, int nargs) {
    size_t mark = state_lend(state_of(L));
    struct task *task = task_new(group->waiter->gen, group->waiter);
    group->members[group->size++] = task_ref(task);
    group->left++;
    task->owner = group;
    task->ops = &member_ops;
    lua_checkstack(task->co, nargs + 1);
    lua_xmove(L, task->co, nargs + 1);
    state_take_back(state_of(L), mark);
}

static struct group *group_new(struct task *waiter, enum group_kind kind, int room) {
    struct group *group = mem_zalloc(sizeof *group + (size_t)room * sizeof *group->members);
    group->waiter = waiter;
    group->kind = kind;
    return group;
}

static int run(struct group *group, uint64_t ms) {
    struct task *waiter = group->waiter;
    waiter->armed = group;
    for (int i = 0; i < group->size; i++)
        task_start(group->members[i]);
    int kept = task_wait(waiter, &grouping, ms);
    if (group->left == 0) /* none was started: the generation ends */
        task_rouse(waiter);
    return kept;
}

/* seconds or nil, function, its arguments -> true, results | false, error, place | nil, "timeout"
 */
static int l_call(lua_State *L) {
    uint64_t ms = task_ms(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct task *task = task_enter(L, "weir: waiting for another task");
    if (task == NULL)
        return task_refuse(L);
    struct group *group = group_new(task, GROUP_ONE, 1);
    add_member(L, group, lua_gettop(L) - 2);
    return run(group, ms);
}

static int start_list(lua_State *L, enum group_kind kind, const char *what) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct task *task = task_enter(L, what);
    if (task == NULL)
        return task_refuse(L);
    int n = (int)lua_objlen(L, 1);
    struct group *group = group_new(task, kind, n);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        add_member(L, group, 0);
    }
    return run(group, WHEEL_NEVER);
}

/* functions -> true, list | false, error */
static int l_all(lua_State *L) {
    return start_list(L, GROUP_ALL, "weir.all");
}

/* functions -> true, index, results | false, error */
static int l_race(lua_State *L) {
    return start_list(L, GROUP_RACE, "weir.race");
}

void bind_group(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"call", l_call}, {"all", l_all}, {"race", l_race}, {NULL, NULL}};
    state_set(L, functions);
}
