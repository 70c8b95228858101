/* generation: one loaded version of an app in one worker.
 *
 *     new --load--> loaded, tasks held --take_over--> active --cancel--> free
 *
 * It owns a Lua state and every task on it; nothing points from one generation's Lua into
 * another's. The app file runs outside of any task, so it cannot wait; background tasks that it
 * starts are held until the generation takes over, so that one which fails to load has never done
 * anything. One thread only. */
#include "vm/generation.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "vm/class.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- references --- */

/* Places come from luaL_ref, so that they are nobody else's, and are kept when they fall free: it
 * looks for the next one in the table itself, five calls each time. A free one holds false, for
 * with nil the table could seem to end before it. */
int generation_ref(struct generation *gen, lua_State *L) {
    gen->nrefs++;
    if (gen->nfree == 0 || lua_isnil(L, -1)) {
        size_t mark = state_lend(&gen->state); /* the registry may grow */
        int ref = luaL_ref(L, LUA_REGISTRYINDEX);
        state_take_back(&gen->state, mark);
        return ref;
    }
    int ref = gen->free[--gen->nfree];
    lua_rawseti(L, LUA_REGISTRYINDEX, ref);
    return ref;
}

void generation_push(struct generation *gen, lua_State *L, int ref) {
    (void)gen; /* whose state L is of */
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
}

void generation_drop(struct generation *gen, int ref) {
    lua_State *L = gen->state.L;
    if (gen->closing)
        return;
    MUST(gen->nrefs > 0);
    gen->nrefs--;
    if (ref == LUA_REFNIL || gen->nfree == GENERATION_FREE) {
        luaL_unref(L, LUA_REGISTRYINDEX, ref);
        return;
    }
    lua_pushboolean(L, false);
    lua_rawseti(L, LUA_REGISTRYINDEX, ref);
    gen->free[gen->nfree++] = ref;
}

struct spare generation_coroutine(struct generation *gen) {
    gen->nrefs++;
    if (gen->nspare > 0)
        return gen->spare[--gen->nspare];
    gen->nrefs--;
    lua_State *L = gen->state.L;
    size_t mark = state_lend(&gen->state);
    struct spare spare = {.co = lua_newthread(L)};
    state_take_back(&gen->state, mark);
    spare.anchor = generation_ref(gen, L);
    return spare;
}

/* What setfenv(0, ...) has changed is for that task only. The app file, which may change them for
 * all, has run when the first task ends. */
static void restore_globals(struct generation *gen, lua_State *co) {
    lua_State *L = gen->state.L;
    if (gen->globals == NULL)
        gen->globals = lua_topointer(L, LUA_GLOBALSINDEX);
    if (lua_topointer(co, LUA_GLOBALSINDEX) == gen->globals)
        return;
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_xmove(L, co, 1);
    lua_replace(co, LUA_GLOBALSINDEX);
}

void generation_recycle(struct generation *gen, struct spare spare, bool reusable) {
    if (gen->closing)
        return;
    if (!reusable || gen->nspare == GENERATION_SPARE) {
        generation_unref(gen, spare.anchor);
        return;
    }
    lua_settop(spare.co, 0);
    restore_globals(gen, spare.co);
    gen->spare[gen->nspare++] = spare;
    gen->nrefs--;
}

/* --- life --- */

const char generation_too_much[] =
    "one step of compiled code wanted far more memory than lua_memory allows; keep less, or raise "
    "it with weir.limits";

static int keep(lua_State *L) {
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

int generation_require(lua_State *L, const char *module, const char *name) {
    state_require(L, module);
    if (name) {
        lua_getfield(L, -1, name);
        lua_replace(L, -2);
    }
    return keep(L);
}

#define CANCELLED_META "weir.cancelled"

static int l_cancelled_tostring(lua_State *L) {
    lua_pushliteral(L, CANCELLED_META);
    return 1;
}

/* stack: core on top, 0. A unique value, told apart by identity. */
static int make_cancelled(lua_State *L) {
    class_define(L, CANCELLED_META, NULL, NULL);
    lua_pushcfunction(L, l_cancelled_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    class_new(L, CANCELLED_META, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "cancelled");
    return keep(L);
}

/* weir.core: what is of every program's, then what the library brings. */
static void load_core(struct generation *gen) {
    lua_State *L = gen->state.L;
    lua_newtable(L);
    luaL_newmetatable(L, "weir.failure");
    lua_pushliteral(L, "weir.failure");
    lua_setfield(L, -2, "__name");
    lua_setfield(L, -2, "failure");
    gen->cancelled = make_cancelled(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "weir.core");
    lua_settop(L, 1);
    gen->scheduler->library(L);
    lua_settop(L, 0);
    gen->hint = generation_require(L, "weir.hint", NULL);
    gen->run_defers = generation_require(L, "weir.defers", NULL);
}

struct generation *generation_new(struct scheduler *scheduler, const char *folder,
                                  const struct limits *limits) {
    struct generation *gen = mem_zalloc(sizeof *gen);
    gen->scheduler = scheduler;
    gen->limit_error = LUA_NOREF;
    gen->limits = *limits;
    gen->folder = mem_strdup(folder);
    list_init(&gen->link);
    list_init(&gen->tasks);
    list_init(&gen->exchanges);
    list_init(&gen->leaving);
    list_init(&gen->held);
    state_init(&gen->state, folder, gen);
    guard_adopt(&scheduler->guard, &gen->state);
    generation_apply_limits(gen);
    load_core(gen);
    return gen;
}

void generation_hint(struct generation *gen, lua_State *L) {
    if (lua_type(L, -1) != LUA_TSTRING)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, gen->hint);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) == 0)
        lua_replace(L, -2);
    else
        lua_pop(L, 1);
}

