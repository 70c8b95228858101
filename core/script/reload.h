/* reload: a newer generation of an app takes over in all workers at once, or in none. */
#ifndef SCRIPT_RELOAD_H
#define SCRIPT_RELOAD_H

#include "script/source.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct host;
struct loop;
struct reload; /* of one app */
struct reloads;
struct pages;

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
struct reload *reloads_of(struct reloads *reloads, int app);
/* In the worker's thread, before it loads its apps; the first one's loop coordinates. */
void reloads_join(struct reloads *reloads, int worker, struct loop *loop, struct host *host);
/* In the worker's thread: its host is going to close. */
void reloads_leave(struct reloads *reloads, int worker);
/* The first generations serve, but for those apps whose error is not NULL. From now on requests are
 * followed. */
void reloads_open(struct reloads *reloads, char *const *errors);

/* Asks for a newer generation of the app, be it changed or not. From any thread. One that is asked
 * for during a reload comes after it. */
void reload_request(struct reload *reload);
/* Open pages of the app are to be loaded anew: one of its other files has changed. From any thread.
 */
void reload_refresh(struct reload *reload);
/* The generation that answers; 0: none does. */
unsigned reload_current(const struct reload *reload);
/* Whether anybody wants to know; then, that a generation of the app has loaded that file, or looked
 * for it. */
bool reload_is_watched(const struct reload *reload);
void reload_looked(struct reload *reload, const char *path);

struct reload_counters {
    uint64_t live;     /* generations, of all apps and workers */
    uint64_t reloads;  /* that took over */
    uint64_t failures; /* that did not */
    uint64_t expelled; /* streams ended since their generation was too old */
};
void reload_totals(struct reload_counters *totals);
/* For mounts. */
void reload_count_live(int more);
void reload_count_expelled(unsigned more);

#endif
