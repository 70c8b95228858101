/* world: one server after the other: the hub, two workers, a store on a disk that fails. */
#ifndef TESTS_SEEDS_WORLD_H
#define TESTS_SEEDS_WORLD_H

#include "http/server.h"
#include "read/turn.h"
#include "oracle.h"

#define WORKERS 2

struct worker {
    struct loop loop;
    struct http_server server;
    struct reader reader;
};

extern struct worker workers[WORKERS];

/* How a server ends. */
enum ending {
    END_WELL,  /* all that is queued is committed first */
    END_KILL,  /* kill -9: what was written is there */
    END_POWER, /* what was synced is there, of the rest anything */
};

/* The first server, with a store. */
void world_init(void);
/* It ends, and another begins, with the store or without. No client may be left. */
void world_restart(enum ending ending, bool data);
void world_fini(void);
struct store *world_store(void); /* NULL: it has none */

/* Waits until the store has done what it can. */
void world_wait(void);
/* Turns the loops until nothing is left to do; what waits for a disk that is held is left. */
void world_turn(void);
/* Turns one loop once. */
void world_step(void);
void world_pass(uint64_t ms);

/* New rules: what topics keep is drawn. `durable`: so is "v/1". */
void world_rules(bool durable);
void world_memory(uint64_t bytes);
/* The disk does not finish a sync of the log until it is released. */
void world_hold_disk(bool held);
bool world_holds_disk(void);
/* The next operations on the disk fail. */
void world_break_disk(void);
/* What topics have is within what they may. */
void world_check_bounds(void);

#endif
