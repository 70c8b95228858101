/* cli: the command line. Each command gets what follows its name and returns the exit code. */
#ifndef CLI_H
#define CLI_H

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cli_main(int argc, char **argv);

int cli_serve(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_routes(int argc, char **argv);
int cli_spec(int argc, char **argv);
int cli_new(int argc, char **argv);
int cli_token(int argc, char **argv);

/* Runs luacheck, if it is installed, in `folder` over `what`, a file or a folder. 0, or an exit
 * code when it has found something, which is on standard error. */
int cli_luacheck(const char *folder, const char *what);

/* Prints "weir COMMAND: message" and how to use the command, to standard error. Returns EXIT_USAGE.
 */
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints "weir: message" to standard error. Returns EXIT_FAILED. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
