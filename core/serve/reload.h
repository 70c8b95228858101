/* reload: a newer generation of an app takes over in all workers at once, or in none. */
#ifndef SERVE_RELOAD_H
#define SERVE_RELOAD_H

#include "serve/source.h"

#include <stdbool.h>

struct host;
struct lineage;
struct loop;
struct pages;
struct reloads;

/* Who is told; members may be NULL. */
struct reload_events {
    void *arg;
    /* From any worker's thread: a generation has loaded the Lua file, or looked for it. */
    void (*looked)(void *arg, int app, const char *path);
    /* From the first worker's thread: a newer generation is about to be loaded; */
    void (*began)(void *arg, int app);
    /* it has taken over, or has failed: why, "file:line: reason" and a traceback. Of one that has
     * failed at the server's start from the main thread. */
    void (*ended)(void *arg, int app, const char *error);
};

/* For all apps of `sources` in so many workers; what is passed must outlive it. `pages`: those that
 * follow their apps; NULL: none do. */
struct reloads *reloads_new(const struct sources *sources, int workers,
                            const struct reload_events *events, struct pages *pages);
/* When all loops have ended. */
void reloads_free(struct reloads *reloads);
/* What the generations of the app have in common. */
struct lineage *reloads_lineage(struct reloads *reloads, int app);
/* In the worker's thread, before it loads its apps; the first one's loop coordinates. */
void reloads_join(struct reloads *reloads, int worker, struct loop *loop, struct host *host);
/* In the worker's thread: its host is going to close. */
void reloads_leave(struct reloads *reloads, int worker);
/* The first generations serve, but for those apps whose error is not NULL. From now on requests are
 * followed. */
void reloads_open(struct reloads *reloads, char *const *errors);

/* Asks for a newer generation of the app, even if nothing has changed. From any thread. One that is
 * asked for during a reload runs after it. */
void reloads_request(struct reloads *reloads, int app);
/* Whether one is asked for, or goes on, of any app. From any thread. */
bool reloads_go_on(const struct reloads *reloads);
/* Open pages of the app are to be reloaded: one of its other files has changed. From any thread.
 */
void reloads_refresh(struct reloads *reloads, int app);

#endif
