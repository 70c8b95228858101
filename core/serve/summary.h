/* summary: what an app's README says of it, in a line. */
#ifndef SERVE_SUMMARY_H
#define SERVE_SUMMARY_H

#include "base/buf.h"

#define SUMMARY_MAX 200 /* bytes of a line, without the dots behind one that is cut */

/* Appends the line that the text of a README has for its reader; nothing, if there is none. */
void summary_of(struct str text, struct buf *out);
/* Appends that of the README.md in a folder; nothing, if there is none that can be read. */
void summary_read(const char *folder, struct buf *out);

#endif
