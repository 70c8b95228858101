/* cli_signals: what the process is told by signals. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

/* The bits of signals_wait. */
#define SIGNAL_END 1     /* SIGTERM, SIGINT */
#define SIGNAL_RELOAD 2  /* SIGHUP */
#define SIGNAL_INSPECT 4 /* SIGUSR1 */
#define SIGNAL_REOPEN 8  /* SIGUSR2 */

/* A pipe or file that cannot be written is an error of the call, not the end of the process. */
void signals_survive(void);
/* From now on signals wait for signals_wait; the second one to end ends the process at once, with
 * EXIT_FAILED, whatever it does. Once. 0 or a negative errno. */
int signals_catch(void);
/* Those that have come since the last call, after `ms` at most. From the main thread. */
unsigned signals_wait(int ms);

#endif
