/* server: starts the program under test, kills it, starts it again.
 *
 *     nothing --start--> listening --restart--> dead --> listening on the same port
 *        ^------------------- stop -----------------------------'
 *
 * The first start asks for any port; the later ones insist on it, so that clients find it again. */
#include "server.h"

#include "ledger.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 30
#define SMALL_BUFFER 4096

static char *arguments[ARGUMENTS_MAX + 1];
static char listen_option[] = "--listen";
static char address[32] = "127.0.0.1:0";
static int port;
static pid_t pid;
static FILE *output; /* of the server, open while it lives */

static void run(int out) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    execv(arguments[0], arguments);
    perror(arguments[0]);
    _exit(127);
}

static void await_listening(void) {
    char line[256];

    while (fgets(line, sizeof line, output))
        if (sscanf(line, "weir: listening on http://127.0.0.1:%d", &port) == 1)
            return;
    ledger_fail("the server ended before it listened");
}

static void launch(void) {
    int out[2];

    if (pipe2(out, O_CLOEXEC) || (pid = fork()) < 0)
        ledger_fail("cannot start the server: %m");
    if (pid == 0)
        run(out[1]);
    close(out[1]);
    output = fdopen(out[0], "r");
    await_listening();
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
}

void server_start(char **command) {
    int count = 0;

    while (count < ARGUMENTS_MAX - 2 && command[count]) {
        arguments[count] = command[count];
        count++;
    }
    arguments[count++] = listen_option;
    arguments[count] = address;
    launch();
}

void server_restart(void) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fclose(output);
    launch();
}

void server_stop(void) {
    int status;

    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    fclose(output);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        ledger_fail("the server ended with status %d", status);
}

int server_connect(int small) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, size = SMALL_BUFFER;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        ledger_fail("cannot make a socket: %m");
    if (small)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}
