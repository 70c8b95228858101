/* durable_rig: the hub of hub_rig with a store in a folder of its own; both can begin anew. */
#ifndef TESTS_DURABLE_RIG_H
#define TESTS_DURABLE_RIG_H

#include "store/store.h"
#include "hub_rig.h"

/* A publication on its way. */
struct sent {
    struct publication publication;
    int done;  /* calls, */
    int error; /* and what the last one said */
    char text[600];
};

/* Every topic is durable and keeps all, until durable_rig_keep says otherwise. */
void durable_rig_init(struct hub_rig *rig);
/* No taker may be left. */
void durable_rig_fini(struct hub_rig *rig);
struct store *durable_rig_store(void);
void durable_rig_keep(uint64_t count, uint64_t age_ms, uint64_t bytes);
/* A rule of this name's own. */
void durable_rig_rule(const char *pattern, bool durable, uint64_t age_ms);
/* As a server that ends and starts again on the same folder; the rules are not given yet. */
void durable_rig_restart(void);

/* The same in two steps; in between a server without the folder may run. */
void durable_rig_stop(void);
void durable_rig_start(void);
/* Waits until the store's writer has nothing to do. */
void durable_settle(void);
/* Lets time pass, and the store do what it is asked for then. */
void durable_pass(struct hub_rig *rig, uint64_t ms);

/* Publishes on behalf of the first reader, whose data is the next serial number; `pad` bytes of a
 * comment make it longer. Does not wait. */
void durable_send(struct hub_rig *rig, struct sent *sent, const char *topic, const char *key,
                  int pad);
/* Waits for mail to the first reader's loop, and does all that is to be done now. */
void durable_turn(struct hub_rig *rig);
/* Turns that loop until the publication is done; returns its error. */
int durable_wait(struct hub_rig *rig, const struct sent *sent);
/* Both, for an event that has to succeed; returns its id. */
event_id durable_publish(struct hub_rig *rig, const char *topic);
/* Turns the first reader's loop until the taker has `count` events or gaps more, and then all that
 * is left to do now: what it has got. */
const char *durable_take(struct hub_rig *rig, struct taker *taker, int count);

/* The store's writer stands still behind what it has committed, or its reader before the next page,
 * until durable_release. One of them at a time. */
void durable_hold_writer(void);
void durable_hold_reader(void);
void durable_release(void);

#endif
