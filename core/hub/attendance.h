/* attendance: one subject on one topic whose rule has its coming and going told. */
#ifndef HUB_ATTENDANCE_H
#define HUB_ATTENDANCE_H

#include "base/str.h"

#include <stdint.h>

struct attendance;
struct name;
struct reader;
struct topic;

/* Publishes what is to be told, on behalf of the reader's worker. Without the lock. */
void attendance_tell(struct reader *reader);

/* Calls `each` for every subject that is subscribed to the topic, perhaps more than once; returns
 * how many streams are. */
typedef void attendance_each(void *arg, struct str subject, uint32_t streams);
uint32_t attendance_list(struct str topic, attendance_each *each, void *arg);

/* --- for core/hub and core/read, under the lock --- */

/* Streams subscribed to exactly this name, or to a prefix of it. */
uint32_t attendance_streams(const struct name *name);

/* One stream more of the subject names the topic. NULL: nobody is told of that. */
struct attendance *attendance_join(struct topic *topic, struct str subject);
/* One fewer; NULL: as attendance_join said. */
void attendance_leave(struct attendance *attendance);
/* For tests: forgets who has left, and what is to be told. */
void attendance_clear(void);

#endif
