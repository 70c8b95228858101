/* exchange: a stream in the hands of Lua. */
#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "http/stream.h"
#include "exchange/app.h"
#include "vm/task.h"

#define EXCHANGE_META "weir.stream"
#define EXCHANGE_LEFT_META "weir.stream (left)" /* once nothing here keeps the userdata */

struct json_t; /* jansson's */
struct parts;  /* parts.c's */

/* What the userdata points to. Lives until its stream is closed and its task and on_close functions
 * have ended; of a stream that goes on without Lua, until nobody has the userdata any more. */
struct exchange {
    struct stream *stream;
    struct app *app;
    struct exchange **slot;  /* in the userdata, which `self` keeps */
    struct task *task;       /* that answers; NULL once it has ended */
    struct static_job *file; /* being opened for `filer`, a task */
    struct task *filer;
    struct parts *parts; /* the body is read in parts; NULL: it is not */
    int self;
    int closers;         /* reference to the list of on_close functions; LUA_NOREF: none */
    struct list waiters; /* tasks, each for one of the waits below, or for the body */
    struct list link;    /* generation->exchanges, while `self` keeps the userdata */
    const char *prefix;  /* of the app in its server, borrowed from there */
    const char *base;    /* below it: the mount prefix of the route, borrowed from the app */
    const char *route;   /* its name in the log, borrowed from the app */
    unsigned closing;    /* on_close functions that run, and callbacks that still use it */
    uint16_t failure;    /* the status of its error's answer, unless the script gives it another */
    uint8_t skip;        /* segments of the path that are `prefix`: 0 or 1 */
    bool detached;       /* the task outlives its client */
    bool told;           /* a write was answered nil, "closed": the next one raises */
    bool finished;       /* by the script: it must not write any more */
    bool recovering;     /* the task answers in place of one that died of an error */
    bool partly;         /* the body is not read as a whole: bytes were, or it is in parts */
};

/* Starts the task that answers `stream`, with what app_serve was called with and has found. */
void exchange_start(struct app *app, struct stream *stream, size_t skip, const char *prefix,
                    const struct route_match *match);
/* The exchange of the stream userdata at `index`, NULL when it is over. Raises for another value.
 */
struct exchange *exchange_get(lua_State *L, int index);
/* The same, but raises when it is over. */
struct exchange *exchange_check(lua_State *L, int index);
/* The exchange of a stream; NULL: it has none. */
struct exchange *exchange_of(const struct stream *stream);
/* Pushes the table of fields of the userdata at `index`, made when it is first asked for. stack: +1
 */
void exchange_push_fields(lua_State *L, int index);
/* stack: +1 */
void exchange_push(struct exchange *exchange, lua_State *L);
/* What a write to a stream that is over returns: nil, nil, "closed" the first time, then an error.
 */
int exchange_refuse_write(lua_State *L, int index);
/* What a task waits for of a stream. */
extern const struct wait exchange_writing, exchange_flushing;
int exchange_wait(struct exchange *exchange, struct task *task, const struct wait *wait,
                  uint64_t ms);
/* The `disarm` of such a wait, and of those for the body. */
void exchange_disarm(struct task *task);
/* The task that waits so; NULL: none. */
struct task *exchange_waiter(struct exchange *exchange, const struct wait *wait);
/* What is published and not sent will be dropped: who flushes is told. */
void exchange_drop(struct exchange *exchange);
/* Of the exchange `arg`: its request, for what is told of it. */
void exchange_origin(void *arg, struct log_origin *out);
/* Frees the exchange when nothing of it goes on. */
void exchange_settle(struct exchange *exchange);
/* Ends the stream because its generation is too old; false: it had ended. A task that answers is
 * left to whoever cancels it. */
bool exchange_expel(struct exchange *exchange);
/* All streams of a generation are to be ended, by exchange_expel_some. */
void exchange_expel_all(struct generation *gen);
/* Ends the next few of those, server-sent events with a `retry:`, so that others get their turn.
 * False: all are, and the rest of the generation is cancelled. */
bool exchange_expel_some(struct generation *gen);
/* Looks up what each request needs, once for each generation, when weir.core is filled. */
void exchange_prepare(lua_State *L);
/* Frees that of a stream which goes on without Lua, and aborts the stream of another. */
void exchange_forget(struct exchange *exchange);

/* --- the task that answers: answerer.c --- */

/* A new one, not ready yet: its function and arguments go on ->co. */
struct task *answerer_new(struct exchange *exchange);

/* --- the answer: answer.c --- */

/* Raises what a stream function refused of what `what` was called with. */
int answer_refuse(lua_State *L, const char *what, int error);

/* --- the body: body.c --- */

/* Whether there will be no more bytes, and the body is not whole; nil and why, two values. */
bool body_is_broken(const struct exchange *exchange);
int body_push_broken(const struct exchange *exchange, lua_State *L);
/* Of a task that waits: whether that is for bytes of the body, and how many of them are enough. */
bool body_is_awaited(const struct task *task);
size_t body_enough(const struct task *task);
/* A blocking function's call, with the stream at 1, for what `push` gives of its body: the number
 * of values that it pushes, 0 when it is to be waited for. `wait` takes it then, and task->amount
 * is `n`. `whole` as stream_want_body has it. */
int body_await(lua_State *L, const struct wait *wait, size_t n, uint64_t whole,
               int (*push)(struct exchange *exchange, lua_State *L, size_t n));
/* stream, n -> nil, bytes that are here | nil, nil [, why]: waits for `n` of them, or for those of
 * GATHER_MS, and takes none. */
int body_gather(lua_State *L);
/* NULL is allowed. */
void parts_free(struct parts *parts);

/* stack: a stream's userdata, a key, what `stream.claims` is being set to. Takes sub and exp from
 * it: see http/grant. */
void claims_take(lua_State *L);
/* The stream's claims become `claims`, which may be borrowed, and its end moves. Of a stream that
 * goes on without Lua only the end is left. */
void claims_renew(struct stream *stream, struct json_t *claims, int64_t end_ms);

/* Metatable and methods. stack: core table on top, 0. */
void bind_stream(lua_State *L);
void bind_answer(lua_State *L);
void bind_file(lua_State *L);
void bind_body(lua_State *L);
void bind_parts(lua_State *L);
void bind_claims(lua_State *L);
void bind_subscribe(lua_State *L); /* of topics, by a stream or by a task */
void bind_streams(lua_State *L);   /* those of all workers */
void bind_clients(lua_State *L);   /* rates, trusted proxies */

#endif
