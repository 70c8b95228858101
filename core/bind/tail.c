/* tail: the lines of a growing file for Lua.
 *
 * An iterator over lines, each with its id and what is missing before it (a number of lines, -1:
 * unknown; or nil). The follow (tail/follow.h) reads a block ahead whether anybody waits or not. */
#include "bind/bind.h"
#include "bind/iterator.h"
#include "bind/rules.h"

#include "base/mem.h"
#include "logs/sift.h"
#include "tail/follow.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

struct tail {
    struct follow *follow; /* NULL: it could not be made */
    struct sift *sift;     /* which lines are given; NULL: all */
    bool lost;             /* a gap stood before a line that was not, */
    int64_t lost_lines;    /* of so many lines; -1: unknown */
};

/* The next line that is wanted. What is missing before one that is not is told with the next. */
static bool next_line(struct tail *tail, struct str *line) {
    int64_t lines;
    while (follow_next(tail->follow, line)) {
        if (follow_gap(tail->follow, &lines)) {
            bool known = lines >= 0 && (!tail->lost || tail->lost_lines >= 0);
            tail->lost_lines = known ? lines + (tail->lost ? tail->lost_lines : 0) : -1;
            tail->lost = true;
        }
        if (tail->sift == NULL || sift_wants(tail->sift, *line))
            return true;
    }
    return false;
}

static int push_line(lua_State *L, struct tail *tail, struct str line) {
    char id[FOLLOW_ID_MAX];

    state_push_str(L, line);
    lua_pushlstring(L, id, follow_id(tail->follow, id));
    if (tail->lost)
        lua_pushnumber(L, (lua_Number)tail->lost_lines);
    else
        lua_pushnil(L);
    tail->lost = false;
    return 3;
}

static int next(lua_State *L, void *source) {
    struct str line;
    return next_line(source, &line) ? push_line(L, source, line) : 0;
}

static void release(void *source) {
    struct tail *tail = source;
    if (tail->follow)
        follow_free(tail->follow);
    sift_free(tail->sift);
    free(tail);
}

static const struct iterator_ops following = {
    .wait = {.what = "weir.tail", .disarm = iterator_disarm, .take = iterator_take},
    .next = next,
    .free = release,
};

static void on_ready(struct follow *follow, void *arg) {
    (void)follow;
    iterator_rouse(arg);
}

/* path, lines, max_line, after or nil, rules or nil */
static int l_tail(lua_State *L) {
    struct generation *gen = task_generation(L);
    const char *path = luaL_checkstring(L, 1);
    lua_Number lines = luaL_checknumber(L, 2), max_line = luaL_checknumber(L, 3);
    struct str after = state_opt_str(L, 4);
    if (lines > FOLLOW_LINES_MAX)
        return state_error(L, "weir.tail: lines must be %d at most", FOLLOW_LINES_MAX);
    if (max_line > FOLLOW_LINE_BYTES_MAX)
        return state_error(L, "weir.tail: max_line must be %d at most", FOLLOW_LINE_BYTES_MAX);
    struct follow_options options = {
        .lines = (uint32_t)lines, .max_line = (size_t)max_line, .after = after};
    struct iterator *iterator = iterator_new(L, &following);
    struct tail *tail = iterator->source = mem_zalloc(sizeof *tail);
    rules_sift(L, 5, &tail->sift, "weir.tail");
    char *absolute = generation_path(gen, path);
    int rc =
        follow_new(gen->scheduler->loop, absolute, &options, on_ready, iterator, &tail->follow);
    free(absolute);
    if (rc < 0)
        return state_error(L, "weir.tail: %s", uv_strerror(rc));
    return 1;
}

void bind_tail(lua_State *L) {
    static const luaL_Reg functions[] = {{"tail", l_tail}, {NULL, NULL}};
    state_set(L, functions);
}
