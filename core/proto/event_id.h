/* event_id: a position in the order of all events of a server. */
#ifndef PROTO_EVENT_ID_H
#define PROTO_EVENT_ID_H

#include "base/str.h"

/* Milliseconds since 1970 in the upper 44 bits, a sequence number within them in the lower 20: ids
 * compare as numbers. 0: before all events. */
typedef uint64_t event_id;

#define EVENT_ID_SEQUENCE_BITS 20
#define EVENT_ID_TEXT 24 /* "17592186044415-1048575" and a NUL */
#define EVENT_ID_NONE UINT64_MAX

/* The first id of a millisecond. */
event_id event_id_at(uint64_t ms);
uint64_t event_id_ms(event_id id);
/* "<milliseconds>-<sequence>", 13 and 7 digits, NUL-terminated; returns its length. */
size_t event_id_format(event_id id, char out[EVENT_ID_TEXT]);
/* What event_id_format writes, and the same with fewer zeroes in front. 0, or -1. */
int event_id_parse(struct str text, event_id *out);

#endif
