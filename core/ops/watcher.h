/* watcher: reloads an app when one of its files changes, for `weir serve --watch`. */
#ifndef OPS_WATCHER_H
#define OPS_WATCHER_H

#include "serve/crew.h"

struct watcher;

#define WATCHER_DEBOUNCE_MS 50 /* a change is followed when nothing more has come for so long */

/* For the apps of `sources`, which must outlive it. NULL with the reason in `*error` (free it). */
struct watcher *watcher_new(const struct sources *sources, char **error);
/* What the crew has to tell it. */
const struct reload_events *watcher_events(struct watcher *watcher);
/* From now on changes make `crew` reload. */
void watcher_start(struct watcher *watcher, struct crew *crew);
/* Nothing is reloaded any more when it has returned; what the crew still tells is ignored. */
void watcher_stop(struct watcher *watcher);
/* When the crew has ended. */
void watcher_free(struct watcher *watcher);

#endif
