/* attendance: one subject on one topic whose rule has its coming and going told. */
#ifndef HUB_ATTENDANCE_H
#define HUB_ATTENDANCE_H

#include "base/str.h"

#include <stdbool.h>

struct attendance;
struct reader;
struct topic;

/* Publishes what is to be told, on behalf of the reader's worker. Without the lock. */
void attendance_tell(struct reader *reader);

/* --- within core/hub, under the lock --- */

/* One stream more of the subject names the topic. NULL: nobody is told of that. */
struct attendance *attendance_join(struct topic *topic, struct str subject);
/* One fewer; NULL: as attendance_join said. */
void attendance_leave(struct attendance *attendance);
/* For tests: forgets who has left, and what is to be told. */
void attendance_clear(void);

#endif
