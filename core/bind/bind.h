/* bind: the functions of weir.core that are not about streams or apps. Each fills the core
 * table that is on top of the stack. */
#ifndef BIND_BIND_H
#define BIND_BIND_H

#include "auth/strict_json.h"
#include "base/buf.h"
#include "base/counter.h"

#include <lua.h>

struct json_t; /* jansson's */

void bind_task(lua_State *L);    /* weir.sleep, spawn, join and defer; the metatable of tasks */
void bind_process(lua_State *L); /* limits, log: what concerns the whole process */
void bind_stats(lua_State *L);
void bind_group(lua_State *L); /* what weir.all, race and timeout are */
void bind_channel(lua_State *L);
void bind_shared(lua_State *L);
void bind_fs(lua_State *L);
void bind_writer(lua_State *L);
/* Sets a header field in the table on top of the stack, or joins the value by ", " to what it has
 * under that name (RFC 9110 section 5.3). The name is in lower case. */
void bind_add_field(lua_State *L, struct str name, struct str value);
/* What the writer at `index` writes next: to add to. Raises where there is none. */
struct buf *bind_writer_bytes(lua_State *L, int index);
void bind_iterator(lua_State *L); /* what weir.tail, logs:follow and logs:search return */
void bind_tail(lua_State *L);
void bind_logs(lua_State *L);
void bind_log_search(lua_State *L);
/* Pushes what a look at logs gives, an event's name, data and id (nil: it has none), and returns 3.
 */
int bind_push_logs_event(lua_State *L, const char *name, struct str data, struct str id);
void bind_store(lua_State *L);
void bind_jwt(lua_State *L);
extern const struct counter_row token_counter_rows[]; /* of tokens that were refused */
void bind_text(lua_State *L);
/* Pushes a JSON object of strict_json_parse's, which limits its depth, as a table. The stack must
 * have room for BIND_OBJECT_STACK. stack: +1 */
#define BIND_OBJECT_STACK (3 * STRICT_JSON_DEPTH + 1)
void bind_push_object(lua_State *L, struct json_t *object);

/* Topics: publishing and what they keep. */
void bind_publish(lua_State *L);
void bind_history(lua_State *L);
/* The topic's name at `index`; raises where it is not allowed. */
struct str bind_check_topic(lua_State *L, int index, const char *what);
/* Pushes {topic, id, event, data, key}; `text` is an SSE event. stack: +1 */
void bind_push_event(lua_State *L, struct str topic, struct str key, struct str text);

#endif
