/* pages: open pages that follow their app, in watch mode. */
#ifndef SERVE_PAGES_H
#define SERVE_PAGES_H

#include "http/stream.h"
#include "read/turn.h"

struct pages;

struct pages *pages_new(int apps);
void pages_free(struct pages *pages);
/* On behalf of `reader`'s worker, always the same: the app has changed, or, when there is an error,
 * has failed to. Open pages reload, or show it. */
void pages_tell(struct pages *pages, struct reader *reader, int app, const char *error);
/* Its files have changed: open pages reload, and show the same error as before, if any. */
void pages_refresh(struct pages *pages, struct reader *reader, int app);
/* The script line for the end of an answer of the app, of content type `type` unless one is set, if
 * it is a page. From any thread. */
void pages_end(const struct pages *pages, int app, const struct stream *stream, const char *type,
               struct buf *out);
/* Answers the paths below /.weir/, on the loop of `reader`. False: it is none of these. */
bool pages_serve(struct stream *stream, struct reader *reader);

#endif
