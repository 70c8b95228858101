/* shell: os.execute for scripts.
 *
 * Lua's own calls system(3), which makes the whole process ignore SIGINT and SIGQUIT until the
 * command has ended. That suits a shell of one thread, which waits with its child in the foreground
 * of a terminal; a server that has a worker in a long command could not be told to end. So the
 * command is started and waited for here, and nothing is done to the signals of this process. The
 * child has none blocked and none ignored, as if somebody had started it by hand.
 *
 * It blocks its worker, as it must. It knows nothing of tasks. */
#include "vm/shell.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status as wait(2) tells it, or -1. */
static int run(char *command) {
    char name[] = "sh", option[] = "-c";
    char *const args[] = {name, option, command, NULL};
    posix_spawnattr_t how;
    sigset_t none, all;
    pid_t pid;
    int status;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&pid, "/bin/sh", NULL, &how, args, environ);
    posix_spawnattr_destroy(&how);
    if (rc != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int shell_execute(lua_State *L) {
    const char *command = luaL_optstring(L, 1, NULL);
    lua_pushinteger(L, command ? run((char *)command) : access("/bin/sh", X_OK) == 0);
    return 1;
}
