/* subscribe: subscribing for Lua: streams, which then go on without it, and tasks.
 *
 *     stream:_subscribe --> the stream's subscription (read/subscription)
 *     core.subscribe ----> a userdata with a position of its own --next--> events, one at a time
 *
 * A task's subscription ends with the task that made it, with close, or when it is collected. It is
 * an outlet: several tasks may take from one, each event goes to one of them. */
#include "bind/bind.h"

#include "exchange/exchange.h"
#include "http/sse.h"
#include "hub/hub.h"
#include "hub/reader.h"
#include "proto/sse.h"
#include "read/span.h"
#include "read/subscription.h"
#include "vm/class.h"
#include "vm/outlet.h"

#include <lauxlib.h>
#include <string.h>

#define META "weir.subscription"

/* --- what both have --- */

/* Names at `index` and `index` + 1: topics, and prefixes. The lists hold what the array refers to.
 */
static void choose(lua_State *L, int index, struct position *position,
                   struct position_choice choice, const char *what) {
    size_t mark = state_lend(state_of(L));
    for (int kind = 0; kind < 2; kind++) {
        choice.prefix = kind == 1;
        size_t n = lua_objlen(L, index + kind);
        struct str *names = lua_newuserdata(L, n * sizeof *names);
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, index + kind, (int)i + 1);
            names[i] = bind_check_topic(L, -1, what);
            lua_pop(L, 1);
        }
        if (n > 0)
            position_add_all(position, &choice, names, n);
        lua_pop(L, 1);
    }
    state_take_back(state_of(L), mark);
}

/* Whether the list at `index` has it before as well. stack: the names seen so far on top, 0 */
static bool is_seen(lua_State *L, int index, int i) {
    lua_rawgeti(L, index, i);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    bool seen = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    return seen;
}

