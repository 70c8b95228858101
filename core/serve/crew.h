/* crew: the worker threads of a process, all serving the same apps. */
#ifndef SERVE_CREW_H
#define SERVE_CREW_H

#include "base/limits.h"
#include "serve/reload.h"
#include "serve/source.h"
#include "vm/guard.h"

#include <lua.h>

struct crew;

struct crew_options {
    const struct sources *sources;
    int workers, addresses;
    int shared;           /* of the addresses, the first ones: one socket for all workers */
    unsigned descriptors; /* that the process takes for itself; others are for clients */
    void (*library)(lua_State *L);      /* see struct scheduler */
    const char *access_log;             /* NULL: none */
    const struct reload_events *events; /* NULL: nobody wants to know */
    /* Watch mode: an app that does not start is awaited, though it be the only one; pages follow
     * their apps. */
    bool watch;
};

/* Starts the threads, loads the apps in each and runs their on_start functions. Returns when all
 * are ready. 0, or -1 with the reason in `*error` (free it); then the threads have ended. */
int crew_start(const struct crew_options *options, struct crew **out, char **error);
/* How many descriptors such a crew takes, and what goes with it: log, data, what is open for a
 * moment. */
unsigned crew_descriptors(int workers, int addresses);
/* Instead of crew_serve: the threads end. */
void crew_stop(struct crew *crew);
/* Each worker accepts on sockets of its own, bound to the same addresses: `fds[worker * addresses +
 * address]`; of those that are shared, copies of one, which is not ours alone. Taken. Background
 * tasks start. */
void crew_serve(struct crew *crew, const int *fds, int addresses);
/* The crew of this process, from crew_serve until crew_join has waited for its workers; NULL: there
 * is none. From any thread that ends before that: workers, what they have the pool do, the admin
 * endpoint. */
struct crew *crew_serving(void);
/* Loads the app at that place in the sources again; it takes over if it starts in every worker.
 * From any thread, until crew_join. */
void crew_reload(struct crew *crew, int app);
/* Whether such a reload is asked for, or goes on; the same. */
bool crew_reloads(struct crew *crew);
/* Open pages of the app are reloaded; the same. */
void crew_refresh(struct crew *crew, int app);
/* Ends: streams are ended well, within the limit drain_timeout. */
void crew_drain(struct crew *crew);
/* Every worker logs its live streams and suspended tasks. */
void crew_inspect(struct crew *crew);
/* While it serves, now and then: who has not turned for 2 s has another worker accept for it. */
void crew_look(struct crew *crew);
/* A worker that has not turned for a second; -1: all do. */
int crew_stuck(struct crew *crew);
/* From any thread, until crew_join: how many workers there are, from 0 on. */
int crew_count(const struct crew *crew);
/* For how many ms a worker has not come to what others ask of it; 0: it waits for that, or has
 * ended. */
uint64_t crew_busy_ms(struct crew *crew, int worker);
#define CREW_WHAT GUARD_WHAT
/* What it runs: the name of the app's task. */
void crew_running(struct crew *crew, int worker, char what[CREW_WHAT]);
/* How much CPU time its thread has taken, ns. */
uint64_t crew_cpu_ns(struct crew *crew, int worker);
/* The worker whose loop that is; -1: none. */
int crew_find(const struct crew *crew, const struct loop *loop);
/* On the worker's own thread: what it serves; NULL: nothing any more. */
struct host *crew_host(const struct crew *crew, int worker);
/* Whether every worker has ended, after `ms` at most. */
bool crew_ended(struct crew *crew, int ms);
/* Waits until every worker has ended, and frees. */
void crew_join(struct crew *crew);

#endif
