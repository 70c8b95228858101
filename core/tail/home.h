/* home: the loop on which files are followed, and its thread. */
#ifndef TAIL_HOME_H
#define TAIL_HOME_H

struct loop;
struct mail;

/* One more is followed: there is a thread with a loop from now on, which the mail goes to. 0 or a
 * negative errno: there are no descriptors, or threads, left for it. */
int home_enter(struct mail *mail);
/* From any thread, for one that has entered. */
void home_post(struct mail *mail);
struct loop *home_loop(void);
/* From its own thread: one less. After the last one the thread ends. */
void home_leave(void);
/* When nothing is followed any more: waits until its thread has ended. A second at most. */
void home_finish(void);
/* For tests: that loop in place of a thread; NULL: a thread again. */
void home_use(struct loop *loop);

#endif
