/* own_pages: the pages that are the server's own, not an app's. */
#ifndef SERVE_OWN_PAGES_H
#define SERVE_OWN_PAGES_H

#include "serve/mount.h"

/* "/" of several apps: a link to each. */
void own_pages_index(struct stream *stream, const struct mount *apps, int count);
/* In place of an app that failed, in watch mode. 503. */
void own_pages_not_started(struct stream *stream);

#endif
