/* cli_admin: the options of the admin endpoint, and its opening. */
#ifndef CLI_ADMIN_H
#define CLI_ADMIN_H

#include "cli_host_port.h"
#include "ops/admin.h"

struct cli_admin {
    bool given;
    struct host_port address;
    const char *token;   /* a file; NULL: none */
    struct admin *admin; /* while it is open */
};

/* --admin HOST:PORT. 0, or an exit code: it is told what is wrong. */
int cli_admin_set_address(struct cli_admin *admin, const char *value);
/* When all options are there; the same. */
int cli_admin_check(const struct cli_admin *admin);
/* How many descriptors it takes, if it was asked for. */
unsigned cli_admin_descriptors(const struct cli_admin *admin);
/* It answers from now on, if it was asked for. 0, or an exit code. */
int cli_admin_open(struct cli_admin *admin);
/* Harmless when it is not open. */
void cli_admin_close(struct cli_admin *admin);

#endif
