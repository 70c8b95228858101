/* streams: the streams of all workers for Lua: listing them, ending them, renewing them.
 *
 *     core.streams --loops_visit--> each worker: its own streams that are meant --done--> the task
 *
 * A worker's streams are its own, so each is asked (net/loops) and adds what it found to a sweep,
 * under the sweep's lock. A worker that is inside a call for long does not reply: a list does not
 * wait for it for more than LIST_MS, but what is ended or renewed is so when it does. If the task
 * has been cancelled meanwhile, the sweep ends all the same and nobody is told. Which streams are
 * meant, and what is told of them, is listing's. */
#include "bind/bind.h"

#include "auth/strict_json.h"
#include "base/mem.h"
#include "exchange/exchange.h"
#include "exchange/listing.h"
#include "http/grant.h"
#include "net/loops.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MS 1000

struct sweep {
    struct task *task;         /* NULL: nobody waits any more */
    struct question *question; /* NULL: it is answered */
    int silent;                /* workers that a list does not wait for any more */
    struct listing listing;
    char *subject, *topic; /* its texts */
    int reason;            /* enum stream_reason to end them with; -1: they are renewed or listed */
    json_t *claims;        /* to renew them with; NULL: they are listed. Read by all workers */
    int64_t end_ms;
    pthread_mutex_t lock; /* of what the workers have found: */
    uint32_t changed;     /* streams */
    struct buf rows;      /* see listing_look */
};

/* --- in each worker --- */

static void count(struct sweep *sweep) {
    pthread_mutex_lock(&sweep->lock);
    sweep->changed++;
    pthread_mutex_unlock(&sweep->lock);
}

/* A good end where the protocol has one, so that the client sees it was meant; but who cancels a
 * stream does not want it to go on until its client has read what there is. */
static void end(void *arg, struct stream *stream) {
    struct sweep *sweep = arg;
    enum stream_reason reason = (enum stream_reason)sweep->reason;
    if (reason != REASON_CANCELLED && stream->state >= STREAM_FINISHED)
        return;
    if (reason == REASON_CANCELLED)
        stream_cut(stream, reason, "closed by the app");
    else if (reason == REASON_EXPIRED || reason == REASON_REVOKED)
        grant_withdraw(stream, reason);
    else if (stream->manner)
        stream_end(stream, reason);
    else
        stream_abort(stream, reason, NULL);
    count(sweep);
}

/* Whose a stream is does not change, so claims of somebody else are not for it. */
static void renew(void *arg, struct stream *stream) {
    struct sweep *sweep = arg;
    struct str named = strict_json_string(sweep->claims, "sub");
    if (stream->state >= STREAM_FINISHED ||
        (named.ptr && !str_eq(named, str_of(listing_subject(stream)))))
        return;
    claims_renew(stream, sweep->claims, sweep->end_ms);
    count(sweep);
}

static void list(struct sweep *sweep, struct loop *loop) {
    struct buf rows = {0};
    listing_look(&sweep->listing, loop, &rows, NULL);
    pthread_mutex_lock(&sweep->lock);
    buf_add(&sweep->rows, buf_str(&rows));
    pthread_mutex_unlock(&sweep->lock);
    buf_fini(&rows);
}

static bool visit(struct loop *loop, void *arg) {
    struct sweep *sweep = arg;
    if (sweep->reason >= 0)
        listing_each(&sweep->listing, loop, end, sweep);
    else if (sweep->claims)
        listing_each(&sweep->listing, loop, renew, sweep);
    else
        list(sweep, loop);
    return false;
}

/* --- back at home --- */

static void set_number(lua_State *L, const char *name, lua_Number value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, struct str value) {
    state_push_str(L, value);
    lua_setfield(L, -2, name);
}

static void set_topics(lua_State *L, struct str names) {
    lua_newtable(L);
    for (int i = 1; names.len > 0; i++) {
        struct str name = str_cut(&names, '\0');
        state_push_str(L, name);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "topics");
}

static void set_texts(lua_State *L, const struct listed *listed) {
    char address[ADDRESS_TEXT], position[EVENT_ID_TEXT];
    address_format(&listed->address, address);
    set_text(L, "address", str_of(address));
    set_text(L, "method", listed->method);
    set_text(L, "path", listed->path);
    set_text(L, "route", listed->route);
    set_text(L, "kind", str_of(listed->kind));
    if (listed->subject.ptr)
        set_text(L, "sub", listed->subject);
    if (listed->position)
        set_text(L, "position",
                 (struct str){position, event_id_format(listed->position, position)});
}

