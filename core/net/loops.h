/* loops: the loops of the process that others may ask, and asking all of them. */
#ifndef NET_LOOPS_H
#define NET_LOOPS_H

#include "net/loop.h"

struct question;

/* From now on it is asked, and may ask; from its own thread, or before it runs. */
void loops_join(struct loop *loop);
/* From its own thread, before loop_fini, when nothing that it asked for is of use any more: what it
 * has not answered it is not asked, what it has asked ends elsewhere (see loops_visit). */
void loops_leave(struct loop *loop);
/* Calls `visit` for each loop that has joined, `home` among them, on that loop's own thread, in one
 * turn after the other until it returns false; then `done`, once. That is on the thread of `home`,
 * which calls this and has joined; if it leaves before, it is from within loops_leave, or on the
 * thread of whoever answers last, and all there is to do is to free `arg`. Visits to several loops
 * may run at the same time, so what they change of `arg` needs a lock; `done` sees what they did
 * without. A loop that leaves meanwhile is passed over. The result is there until `done`. */
struct question *loops_visit(struct loop *home, bool (*visit)(struct loop *loop, void *arg),
                             void (*done)(void *arg), void *arg);
/* From home's thread before `done`, or from within a visit: those that have not begun are not made,
 * and `done` comes all the same. How many. For who asked a loop that does not turn, so that what it
 * is asked does not pile up, and for who knows enough. */
int loops_withdraw(struct question *question);

/* How long the turns of all that have joined lasted, and of those that have left; any thread. */
void loops_turns(struct histogram *turns);

#endif
