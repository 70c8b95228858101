/* admin: the second endpoint of a server, for who operates it. */
#ifndef OPS_ADMIN_H
#define OPS_ADMIN_H

#include "ops/gate.h"

struct admin;
struct crew;

/* How many descriptors it takes at most. */
unsigned admin_descriptors(void);
/* Answers on the listening socket `fd`, which is taken, from now on: it is not ready. 0 or a libuv
 * error. */
int admin_start(int fd, const struct gate *gate, struct admin **out);
/* The crew serves: it is ready. */
void admin_serve(struct admin *admin, struct crew *crew);
/* The crew drains: it is ready no more. */
void admin_drain(struct admin *admin);
/* Before the crew is freed. */
void admin_stop(struct admin *admin);

#endif