static void push_row(lua_State *L, const struct listed *listed) {
    lua_createtable(L, 0, 16);
    set_number(L, "id", (lua_Number)listed->id);
    set_number(L, "started", (lua_Number)listed->started / 1000);
    set_number(L, "age", (lua_Number)listed->age / 1000);
    set_number(L, "sent", (lua_Number)listed->sent);
    set_number(L, "queued", (lua_Number)listed->queued);
    set_number(L, "behind", (lua_Number)listed->behind.events);
    set_number(L, "backlog", (lua_Number)listed_backlog(listed));
    set_number(L, "topics_count", listed->topics);
    set_texts(L, listed);
    set_topics(L, listed->names);
}

static void push_rows(lua_State *L, const struct sweep *sweep) {
    struct rows rows;
    rows_read(&rows, &sweep->listing, buf_str(&sweep->rows));
    lua_createtable(L, (int)rows.count, 0);
    for (size_t i = 0; i < rows.count; i++) {
        struct listed listed = rows_at(&rows, i);
        push_row(L, &listed);
        lua_rawseti(L, -2, (int)i + 1);
    }
    rows_fini(&rows);
}

static void push_result(lua_State *L, const struct sweep *sweep) {
    if (sweep->reason >= 0 || sweep->claims) {
        lua_pushnumber(L, sweep->changed);
    } else {
        push_rows(L, sweep);
        lua_pushinteger(L, sweep->silent);
    }
}

/* Without a task on any thread: this worker may have left. */
static void done(void *arg) {
    struct sweep *sweep = arg;
    sweep->question = NULL;
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

static bool leave_out(struct task *task) {
    struct sweep *sweep = task->armed;
    if (sweep->question)
        sweep->silent += loops_withdraw(sweep->question);
    return true; /* for those that look already */
}

static void leave_list(struct task *task) {
    leave_out(task);
    leave(task);
}

static const struct wait sweeping = {
    .what = "weir.streams", .disarm = leave, .cancel = task_go_on, .elsewhere = true};
static const struct wait listing = {
    .what = "weir.streams", .disarm = leave_list, .overdue = leave_out, .elsewhere = true};

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
                       "\"expired\", \"drain\", \"done\" or \"cancelled\"",
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

static struct listing check_listing(lua_State *L) {
    lua_Number limit = luaL_optnumber(L, 8, HUGE_VAL);
    luaL_argcheck(L, limit >= 1, 8, "a number of streams");
    return (struct listing){.id = (uint64_t)luaL_optnumber(L, 1, 0),
                            .subject = luaL_optstring(L, 2, NULL),
                            .topic = luaL_optstring(L, 3, NULL),
                            .order = luaL_checkoption(L, 7, "backlog", listing_orders),
                            .limit = limit < UINT32_MAX ? (size_t)limit : SIZE_MAX};
}

/* id, sub, topic, reason (to end them), claims as JSON and their end in seconds (to renew them),
 * order and limit (to list them) -> nil, and how many were changed; or the list, and how many
 * workers are not in it */
static int l_streams(lua_State *L) {
    struct task *task = task_enter(L, "weir.streams");
    if (task == NULL)
        return task_refuse(L);
    struct sweep sweep = {.task = task,
                          .listing = check_listing(L),
                          .reason = check_reason(L, 4),
                          .end_ms = grant_end_of(luaL_optnumber(L, 6, HUGE_VAL))};
    sweep.claims = opt_claims(L, 5); /* the last that may raise */
    sweep.listing.subject = sweep.subject = copy_of(sweep.listing.subject);
    sweep.listing.topic = sweep.topic = copy_of(sweep.listing.topic);
    struct sweep *sent = task->armed = mem_alloc(sizeof *sent);
    *sent = sweep;
    pthread_mutex_init(&sent->lock, NULL);
    bool lists = sent->reason < 0 && sent->claims == NULL;
    sent->question = loops_visit(task_generation(L)->scheduler->loop, visit, done, sent);
    return lists ? task_wait(task, &listing, LIST_MS) : task_wait(task, &sweeping, WHEEL_NEVER);
}

void bind_streams(lua_State *L) {
    static const luaL_Reg functions[] = {{"streams", l_streams}, {NULL, NULL}};
    state_set(L, functions);
}
