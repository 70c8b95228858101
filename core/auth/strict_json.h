/* strict_json: a JSON object as a token or a set of keys may hold it. */
#ifndef AUTH_STRICT_JSON_H
#define AUTH_STRICT_JSON_H

#include "auth/reason.h"
#include "base/str.h"

#include <jansson.h>

#define STRICT_JSON_DEPTH 32 /* levels of objects and arrays, the outermost counts */
#define STRICT_JSON_EBAD (-10321)

/* `text` is one object and nothing else; free it with json_decref. Refused are names that come
 * twice in one object or hold NUL, what is not UTF-8, and what is nested deeper than that. All
 * numbers are reals; what no double comes near is null. 0, or STRICT_JSON_EBAD with the reason,
 * which begins with `what`. */
int strict_json_parse(struct str text, const char *what, json_t **out, struct reason *why);
/* The string at `name`, borrowed; empty with a NULL ptr when there is none or it is no string. */
struct str strict_json_string(const json_t *object, const char *name);

#endif