/* --- starting --- */

static void ignore_start(char *error_take, void *arg) {
    (void)arg;
    free(error_take);
}

void generation_forget_start(struct generation *gen) {
    gen->starting.done = ignore_start;
}

/* --- rules --- */

static void free_rule(struct topic_rule *rule) {
    free((char *)rule->pattern.ptr);
    free((char *)rule->presence.ptr);
}

static void drop_rules(struct generation *gen) {
    for (size_t i = 0; i < gen->nrules; i++)
        free_rule(&gen->rules[i]);
    free(gen->rules);
    gen->rules = NULL;
    gen->nrules = 0;
}

/* Whether what it says of topics holds at once: of one that has been replaced nothing does. */
static bool is_in_force(const struct generation *gen) {
    if (gen->lineage && lineage_current(gen->lineage) != 0)
        return lineage_current(gen->lineage) == gen->number;
    return !gen->loading;
}

void generation_add_rules(struct generation *gen, const struct topic_rule *rules, size_t n) {
    if (is_in_force(gen)) {
        hub_add_rules(gen->folder, rules, n);
        return;
    }
    if (gen->retired)
        return;
    gen->rules = mem_resize(gen->rules, (gen->nrules + n) * sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        struct topic_rule *rule = &gen->rules[gen->nrules++];
        *rule = rules[i];
        rule->pattern.ptr = mem_copy(rule->pattern.ptr, rule->pattern.len);
        if (rule->presence.ptr)
            rule->presence.ptr = mem_copy(rule->presence.ptr, rule->presence.len);
    }
}

void generation_apply_rules(struct generation *gen) {
    hub_set_rules(gen->folder, gen->rules, gen->nrules);
    drop_rules(gen);
}

/* --- serving, and the end --- */

void generation_take_over(struct generation *gen) {
    gen->active = true;
    if (gen->lineage == NULL)
        generation_apply_rules(gen);
    drop_rules(gen);
    struct list *node;
    while ((node = list_pop(&gen->held)) != NULL)
        task_start(CONTAINER_OF(node, struct task, link));
}

void generation_settle(struct generation *gen) {
    if (gen->on_settled)
        gen->on_settled(gen);
}

bool generation_is_over(const struct generation *gen) {
    return list_empty(&gen->tasks) && list_empty(&gen->exchanges) && list_empty(&gen->leaving);
}

/* One cancelled may end others at once: those that it waits for, and that have not begun. */
static void cancel(struct generation *gen, bool only_background) {
    struct list unseen, *node;
    list_init(&unseen);
    list_splice(&unseen, &gen->tasks);
    while ((node = list_pop(&unseen)) != NULL) {
        list_push(&gen->tasks, node);
        struct task *task = CONTAINER_OF(node, struct task, all);
        if (!task_is_cleanup(task) && (task->background || !only_background))
            task_cancel(task);
    }
}

void generation_retire(struct generation *gen) {
    gen->retired = true;
    cancel(gen, true);
}

void generation_cancel(struct generation *gen) {
    gen->ending = true;
    cancel(gen, false);
}

void generation_apply_limits(struct generation *gen) {
    guard_limit(&gen->state, gen->limits.cpu_time, gen->limits.lua_memory);
}

void generation_collect(struct generation *gen) {
    lua_gc(gen->state.L, LUA_GCCOLLECT, 0);
    if (gen->worn || gen->state.bytes <= gen->state.worn_mark)
        return;
    gen->worn = true;
    if (gen->retired)
        return;
    log_warn("the Lua of %s keeps %.1f MiB, of %.1f that it may (lua_memory); %s. Keep less in "
             "variables of modules, or raise it with weir.limits",
             gen->folder, (double)gen->state.bytes / (1 << 20),
             (double)gen->limits.lua_memory / (1 << 20),
             gen->lineage ? "a new generation takes its place" : "nothing can take its place");
    if (gen->lineage)
        gen->lineage->ops->request(gen->lineage);
}

void generation_break(struct generation *gen, const char *what) {
    log_error("%s: %s. The Lua of %s in this worker ends with all that it did; %s", what,
              generation_too_much, gen->folder,
              gen->lineage ? "a new generation takes its place" : "nothing can take its place");
    if (gen->lineage && !gen->retired)
        gen->lineage->ops->request(gen->lineage);
    if (gen->starting.left > 0)
        gen->starting.done(mem_strdup(generation_too_much), gen->starting.arg);
    gen->starting = (struct starting){.done = ignore_start};
    gen->background = 0;
    gen->on_broken(gen);
}

void generation_free(struct generation *gen) {
    gen->closing = true;
    struct list *node;
    while ((node = list_pop(&gen->tasks)) != NULL)
        task_forget(CONTAINER_OF(node, struct task, all));
    if (gen->on_closing)
        gen->on_closing(gen);
    state_fini(&gen->state);
    list_remove(&gen->link);
    free(gen->starting.error);
    drop_rules(gen);
    free(gen->trust.ranges);
    free(gen->folder);
    free(gen);
}

void generation_set_trust(struct generation *gen, const struct cidr *ranges, size_t n,
                          bool standard) {
    free(gen->trust.ranges);
    gen->trust = (struct trust){mem_alloc(n * sizeof *ranges), n, standard};
    if (n > 0)
        memcpy(gen->trust.ranges, ranges, n * sizeof *ranges);
}

char *generation_path(struct generation *gen, const char *path) {
    if (path[0] == '/')
        return mem_strdup(path);
    struct buf text = {0};
    buf_printf(&text, "%s/%s", gen->folder, path);
    buf_add_char(&text, '\0');
    return text.data;
}