/* How many the list at `index` adds: what stands there twice, or was chosen before, counts once. */
static size_t count_new(lua_State *L, int index, const struct position *position, bool prefix) {
    size_t count = 0;
    int n = (int)lua_objlen(L, index);
    lua_newtable(L);
    for (int i = 1; i <= n; i++) {
        if (is_seen(L, index, i))
            continue;
        lua_rawgeti(L, index, i);
        count += !position || !position_has(position, state_check_str(L, -1), prefix);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return count;
}

/* `position` NULL: a new one. */
static void check_room(lua_State *L, int index, const struct position *position, const char *what) {
    uint64_t limit = task_generation(L)->limits.subscriptions;
    size_t chosen = position ? position->chosen : 0;
    if (chosen + lua_objlen(L, index) + lua_objlen(L, index + 1) <= limit)
        return;
    chosen += count_new(L, index, position, false) + count_new(L, index + 1, position, true);
    if (chosen > limit)
        state_error(L, "%s: %d topics and prefixes, the limit subscriptions is %d", what,
                    (int)chosen, (int)limit);
}

/* Before anything is changed: a wrong name must not leave half of a list subscribed. */
static void check_names(lua_State *L, int index, const char *what) {
    for (int kind = 0; kind < 2; kind++) {
        luaL_checktype(L, index + kind, LUA_TTABLE);
        int n = (int)lua_objlen(L, index + kind);
        for (int i = 1; i <= n; i++) {
            lua_rawgeti(L, index + kind, i);
            bind_check_topic(L, -1, what);
            lua_pop(L, 1);
        }
    }
}

static void start_after(struct position_choice *choice, struct str id) {
    choice->from_id = choice->tell = true;
    choice->last = 0;
    if (event_id_parse(id, &choice->after) < 0)
        choice->after = EVENT_ID_NONE; /* lies in the future, as it were: a gap says so */
}

/* The newest ones of all that is kept, if `index` says how many. */
static void check_last(lua_State *L, int index, struct position_choice *choice) {
    if (lua_isnoneornil(L, index))
        return;
    choice->from_id = true;
    choice->last = (uint64_t)luaL_checknumber(L, index);
}

/* `after` at `index`, `not_before` and `last` behind it. */
static struct position_choice check_choice(lua_State *L, int index, const char *what) {
    struct position_choice choice = {.from_id = false};
    if (!lua_isnoneornil(L, index)) {
        struct str after = state_check_str(L, index);
        if (str_eq(after, STR("earliest")))
            choice.from_id = true;
        else
            start_after(&choice, after);
    }
    if (!lua_isnoneornil(L, index + 1) &&
        event_id_parse(state_check_str(L, index + 1), &choice.not_before) < 0)
        state_error(L, "%s: not_before is no id; an id is what weir.publish returns", what);
    check_last(L, index + 2, &choice);
    return choice;
}

/* --- streams --- */

static enum overflow check_overflow(lua_State *L, int index) {
    static const char *const names[] = {"none",        "disconnect", "drop_oldest",
                                        "drop_newest", "conflate",   "block"};
    const char *given = luaL_optstring(L, index, "none");
    for (int i = 0; i < 6; i++)
        if (strcmp(given, names[i]) == 0)
            return (enum overflow)i;
    return OVERFLOW_NONE;
}

static uint32_t check_limit(lua_State *L, int index) {
    lua_Number n = luaL_optnumber(L, index, UINT32_MAX);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static struct subscription *subscribe(lua_State *L, struct exchange *exchange) {
    struct stream *stream = exchange->stream;
    struct subscription_options options = {.overflow = check_overflow(L, 8),
                                           .limit = {check_limit(L, 9), check_limit(L, 10)}};
    if (!lua_isnoneornil(L, 11))
        options.subject = state_check_str(L, 11);
    return subscription_new(stream, exchange->app->gen->scheduler->reader, &options);
}

/* The id that the client came with beats what the script says. */
static void prefer_client(struct stream *stream, struct position_choice *choice) {
    struct buf scratch = {0};
    struct str id = sse_last_event_id(stream, &scratch);
    if (id.len > 0)
        start_after(choice, id);
    buf_fini(&scratch);
}

/* names, prefixes, resume, after, not_before, last, overflow, events, bytes, subject */
static int l_subscribe_stream(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct stream *stream = exchange->stream;
    check_names(L, 2, "sse:subscribe");
    struct position_choice choice = check_choice(L, 5, "sse:subscribe");
    if (stream->state >= STREAM_ENDING)
        return 0; /* the client is gone: no fault of the handler */
    struct subscription *sub = subscription_of(stream);
    check_room(L, 2, sub ? &sub->position : NULL, "sse:subscribe");
    if (sub == NULL)
        sub = subscribe(L, exchange);
    if (lua_toboolean(L, 4))
        prefer_client(stream, &choice);
    choose(L, 2, &sub->position, choice, "sse:subscribe");
    sse_resume(stream, sub->position.resumed);
    return 0;
}

/* name, is a prefix -> whether it was there */
static int l_unsubscribe_stream(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    struct str name = bind_check_topic(L, 2, "sse:unsubscribe");
    struct subscription *sub = exchange ? subscription_of(exchange->stream) : NULL;
    lua_pushboolean(L, sub && position_remove(&sub->position, name, lua_toboolean(L, 3)));
    return 1;
}

/* --- tasks --- */

struct sub { /* a userdata */
    struct outlet outlet;
    struct position position;
    struct holding holding; /* of the task that made it */
    bool open;
};

static void close_sub(struct sub *sub) {
    if (!sub->open)
        return;
    sub->open = false;
    list_remove(&sub->holding.link);
    position_fini(&sub->position);
    outlet_rouse_all(&sub->outlet);
}

static void release(struct holding *holding) {
    close_sub(CONTAINER_OF(holding, struct sub, holding));
}

static void set_str(lua_State *L, const char *field, struct str s) {
    if (s.ptr == NULL)
        return;
    state_push_str(L, s);
    lua_setfield(L, -2, field);
}

void bind_push_event(lua_State *L, struct str topic, struct str key, struct str text) {
    struct sse_event event;
    struct buf data = {0};
    sse_decode(text, &event, &data);
    size_t mark = state_lend(state_of(L));
    lua_createtable(L, 0, 5);
    set_str(L, "topic", topic);
    set_str(L, "key", key);
    set_str(L, "id", event.id);
    set_str(L, "event", event.event);
    set_str(L, "data", event.data);
    state_take_back(state_of(L), mark);
    buf_fini(&data);
}

/* Pushes the next event, if there is one. */
static int take(struct outlet *outlet, lua_State *L, int index) {
    struct sub *sub = CONTAINER_OF(outlet, struct sub, outlet);
    (void)index;
    if (!sub->open)
        return OUTLET_CLOSED;
    struct span *span = sub->position.reader->span;
    span_release(span);
    span_read(&sub->position, span, 1);
    if (span->count == 0)
        return 0;
    if (span->pieces[0].ends) { /* all its topics are closed */
        span_release(span);
        return OUTLET_CLOSED;
    }
    struct piece rest;
    struct buf name = {0}, key = {0};
    struct str chunk = {span->pieces[0].bytes, span->pieces[0].len};
    bool has_key = piece_origin(&span->pieces[0], &name, &key);
    size_t mark = state_lend(state_of(L));
    bind_push_event(L, name.data ? buf_str(&name) : (struct str){NULL, 0},
                    has_key ? buf_str(&key) : (struct str){NULL, 0}, span_cut_chunk(&chunk));
    state_take_back(state_of(L), mark);
    buf_fini(&name);
    buf_fini(&key);
    span_advance(&sub->position, span, span->pieces[0].len, &rest);
    span_release(span);
    return 1;
}

/* Reading is the only way to know. */
static bool may_have(const struct outlet *outlet) {
    (void)outlet;
    return true;
}

static bool look(struct outlet *outlet) {
    struct sub *sub = CONTAINER_OF(outlet, struct sub, outlet);
    return sub->open && position_look(&sub->position);
}

static const struct outlet_ops outlet_ops = {.take = take, .has = may_have, .look = look};

static void on_news(struct position *position) {
    outlet_rouse(&CONTAINER_OF(position, struct sub, position)->outlet);
}

static const struct position_ops ops = {.news = on_news};

/* names, prefixes, after, not_before, last -> a subscription */
static int l_subscribe(lua_State *L) {
    struct generation *gen = task_generation(L);
    check_names(L, 1, "weir.subscribe");
    struct position_choice choice = check_choice(L, 3, "weir.subscribe");
    check_room(L, 1, NULL, "weir.subscribe");
    struct sub *sub = class_new(L, META, sizeof *sub);
    struct task *task = task_current(L);
    *sub = (struct sub){.open = true, .holding = {.release = release}};
    outlet_init(&sub->outlet, &outlet_ops);
    position_init(&sub->position, gen->scheduler->reader, &ops);
    list_init(&sub->holding.link);
    if (task)
        list_push(&task->holdings, &sub->holding.link);
    choose(L, 1, &sub->position, choice, "weir.subscribe");
    return 1;
}

static int l_close(lua_State *L) {
    close_sub(luaL_checkudata(L, 1, META));
    return 0;
}

static int l_gc(lua_State *L) {
    close_sub(lua_touserdata(L, 1));
    return 0;
}

void bind_subscribe(lua_State *L) {
    static const luaL_Reg functions[] = {{"subscribe", l_subscribe},
                                         {"subscription_close", l_close},
                                         {"subscribe_stream", l_subscribe_stream},
                                         {"unsubscribe_stream", l_unsubscribe_stream},
                                         {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    outlet_mark(L);
    lua_pop(L, 1);
}
