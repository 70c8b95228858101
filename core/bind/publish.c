/* publish: topics for Lua: publishing, what they keep, who is there.
 *
 * A publish that need not wait is done in the call, on the stack. One that does (a durable topic, a
 * subscriber with the policy block) is copied and parks its task, which goes on when it is
 * done, whether it is cancelled meanwhile or not. */
#include "bind/bind.h"

#include "base/mem.h"
#include "hub/attendance.h"
#include "hub/publication.h"
#include "proto/sse.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static struct reader *reader_of(lua_State *L) {
    return task_generation(L)->scheduler->reader;
}

/* The topic's name at `index`; raises where it is not allowed. */
struct str bind_check_topic(lua_State *L, int index, const char *what) {
    struct str name = state_check_str(L, index);
    if (!name_is_valid(name))
        state_error(L,
                    "%s: a topic's name is 1 to 255 bytes of UTF-8 without control characters and "
                    "without \"*\"; for all topics that begin alike write weir.prefix \"user/\"",
                    what);
    return name;
}

/* --- publishing --- */

struct parked {
    struct publication publication;
    struct task *task; /* NULL: nobody waits any more */
    char bytes[];
};

static void push_receipt(lua_State *L, const struct publication *publication) {
    char id[EVENT_ID_TEXT];
    lua_pushlstring(L, id, event_id_format(publication->id, id));
    lua_pushnumber(L, publication->streams);
}

static void on_done(struct publication *publication, int error) {
    struct parked *parked = CONTAINER_OF(publication, struct parked, publication);
    if (parked->task) {
        lua_State *co = task_wake(parked->task);
        if (error == 0) {
            push_receipt(co, publication);
        } else {
            lua_pushnil(co);
            lua_pushstring(co, error == UV_ESHUTDOWN ? "closed" : "io");
        }
    }
    free(parked);
}

static void leave(struct task *task) {
    ((struct parked *)task->armed)->task = NULL;
}

static const struct wait publishing = {
    .what = "weir.publish", .disarm = leave, .cancel = task_go_on, .elsewhere = true};

static void copy(char **at, struct str *s) {
    if (s->ptr == NULL)
        return;
    memcpy(*at, s->ptr, s->len);
    s->ptr = *at;
    *at += s->len;
}

static struct parked *park(const struct publication *publication) {
    struct parked *parked = mem_zalloc(sizeof *parked + publication->topic.len +
                                       publication->text.len + publication->key.len);
    char *at = parked->bytes;
    parked->publication = *publication;
    parked->publication.done = on_done;
    copy(&at, &parked->publication.topic);
    copy(&at, &parked->publication.text);
    copy(&at, &parked->publication.key);
    return parked;
}

static int refuse(lua_State *L, const char *why) {
    lua_pushnil(L);
    return 1 + state_push_failure(L, why);
}

static int send_parked(lua_State *L, struct parked *parked, struct task *task) {
    int rc = publication_send(&parked->publication, reader_of(L));
    if (rc == PUBLICATION_LATER) {
        parked->task = task;
        task->armed = parked;
        return task_wait(task, &publishing, WHEEL_NEVER);
    }
    if (rc == PUBLICATION_CLOSED) {
        free(parked);
        return refuse(L, "closed");
    }
    struct publication sent = parked->publication;
    free(parked);
    lua_pushnil(L);
    push_receipt(L, &sent);
    return 3;
}

static void encode(lua_State *L, const char *what, struct buf *text) {
    struct sse_event event = {
        .data = state_opt_str(L, 2), .event = state_opt_str(L, 3), .retry = -1};
    uint64_t replaced = 0;
    if (event.data.ptr && sse_encode(text, &event, &replaced) < 0) {
        buf_fini(text);
        state_error(L, "%s: CR, LF or NUL in event; they would end the field", what);
    }
    hub_count_replaced(replaced);
}

/* How many values; 0: it cannot be done at once after all, the topic has just been made durable. */
static int publish_now(lua_State *L, const char *what, struct publication *publication) {
    struct buf text = {0};
    encode(L, what, &text);
    publication->text = buf_str(&text);
    int rc = publication_send(publication, reader_of(L));
    buf_fini(&text);
    if (rc == PUBLICATION_WOULD_WAIT)
        return 0;
    if (rc == PUBLICATION_CLOSED)
        return refuse(L, "closed");
    lua_pushnil(L);
    push_receipt(L, publication);
    return 3;
}

