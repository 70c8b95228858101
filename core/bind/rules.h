/* rules: which lines of logs are wanted, and what is taken out of them, from Lua. */
#ifndef BIND_RULES_H
#define BIND_RULES_H

#include "logs/redact.h"
#include "logs/sift.h"

#include <lua.h>

/* All of these raise what is wrong where the script is. */

/* The rule on top, { kind, exclude, cased, text, value }, whose texts are borrowed from the stack.
 * stack: +5 */
struct sift_rule rules_read(lua_State *L);
/* Makes `*out`, which something that is collected owns, of a list of rules at `index`; of nil none.
 */
void rules_sift(lua_State *L, int index, struct sift **out, const char *what);
/* Adds a list at `index`, of names of presets and of { pattern, with }. */
void rules_redact(lua_State *L, int index, struct redact *redact);
/* Microseconds of the seconds at `index`; nil: STAMP_NONE. */
int64_t rules_time(lua_State *L, int index);

#endif
