/* cli_admin: the options of the admin endpoint, and its opening.
 *
 *     --admin HOST:PORT --admin-token FILE --> bound --> answering, while the apps are loaded
 *
 * An address that others than this machine can reach needs the token: without one the server does
 * not start, so that nobody shows the inside of theirs by leaving a word out. */
#include "cli_admin.h"

#include "base/log.h"
#include "cli.h"
#include "net/listener.h"

#include <unistd.h>

int cli_admin_set_address(struct cli_admin *admin, const char *value) {
    if (host_port_parse(value, &admin->address) < 0)
        return cli_usage("serve", "--admin %s: expected HOST:PORT, such as 127.0.0.1:9090", value);
    admin->given = true;
    return 0;
}

int cli_admin_check(const struct cli_admin *admin) {
    if (admin->token && !admin->given)
        return cli_usage("serve", "--admin-token: for what? give --admin HOST:PORT");
    return 0;
}

unsigned cli_admin_descriptors(const struct cli_admin *admin) {
    return admin->given ? admin_descriptors() : 0;
}

static int make_gate(const struct cli_admin *admin, int fd, struct gate *gate) {
    char why[GATE_WHY_BYTES];
    gate->host = admin->address.host;
    if (admin->token && gate_read_token(gate, admin->token, why) < 0)
        return cli_fail("--admin-token: %s", why);
    if (admin->token || gate_is_loopback(fd))
        return 0;
    return cli_fail("--admin %s:%u: others can reach this address; give --admin-token FILE, which "
                    "they have to send, or 127.0.0.1",
                    admin->address.host, admin->address.port);
}

static void announce(const struct cli_admin *admin) {
    struct buf url = {0};
    host_port_add_url(&url, &admin->address);
    log_info("admin: listening on %.*s", STR_ARG(buf_str(&url)));
    buf_fini(&url);
}

int cli_admin_open(struct cli_admin *admin) {
    struct gate gate = {0};
    if (!admin->given)
        return 0;
    int fd = listener_bind(admin->address.host, &admin->address.port, false);
    if (fd < 0)
        return host_port_refuse(&admin->address, "--admin", fd);
    int rc = make_gate(admin, fd, &gate);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    rc = admin_start(fd, &gate, &admin->admin);
    if (rc < 0)
        return cli_fail("--admin: %s", uv_strerror(rc));
    announce(admin);
    return 0;
}

void cli_admin_close(struct cli_admin *admin) {
    if (admin->admin)
        admin_stop(admin->admin);
    admin->admin = NULL;
}
