/* cstack: the C stack of a thread that runs Lua. */
#ifndef VM_CSTACK_H
#define VM_CSTACK_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread with a large one. 0, or an errno. */
int cstack_start(pthread_t *thread, void *(*run)(void *), void *arg);
/* Runs `main` in such a thread and waits for it. */
int cstack_call(int (*main)(int, char **), int argc, char **argv);
/* Whether less is left than one coroutine may need. Never in a thread that was started otherwise.
 */
bool cstack_is_deep(void);
/* Gives back the memory that lies unused below the caller. */
void cstack_trim(void);

#endif
