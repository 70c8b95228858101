/* console: standard output and standard error of a server. */
#ifndef BASE_CONSOLE_H
#define BASE_CONSOLE_H

/* From now on the log, and whatever is written to `stdout` and `stderr`, by scripts too, goes
 * through scribes: nobody waits for who reads it. 0 or a negative errno. */
int console_open(void);
/* A line of standard output that is never dropped, however little is read. */
void console_announce(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What was said is written, if it can be in a second. Harmless without console_open. */
void console_finish(void);

#endif
