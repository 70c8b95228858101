/* cli_luacheck: luacheck over an app's Lua files, for `weir check`.
 *
 * It finds what loading cannot: a global that nobody set, a variable that nobody uses. A program
 * of its own, it is looked for on the PATH. Which globals there are is told by lua/luacheckrc,
 * which is embedded and handed over as a file in memory; an app with a .luacheckrc of its own has
 * its way. What luacheck finds goes to standard error as it is, "file:line:column: what". */
#include "cli.h"

#include "base/embedded.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A descriptor that the child inherits, or -1. */
static int open_config(void) {
    const struct embedded *config = embedded_find("luacheckrc");
    int fd = memfd_create("luacheckrc", 0);
    if (fd >= 0 && write(fd, config->data, config->len) == (ssize_t)config->len)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* In the app's folder, since a .luacheckrc is looked for from there upwards. 0 or an errno. */
static int spawn_in(pid_t *pid, char **args, const char *folder) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int rc = posix_spawnp(pid, args[0], &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int exit_code(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int cli_luacheck(const char *folder, const char *what) {
    int config = open_config();
    if (config < 0)
        return cli_fail("luacheck: %s", strerror(errno));
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", config);
    char *args[] = {"luacheck",         "--no-color", "--codes",    "--formatter", "plain",
                    "--default-config", path,         (char *)what, NULL};
    pid_t pid;
    int rc = spawn_in(&pid, args, folder);
    close(config);
    if (rc == ENOENT) {
        printf("luacheck is not installed, so globals were not looked at; `apt install lua-check` "
               "or `luarocks install luacheck` changes that\n");
        return 0;
    }
    if (rc != 0)
        return cli_fail("luacheck: %s", strerror(rc));
    rc = exit_code(pid);
    return rc >= 0 && rc <= 2 ? rc : cli_fail("luacheck ended with %d", rc);
}
