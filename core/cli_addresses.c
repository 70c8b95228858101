/* cli_addresses: where `weir serve` listens.
 *
 *     --listen HOST:PORT --> probed, one socket for each worker --bind--> --open--> accepting
 *     the service manager's socket --> copies of it, one for each worker ---------^
 *
 * Each worker has a socket of its own, among which the kernel deals out what comes. Addresses are
 * probed without SO_REUSEPORT first, or two servers would share a port without a word. A socket
 * that the service manager has opened (net/inherited) is one for all: whoever is free accepts, and
 * what comes before the server is there, or between one and the next, waits in it. */
#include "cli_addresses.h"

#include "base/console.h"
#include "base/mem.h"
#include "cli.h"
#include "net/inherited.h"
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(INHERITED_MAX <= ADDRESSES_MAX, "all that are inherited have a place");

/* --- which --- */

int addresses_inherit(struct addresses *addresses, char **error) {
    struct inherited taken[INHERITED_MAX];
    int count = inherited_take(taken, error);
    for (int i = 0; i < count; i++) {
        struct listening *one = &addresses->list[addresses->count++];
        snprintf(one->address.host, sizeof one->address.host, "%s", taken[i].host);
        one->address.port = taken[i].port;
        one->inherited = taken[i].fd;
    }
    addresses->inherited = addresses->count;
    return count < 0 ? -1 : 0;
}

int addresses_add(struct addresses *addresses, const char *text) {
    if (addresses->count == ADDRESSES_MAX)
        return cli_usage("serve", "more than %d addresses", ADDRESSES_MAX);
    struct listening *one = &addresses->list[addresses->count];
    one->inherited = -1;
    if (host_port_parse(text, &one->address) < 0)
        return cli_usage(
            "serve", "--listen %s: expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080", text);
    addresses->count++;
    return 0;
}

/* --- their sockets --- */

static int refuse(const struct listening *one, int rc) {
    return host_port_refuse(&one->address, "--listen", rc);
}

/* Whether somebody listens there. 0 or an error. */
static int probe(struct listening *one) {
    int fd = listener_claim(one->address.host, &one->address.port, false);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static int *fd_of(struct addresses *addresses, int worker, int index) {
    return &addresses->fds[worker * addresses->count + index];
}

static int bind_one(struct addresses *addresses, int index) {
    struct listening *one = &addresses->list[index];
    int rc = probe(one);
    for (int i = 0; rc >= 0 && i < addresses->workers; i++)
        *fd_of(addresses, i, index) = rc =
            listener_claim(one->address.host, &one->address.port, true);
    return rc < 0 ? refuse(one, rc) : 0;
}

static int share_one(struct addresses *addresses, int index) {
    const struct listening *one = &addresses->list[index];
    *fd_of(addresses, 0, index) = one->inherited;
    for (int i = 1; i < addresses->workers; i++) {
        int fd = fcntl(one->inherited, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return refuse(one, -errno);
        *fd_of(addresses, i, index) = fd;
    }
    return 0;
}

int addresses_bind(struct addresses *addresses, int workers) {
    int count = workers * addresses->count;
    addresses->workers = workers;
    addresses->fds = mem_alloc((size_t)count * sizeof *addresses->fds);
    for (int i = 0; i < count; i++)
        addresses->fds[i] = -1;
    for (int i = 0; i < addresses->count; i++) {
        bool here = addresses->list[i].inherited < 0;
        int rc = here ? bind_one(addresses, i) : share_one(addresses, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Others may have begun to listen while the apps were loaded. */
static int open_one(struct addresses *addresses, int index) {
    int rc = probe(&addresses->list[index]);
    for (int i = 0; rc == 0 && i < addresses->workers; i++)
        rc = listener_open(*fd_of(addresses, i, index));
    return rc < 0 ? refuse(&addresses->list[index], rc) : 0;
}

int addresses_open(struct addresses *addresses) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < addresses->count; i++)
        if (addresses->list[i].inherited < 0)
            rc = open_one(addresses, i);
    return rc;
}

void addresses_announce(const struct addresses *addresses) {
    for (int i = 0; i < addresses->count; i++) {
        struct buf url = {0};
        host_port_add_url(&url, &addresses->list[i].address);
        console_announce("weir: listening on %.*s", STR_ARG(buf_str(&url)));
        buf_fini(&url);
    }
}

void addresses_free(struct addresses *addresses) {
    free(addresses->fds);
}
