/* streams: the streams of all workers for Lua: listing them, ending them, renewing them.
 *
 *     core.streams --loops_visit--> each worker: its own streams that match --done--> the task
 *
 * A worker's streams are its own, so each is asked (net/loops) and adds what it found to a sweep,
 * under the sweep's lock. If the task has been cancelled meanwhile, the sweep ends all the same and
 * nobody is told. */
#include "bind/bind.h"

#include "auth/strict_json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "exchange/exchange.h"
#include "http/grant.h"
#include "net/loops.h"
#include "read/subscription.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct sweep {
    struct task *task; /* NULL: nobody waits any more */
    uint64_t id;       /* 0: any */
    char *subject;     /* NULL: any */
    char *topic;
    int reason;     /* enum stream_reason to end them with; -1: they are renewed or listed */
    json_t *claims; /* to renew them with; NULL: they are listed. Read by all workers */
    int64_t end_ms;
    pthread_mutex_t lock; /* of what the workers have found: */
    uint32_t changed;     /* streams */
    struct buf rows;      /* see add_row */
};

/* --- in each worker --- */

struct names {       /* of a subscription, as they are collected */
    struct buf text; /* each with a NUL, prefixes with "*" */
    struct str wanted;
    bool found;
};

static void add_name(void *arg, struct str name, bool prefix) {
    struct names *names = arg;
    names->found =
        names->found || (prefix ? str_starts(names->wanted, name) : str_eq(names->wanted, name));
    buf_add(&names->text, name);
    if (prefix)
        buf_add_char(&names->text, '*');
    buf_add_char(&names->text, '\0');
}

struct row {
    uint64_t id;
    int64_t started;                /* wall ms */
    uint32_t path, subject, topics; /* lengths of what follows; subject + 1, 0: none */
};

static void add_row(struct sweep *sweep, const struct stream *stream, const char *subject,
                    const struct buf *topics) {
    struct buf path = {0};
    path_text(request_path(stream->request), &path);
    uint64_t age = loop_now(stream->server->loop) - stream->started;
    size_t len = subject ? strlen(subject) + 1 : 0;
    struct row row = {.id = stream->id,
                      .started = clock_wall_ms() - (int64_t)age,
                      .path = (uint32_t)path.len,
                      .subject = (uint32_t)len,
                      .topics = (uint32_t)topics->len};
    pthread_mutex_lock(&sweep->lock);
    buf_append(&sweep->rows, &row, sizeof row);
    buf_append(&sweep->rows, path.data, path.len);
    buf_append(&sweep->rows, subject, len);
    buf_append(&sweep->rows, topics->data, topics->len);
    pthread_mutex_unlock(&sweep->lock);
    buf_fini(&path);
}

static void count(struct sweep *sweep) {
    pthread_mutex_lock(&sweep->lock);
    sweep->changed++;
    pthread_mutex_unlock(&sweep->lock);
}

/* A good end where the protocol has one, so that the client sees it was meant. */
static void end(struct sweep *sweep, struct stream *stream) {
    enum stream_reason reason = (enum stream_reason)sweep->reason;
    if (reason == REASON_EXPIRED || reason == REASON_REVOKED) {
        grant_withdraw(stream, reason);
    } else if (stream->manner) {
        stream_end(stream, reason);
    } else {
        stream_abort(stream, reason, NULL);
    }
    count(sweep);
}

/* Whose a stream is does not change, so claims of somebody else are not for it. */
static void renew(struct sweep *sweep, struct stream *stream, const char *subject) {
    struct str named = strict_json_string(sweep->claims, "sub");
    if (named.ptr && !str_eq(named, str_of(subject)))
        return;
    claims_renew(stream, sweep->claims, sweep->end_ms);
    count(sweep);
}

/* Whom its token names; of a stream whose task only subscribed it: whom it was subscribed for. */
static const char *subject_of(const struct stream *stream, const struct subscription *sub) {
    const char *subject = grant_subject(stream);
    return subject || sub == NULL ? subject : sub->position.subject;
}

static void look_at(struct sweep *sweep, struct stream *stream) {
    struct subscription *sub = subscription_of(stream);
    const char *subject = subject_of(stream, sub);
    if (stream->state >= STREAM_FINISHED || (sweep->id && sweep->id != stream->id) ||
        (sweep->subject && (subject == NULL || strcmp(subject, sweep->subject) != 0)))
        return;
    struct names names = {.wanted = str_of(sweep->topic)};
    if (sub)
        position_names(&sub->position, add_name, &names);
    bool matches = sweep->topic == NULL || names.found;
    if (matches && sweep->reason >= 0)
        end(sweep, stream);
    else if (matches && sweep->claims)
        renew(sweep, stream, subject);
    else if (matches)
        add_row(sweep, stream, subject, &names.text);
    buf_fini(&names.text);
}

