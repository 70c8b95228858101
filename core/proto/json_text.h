/* json_text: what of RFC 8259's grammar lenient JSON parsers let pass. */
#ifndef PROTO_JSON_TEXT_H
#define PROTO_JSON_TEXT_H

#include "base/buf.h"

/* Looks at strings, numbers and what stands between tokens, not at how tokens follow each other: a
 * parser does that. NULL, or what is wrong, with the offset of the first byte concerned in `*at`.
 */
const char *json_text_check(struct str text, size_t *at);

/* The next number at or behind `*at`, outside of strings, borrowed from `text`; `*at` moves behind
 * it. False at the end. What only looks like a number is passed over. */
bool json_text_next(struct str text, size_t *at, struct str *number);
/* Whether a number is beyond a double. */
bool json_text_is_infinite(struct str number);

/* Appends `text` as a JSON string, quotes and all; bytes that are not UTF-8 become U+FFFD. */
void json_text_quote(struct buf *out, struct str text);

#endif