/* topic, data (nil: only the end of a topic that is closed), event, key, wait, only */
static int publish(lua_State *L, const char *what, bool closes) {
    struct generation *gen = task_generation(L);
    struct publication publication = {.topic = bind_check_topic(L, 1, what),
                                      .key = state_opt_str(L, 4),
                                      .closes = closes,
                                      .only = lua_toboolean(L, 6),
                                      .wait_ms = lua_isnoneornil(L, 5) ? 0 : task_ms(L, 5)};
    size_t size = state_opt_str(L, 2).len + state_opt_str(L, 3).len + publication.key.len;
    if (size > gen->limits.event_bytes) {
        limits_reached(REACHED_EVENT_BYTES);
        return refuse(L, "limit");
    }
    bool waits = publication.wait_ms > 0 || hub_is_durable(publication.topic);
    int n = waits ? 0 : publish_now(L, what, &publication);
    if (n > 0)
        return n;
    struct task *task = task_enter(L, what);
    if (task == NULL)
        return task_refuse(L);
    struct buf text = {0};
    encode(L, what, &text);
    publication.text = buf_str(&text);
    struct parked *parked = park(&publication);
    buf_fini(&text);
    return send_parked(L, parked, task);
}

/* topic, data, event, key, wait, only -> nil, id, streams | nil, nil, why */
static int l_publish(lua_State *L) {
    luaL_checktype(L, 2, LUA_TSTRING);
    return publish(L, "weir.publish", false);
}

/* The same, with which the topic ends; without data, at once. */
static int l_close(lua_State *L) {
    return publish(L, "weir.close", true);
}

/* --- what topics keep --- */

/* The rule whose fields are in the table on top: pattern, count, age (s), bytes, durable, presence,
 * linger (s). */
static struct topic_rule rule_at_top(lua_State *L) {
    struct topic_rule rule = {.durable = false};
    lua_getfield(L, -1, "pattern");
    lua_getfield(L, -2, "count");
    lua_getfield(L, -3, "age");
    lua_getfield(L, -4, "bytes");
    lua_getfield(L, -5, "durable");
    rule.pattern = state_check_str(L, -5);
    rule.keep.count = (uint64_t)lua_tonumber(L, -4);
    rule.keep.age_ms = task_ms(L, -3);
    rule.keep.bytes = (uint64_t)lua_tonumber(L, -2);
    rule.durable = lua_toboolean(L, -1);
    lua_getfield(L, -6, "presence");
    lua_getfield(L, -7, "linger");
    if (!lua_isnil(L, -2))
        rule.presence = state_check_str(L, -2);
    rule.linger_ms = task_ms(L, -1);
    lua_pop(L, 7); /* strings stay in their table */
    return rule;
}

/* A list of rules. */
static int l_topics(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_objlen(L, 1);
    struct topic_rule *rules = lua_newuserdata(L, (n + 1) * sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        rules[i] = rule_at_top(L);
        lua_pop(L, 1);
    }
    generation_add_rules(task_generation(L), rules, n);
    return 0;
}

/* --- seeing inside --- */

/* Lua must not run under the hub's lock, so subjects are noted first. */
struct noted {
    uint32_t streams, len;
};

static void note_subject(void *arg, struct str subject, uint32_t streams) {
    struct noted noted = {streams, (uint32_t)subject.len};
    buf_append(arg, &noted, sizeof noted);
    buf_add(arg, subject);
}

/* Adds them up by name. stack: table on top, 0 */
static void set_subjects(lua_State *L, struct str notes) {
    struct noted noted;
    for (; notes.len > 0; notes.ptr += noted.len, notes.len -= noted.len) {
        memcpy(&noted, notes.ptr, sizeof noted);
        notes = (struct str){notes.ptr + sizeof noted, notes.len - sizeof noted};
        lua_pushlstring(L, notes.ptr, noted.len);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        lua_Number sum = lua_tonumber(L, -1) + noted.streams;
        lua_pop(L, 1);
        lua_pushnumber(L, sum);
        lua_rawset(L, -3);
    }
}

static int l_presence(lua_State *L) {
    struct str name = bind_check_topic(L, 1, "weir.presence");
    struct buf notes = {0};
    uint32_t streams = attendance_list(name, note_subject, &notes);
    size_t mark = state_lend(state_of(L));
    lua_createtable(L, 0, 2);
    lua_newtable(L);
    set_subjects(L, buf_str(&notes));
    state_take_back(state_of(L), mark);
    buf_fini(&notes);
    lua_setfield(L, -2, "subs");
    lua_pushnumber(L, streams);
    lua_setfield(L, -2, "streams");
    return 1;
}

static int l_position(lua_State *L) {
    char id[EVENT_ID_TEXT];
    lua_pushlstring(L, id, event_id_format(hub_position(), id));
    return 1;
}

static int l_is_topic(lua_State *L) {
    lua_pushboolean(L, name_is_valid(state_check_str(L, 1)));
    return 1;
}

void bind_publish(lua_State *L) {
    static const luaL_Reg functions[] = {{"publish", l_publish},
                                         {"is_topic", l_is_topic},
                                         {"close", l_close},
                                         {"topics", l_topics},
                                         {"presence", l_presence},
                                         {"position", l_position},
                                         {NULL, NULL}};
    state_set(L, functions);
}
