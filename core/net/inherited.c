/* inherited: listening sockets that whoever started this process has opened for it.
 *
 *     LISTEN_PID=4711 LISTEN_FDS=2 LISTEN_FDNAMES=web:inner --> descriptors 3 and 4
 *
 * That is systemd's socket activation (sd_listen_fds(3)), by hand: the manager listens before the
 * server is there and while another takes its place, so that no client is refused meanwhile. What
 * is said to another process is not for this one. A socket of another kind than is served here is
 * an error, told with its name, rather than one that never answers. */
#include "net/inherited.h"

#include "base/buf.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3

static int refuse(char **error, struct buf *text) {
    buf_add_char(text, '\0');
    *error = text->data;
    return -1;
}

/* The name at that place in "web:inner"; empty: it has none. */
static struct str name_at(const char *names, int place) {
    struct str rest = str_of(names), name = {NULL, 0};
    for (int i = 0; i <= place; i++) {
        if (rest.ptr == NULL)
            return rest;
        name = str_cut(&rest, ':');
    }
    return name;
}

static int option(int fd, int which) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, which, &value, &len) == 0 ? value : -errno;
}

/* NULL: nothing. */
static const char *what_is_wrong(int fd) {
    int domain = option(fd, SO_DOMAIN);
    if (domain == -EBADF)
        return "is not open";
    if (domain < 0)
        return "is no socket";
    if (domain != AF_INET && domain != AF_INET6)
        return "is no TCP socket; write ListenStream=ADDRESS:PORT in the socket unit";
    if (option(fd, SO_TYPE) != SOCK_STREAM)
        return "is no TCP socket; write ListenStream=, not ListenDatagram=, in the socket unit";
    if (option(fd, SO_ACCEPTCONN) != 1)
        return "does not listen; write Accept=no in the socket unit";
    return NULL;
}

static int take(int fd, struct inherited *out, struct str name, char **error) {
    const char *wrong = what_is_wrong(fd);
    if (wrong) {
        struct buf text = {0};
        buf_printf(&text, "LISTEN_FDS: descriptor %d%s%.*s%s %s", fd, name.len ? " (" : "",
                   STR_ARG(name), name.len ? ")" : "", wrong);
        return refuse(error, &text);
    }
    struct address address;
    out->fd = fd;
    listener_adopt(fd, &address);
    address_format(&address, out->host);
    out->port = address.port;
    return 0;
}

/* How many there are for this process; -1: the environment makes no sense. */
static int count_of(const char *pid, const char *fds, char **error) {
    uint64_t number, count;
    if (pid == NULL || fds == NULL || str_to_u64(str_of(pid), &number) < 0 ||
        number != (uint64_t)getpid())
        return 0;
    if (str_to_u64(str_of(fds), &count) == 0 && count <= INHERITED_MAX)
        return (int)count;
    struct buf text = {0};
    buf_printf(&text, "LISTEN_FDS=%s: expected a number of sockets, %d at most", fds,
               INHERITED_MAX);
    return refuse(error, &text);
}

int inherited_take(struct inherited out[INHERITED_MAX], char **error) {
    const char *names = getenv("LISTEN_FDNAMES");
    int count = count_of(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), error);
    for (int i = 0; i < count; i++)
        if (take(FIRST_FD + i, &out[i], name_at(names, i), error) < 0) {
            count = -1;
            break;
        }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count;
}
