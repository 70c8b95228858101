/* host: apps that answer on one loop: listeners, an HTTP server, and who gets which request. */
#ifndef SERVE_HOST_H
#define SERVE_HOST_H

#include "http/server.h"
#include "exchange/app.h"
#include "serve/doors.h"
#include "serve/pages.h"
#include "serve/reload.h"
#include "serve/source.h"

struct host;

struct host *host_new(struct loop *loop, struct scheduler *scheduler, const struct limits *limits);
/* Before apps are loaded: who reloads them, each by its place in `sources`. */
void host_use_reloads(struct host *host, struct reloads *reloads);
/* Watch mode: pages follow their apps. */
void host_use_pages(struct host *host, struct pages *pages);
/* The part of the hub that is its loop's. */
struct reader *host_reader(struct host *host);
/* Adds an app of a generation that is not the host's; `prefix` is "" or "/name", copied. */
void host_add(struct host *host, const char *prefix, struct app *app);
/* Loads the apps of `sources`, each in a generation of the host's own. Each has its place there,
 * `index`, even if it failed: see host_error. */
void host_load_sources(struct host *host, const struct sources *sources);
/* Why the app at `index` could not be loaded or started, "file:line: reason" and a traceback; NULL:
 * it could. */
const char *host_error(struct host *host, int index);
/* Answers 503 for an app that failed here or in another worker, and ends what it had begun. */
void host_disable(struct host *host, int index);
/* Loads one PATH. 0, or -1 with the first error in `*error` (free it). */
int host_load(struct host *host, const char *path, char **error);
/* Runs the on_start functions of what was loaded, START_MS at most. `done` gets a copy of the first
 * error (free it), or NULL; host_error has all. Nothing has taken over yet. */
void host_start(struct host *host, bool first_worker,
                void (*done)(struct host *, char *error, void *arg), void *arg);
/* The generations take over: their background tasks start. */
void host_take_over(struct host *host);
/* The steps of a reload, see reload.h. Loads the app at `index` again, beside what serves: NULL, or
 * why not (free it). */
char *host_load_next(struct host *host, int index, unsigned number);
/* Runs its on_start functions; `done` with NULL, or the first error. */
void host_start_next(struct host *host, int index, bool first_worker,
                     void (*done)(char *error_take, void *arg), void *arg);
/* What it says of topics holds from now on, in the whole process. */
void host_apply_rules(struct host *host, int index);
/* It has taken over: `done` when no background task of older ones is left here. */
void host_retire(struct host *host, int index, void (*done)(void *arg), void *arg);
/* Its background tasks start. */
void host_begin(struct host *host, int index);
/* It failed, here or elsewhere. */
void host_drop_next(struct host *host, int index);
/* Where its connections come from. */
struct doors *host_doors(struct host *host);
/* Takes no new connections, ends streams well; `drained` is called when none is left. */
void host_drain(struct host *host, void (*drained)(void *arg), void *arg);
/* Closes everything, then calls `closed`, and frees the host. */
void host_close(struct host *host, void (*closed)(void *arg), void *arg);
struct http_server *host_http(struct host *host);
/* Each route, a line: "GET     /hello/:name". */
void host_list_routes(struct host *host, struct buf *out);
/* The apps, from 0 on; NULL: there is no more. */
struct mount *host_mount(struct host *host, int index);
/* Logs every live stream and every task that waits, with its traceback. */
void host_inspect(struct host *host);

/* Of the process: the newest limit drain_timeout, ms. From any thread. */
uint64_t host_drain_timeout(void);

#define START_MS 10000
#define START_LATE                                                                                 \
    "app:on_start did not return within 10 s; start what goes on with weir.background"

#endif
