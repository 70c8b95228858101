/* server: the program under test, a process that can be killed and started again on its port. */
#ifndef TESTS_EXACT_SERVER_H
#define TESTS_EXACT_SERVER_H

/* Starts `command` (ended by NULL) and waits until it listens. It dies with this process. */
void server_start(char **command);
/* kill -9, then the same again on the same port. */
void server_restart(void);
/* SIGTERM; a server that does not end by itself with 0 fails. */
void server_stop(void);
/* A connected socket that does not block, -1: nobody listens. `small`: with a small buffer. */
int server_connect(int small);

#endif
