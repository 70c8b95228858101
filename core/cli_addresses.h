/* cli_addresses: where `weir serve` listens. */
#ifndef CLI_ADDRESSES_H
#define CLI_ADDRESSES_H

#include "cli_host_port.h"

#define ADDRESSES_MAX 16

struct listening {
    struct host_port address;
    int inherited; /* a socket that the service manager has opened; -1: none, it is bound here */
};

struct addresses {
    struct listening list[ADDRESSES_MAX];
    int count;
    int inherited; /* of them, which come first */
    int workers;   /* known once they are bound */
    int *fds;      /* of worker w and address a at [w * count + a]; -1: none yet */
};

/* Those that the service manager has opened; while there is no other thread. 0, or -1 and `*error`
 * (free it). */
int addresses_inherit(struct addresses *addresses, char **error);
/* One more, "HOST:PORT" or "[IPV6]:PORT". 0, or an exit code: it is told what is wrong. */
int addresses_add(struct addresses *addresses, const char *text);

/* The same: each worker has a socket for each address, but nobody can connect yet; */
int addresses_bind(struct addresses *addresses, int workers);
/* and now everybody can. */
int addresses_open(struct addresses *addresses);
/* Prints them, once the workers accept. */
void addresses_announce(const struct addresses *addresses);
/* Frees what it holds, but not the sockets. */
void addresses_free(struct addresses *addresses);

#endif