static bool visit(struct loop *loop, void *arg) {
    struct sweep *sweep = arg;
    size_t count;
    struct stream **streams = http_server_streams(loop, &count);
    for (size_t i = 0; i < count; i++) {
        look_at(sweep, streams[i]);
        stream_unref(streams[i]);
    }
    free(streams);
    return false;
}

/* --- back at home --- */

static struct str take(struct str *rest, size_t n) {
    struct str taken = {rest->ptr, n};
    rest->ptr += n;
    rest->len -= n;
    return taken;
}

static void push_topics(lua_State *L, struct str names) {
    lua_newtable(L);
    for (int i = 1; names.len > 0; i++) {
        struct str name = str_cut(&names, '\0');
        state_push_str(L, name);
        lua_rawseti(L, -2, i);
    }
}

static void push_row(lua_State *L, struct str *rest) {
    struct row row;
    memcpy(&row, take(rest, sizeof row).ptr, sizeof row);
    lua_createtable(L, 0, 5);
    lua_pushnumber(L, (lua_Number)row.id);
    lua_setfield(L, -2, "id");
    lua_pushnumber(L, (lua_Number)row.started / 1000);
    lua_setfield(L, -2, "started");
    struct str path = take(rest, row.path);
    state_push_str(L, path);
    lua_setfield(L, -2, "path");
    struct str subject = take(rest, row.subject);
    if (subject.len > 0) {
        lua_pushlstring(L, subject.ptr, subject.len - 1);
        lua_setfield(L, -2, "sub");
    }
    push_topics(L, take(rest, row.topics));
    lua_setfield(L, -2, "topics");
}

static void push_result(lua_State *L, const struct sweep *sweep) {
    if (sweep->reason >= 0 || sweep->claims) {
        lua_pushnumber(L, sweep->changed);
        return;
    }
    struct str rest = buf_str(&sweep->rows);
    lua_newtable(L);
    for (int i = 1; rest.len > 0; i++) {
        push_row(L, &rest);
        lua_rawseti(L, -2, i);
    }
}

/* Without a task on any thread: this worker may have left. */
static void done(void *arg) {
    struct sweep *sweep = arg;
    if (sweep->task)
        push_result(task_wake(sweep->task), sweep);
    pthread_mutex_destroy(&sweep->lock);
    buf_fini(&sweep->rows);
    free(sweep->subject);
    free(sweep->topic);
    json_decref(sweep->claims);
    free(sweep);
}

/* --- asking --- */

static void leave(struct task *task) {
    ((struct sweep *)task->armed)->task = NULL;
}

static const struct wait sweeping = {
    .what = "weir.streams", .disarm = leave, .cancel = task_go_on, .elsewhere = true};

static char *copy_of(const char *text) {
    return text ? mem_strdup(text) : NULL;
}

static int check_reason(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return -1;
    const char *given = luaL_checkstring(L, index);
    for (int reason = REASON_DONE; reason <= REASON_CANCELLED; reason++)
        if (strcmp(given, stream_reason_name((enum stream_reason)reason)) == 0)
            return reason;
    return state_error(L,
                       "weir.streams: close: there is no reason \"%s\"; say \"revoked\", "
                       "\"expired\", \"drain\" or \"done\"",
                       given);
}

/* The claims at `index`, as JSON; NULL: none. */
static json_t *opt_claims(lua_State *L, int index) {
    json_t *claims = NULL;
    struct reason why;
    if (!lua_isnoneornil(L, index) &&
        strict_json_parse(state_check_str(L, index), "claims", &claims, &why) < 0)
        state_error(L, "weir.streams: renew: %s", why.text);
    return claims;
}

/* id, sub, topic, reason (to end them), claims as JSON and their end in seconds (to renew them) ->
 * nil, and how many were changed, or with neither of both a list */
static int l_streams(lua_State *L) {
    struct task *task = task_enter(L, "weir.streams");
    if (task == NULL)
        return task_refuse(L);
    struct sweep sweep = {.task = task,
                          .id = (uint64_t)luaL_optnumber(L, 1, 0),
                          .reason = check_reason(L, 4),
                          .end_ms = grant_end_of(luaL_optnumber(L, 6, HUGE_VAL))};
    const char *subject = luaL_optstring(L, 2, NULL), *topic = luaL_optstring(L, 3, NULL);
    sweep.claims = opt_claims(L, 5); /* the last that may raise */
    sweep.subject = copy_of(subject);
    sweep.topic = copy_of(topic);
    struct sweep *sent = task->armed = mem_alloc(sizeof *sent);
    *sent = sweep;
    pthread_mutex_init(&sent->lock, NULL);
    loops_visit(task_generation(L)->scheduler->loop, visit, done, sent);
    return task_wait(task, &sweeping, WHEEL_NEVER);
}

void bind_streams(lua_State *L) {
    static const luaL_Reg functions[] = {{"streams", l_streams}, {NULL, NULL}};
    state_set(L, functions);
}
