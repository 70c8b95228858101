/* redact: what of a line nobody is to see. */
#ifndef LOGS_REDACT_H
#define LOGS_REDACT_H

#include "base/buf.h"

#define REDACT_RULES 32        /* that are not presets */
#define REDACT_TEXT_BYTES 1024 /* of a pattern, and of what stands in its place */

struct redact;

struct redact *redact_new(void);
void redact_free(struct redact *redact);
/* "tokens" or "addresses": false, it is neither. */
bool redact_preset(struct redact *redact, struct str name);
/* What the pattern matches is replaced by `with`, as it stands. 0, or -1 and `why`: too many, a
 * text that is too long, a pattern that cannot be compiled. */
int redact_add(struct redact *redact, struct str pattern, struct str with, char *why, size_t n);
/* Whether each line in which the text stands when it is redacted has it before that, in upper or
 * lower case: then the others need not be redacted by who looks for it. */
bool redact_only_hides(const struct redact *redact, struct str text);
/* The line as it may be shown: itself, or borrowed until the next call. One in which a rule takes
 * too many steps, or of which this is but a piece (`cut`), is withheld: a text that says so stands
 * in its place. */
struct str redact_line(struct redact *redact, struct str line, bool cut);

#endif
