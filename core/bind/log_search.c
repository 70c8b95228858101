/* log_search: finite looks at logs for Lua: the lines that are there, backward or forward.
 *
 *     core.log_search --> an iterator over events, each its name, data and id ... "end"
 *
 * The inquiry (search/inquiry.h) does nothing between two calls. */
#include "bind/bind.h"
#include "bind/iterator.h"
#include "bind/rules.h"

#include "base/mem.h"
#include "search/inquiry.h"
#include "search/prefilter.h"
#include "tail/follow.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

struct search {
    struct inquiry *inquiry; /* NULL: it could not be made */
    /* Until the inquiry has them: */
    struct sift *sift;
    struct prefilter *prefilter;
    struct redact *redact;
};

static int next(lua_State *L, void *source) {
    const struct search *search = source;
    struct inquiry_event event;
    if (!inquiry_next(search->inquiry, &event))
        return 0;
    return bind_push_logs_event(L, event.name, event.data, event.id);
}

static void release(void *source) {
    struct search *search = source;
    if (search->inquiry)
        inquiry_free(search->inquiry);
    sift_free(search->sift);
    prefilter_free(search->prefilter);
    redact_free(search->redact);
    free(search);
}

static const struct iterator_ops searching = {
    .wait = {.what = "logs:search", .disarm = iterator_disarm, .take = iterator_take},
    .next = next,
    .free = release,
};

static void on_ready(struct inquiry *inquiry, void *arg) {
    (void)inquiry;
    iterator_rouse(arg);
}

/* ---- what is asked for ------------------------------------------------------------------------*/

/* What can be looked for in blocks, of the rules at `list`. */
static void fill_prefilter(lua_State *L, int list, struct search *search) {
    const struct redact *redact = search->redact;
    int top = lua_gettop(L);

    search->prefilter = prefilter_new();
    for (int i = 1; i <= (int)lua_objlen(L, list); i++) {
        lua_rawgeti(L, list, i);
        struct sift_rule rule = rules_read(L);
        if (redact == NULL || (rule.kind == SIFT_TEXT && redact_only_hides(redact, rule.text)))
            prefilter_add(search->prefilter, &rule);
        lua_settop(L, top);
    }
}

/* A list of rules at `list`; without any there is none. */
static void fill_redact(lua_State *L, int list, struct search *search) {
    if (lua_isnil(L, list) || lua_objlen(L, list) == 0)
        return;
    search->redact = redact_new();
    rules_redact(L, list, search->redact);
}

/* The list of { key, path } at `list`, as `*n` files of which the texts are borrowed from there.
 * stack: +1 */
static const struct inquiry_file *check_files(lua_State *L, int list, size_t *n) {
    luaL_checktype(L, list, LUA_TTABLE);
    *n = lua_objlen(L, list);
    struct inquiry_file *files = lua_newuserdata(L, (*n + 1) * sizeof *files);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, list, (int)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        files[i] = (struct inquiry_file){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
        luaL_argcheck(L, strlen(files[i].key) <= LINE_ID_KEY, list, "no key");
        lua_pop(L, 3);
    }
    return files;
}

/* The number `what` at `index`, 1 at least. */
static size_t check_most(lua_State *L, int index, const char *what, int most) {
    lua_Number number = luaL_checknumber(L, index);
    luaL_argcheck(L, number >= 1, index, "too small");
    if (number > most)
        state_error(L, "logs: %s must be %d at most", what, most);
    return (size_t)number;
}

/* files, backward, plain, lines, max_line, since, before, from, upto, rules, redact; from `since`
 * on each may be nil */
static int l_search(lua_State *L) {
    const char *why;
    lua_settop(L, 11);
    struct inquiry_options options = {
        .backward = lua_toboolean(L, 2),
        .plain = lua_toboolean(L, 3),
        .lines = check_most(L, 4, "lines", INQUIRY_LINES_MAX),
        .max_line = check_most(L, 5, "max_line", FOLLOW_LINE_BYTES_MAX),
        .since = rules_time(L, 6),
        .before = rules_time(L, 7),
        .from = state_opt_str(L, 8),
        .upto = state_opt_str(L, 9),
    };
    options.files = check_files(L, 1, &options.n_files);
    struct iterator *iterator = iterator_new(L, &searching);
    struct search *search = iterator->source = mem_zalloc(sizeof *search);
    rules_sift(L, 10, &search->sift, "logs");
    fill_redact(L, 11, search);
    if (search->sift)
        fill_prefilter(L, 10, search);
    options.sift = search->sift;
    options.prefilter = search->prefilter;
    options.redact = search->redact;
    search->sift = NULL;
    search->prefilter = NULL;
    search->redact = NULL;
    search->inquiry =
        inquiry_new(task_generation(L)->scheduler->loop, &options, on_ready, iterator, &why);
    return search->inquiry ? 1 : state_error(L, "logs: %s", why);
}

void bind_log_search(lua_State *L) {
    static const luaL_Reg functions[] = {{"log_search", l_search}, {NULL, NULL}};
    state_set(L, functions);
}
