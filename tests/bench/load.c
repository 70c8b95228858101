/* load: a load generator, and the reader of the server's CPU clock.
 *
 *   load PORT PID CONNECTIONS REQUESTS BODY [PATH POSTED]
 *
 * GET of / unless a PATH is named to which POSTED is sent; BODY is what each response must hold.
 * A closed loop: each keep-alive connection has one request under way, and sends the next as soon
 * as it has the whole response. The first tenth, before REQUESTS are counted, is for warming up;
 * the clocks are read between two responses at full load, so the ends of a run are not measured.
 * Prints three numbers: microseconds of PID's CPU per request, requests per second, and the
 * percentage of the time in which PID was on a CPU.
 *
 * It must cost less than the fastest server or it would measure itself. So each connection's first
 * response is read with care (200, framing, the body is BODY) and becomes the pattern of the later
 * ones: same length, same status line, same body, only header values in between may differ.
 * It polls without sleeping: a generator that sleeps makes the server pay for each time it is
 * woken, and makes fast servers, which let it sleep less, look better than they are.
 */
#include "rig.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64
#define RESPONSE_MAX 4096
#define STALL_SECONDS 10

static const char STATUS[] = "HTTP/1.1 200 ";

struct client {
    int fd;
    size_t got;      /* bytes of the response that have arrived */
    size_t expected; /* its length, known from the first response; 0 before it */
    size_t tail;     /* of these the last bytes, the body as framed */
    char response[RESPONSE_MAX];
    char pattern[RESPONSE_MAX]; /* the first response */
};

struct load {
    const char *body;
    char request[1024];
    size_t request_size;
    long done;
    struct client *clients;
    int epoll;
};

static void send_request(struct load *load, struct client *client) {
    client->got = 0;
    if (write(client->fd, load->request, load->request_size) != (ssize_t)load->request_size)
        rig_fail("the server does not take a request: %m");
}

/* The value of the header `name` (with its colon) in a head that ends with NUL, or NULL. */
static const char *find_header(const char *head, const char *name) {
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0)
            return line + strlen(name) + strspn(line + strlen(name), " \t");
    }
    return NULL;
}

/* Whether `framed` holds the whole body; fails if what it holds is not the body that was asked for.
 * The framing is checked once for each connection: the bytes of later responses must be the same.
 */
static bool is_body_whole(const char *head, const char *framed, const char *body) {
    const char *length = find_header(head, "content-length:");
    const char *coding = find_header(head, "transfer-encoding:");
    char wanted[RESPONSE_MAX];

    if (length && !coding && strtoul(length, NULL, 10) == strlen(body))
        snprintf(wanted, sizeof wanted, "%s", body);
    else if (coding && !length && strncasecmp(coding, "chunked\r\n", 9) == 0)
        snprintf(wanted, sizeof wanted, "%zx\r\n%s\r\n0\r\n\r\n", strlen(body), body);
    else
        rig_fail("a response without usable framing:\n%s", head);
    if (strncmp(framed, wanted, strlen(framed)) != 0)
        rig_fail("not the expected body:\n%s\n%s", head, framed);
    return strlen(framed) == strlen(wanted);
}

/* Whether the first response of `client` is whole; if so it becomes the pattern of the others. */
static bool learn(const struct load *load, struct client *client) {
    char *head = client->pattern;
    char *framed;

    memcpy(head, client->response, client->got);
    head[client->got] = '\0';
    framed = strstr(head, "\r\n\r\n");
    if (!framed)
        return false;
    framed += 4;
    framed[-2] = '\0';
    if (strncmp(head, STATUS, sizeof STATUS - 1) != 0)
        rig_fail("not a 200:\n%s", head);
    if (!is_body_whole(head, framed, load->body))
        return false;
    client->expected = client->got;
    client->tail = strlen(framed);
    return true;
}

/* Whether the response under way is whole; fails if it is not what the first one was. */
static bool is_whole(const struct load *load, struct client *client) {
    size_t body = client->expected - client->tail;

    if (!client->expected)
        return learn(load, client);
    if (client->got < client->expected)
        return false;
    if (client->got > client->expected ||
        memcmp(client->response, client->pattern, sizeof STATUS - 1) != 0 ||
        memcmp(client->response + body, client->pattern + body, client->tail) != 0)
        rig_fail("a response differs from the first:\n%.*s", (int)client->got, client->response);
    return true;
}

static void on_readable(struct load *load, struct client *client) {
    ssize_t got = read(client->fd, client->response + client->got, RESPONSE_MAX - 1 - client->got);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        rig_fail("a connection %s after %ld responses", got ? "broke" : "was closed", load->done);
    client->got += (size_t)got;
    if (is_whole(load, client)) {
        load->done++;
        send_request(load, client);
    }
}

/* Goes on until `requests` more are done: a little beyond, by the last batch. */
static void drive(struct load *load, long requests) {
    struct epoll_event ready[EVENTS];
    long goal = load->done + requests;
    uint64_t stalled_at = 0;

    while (load->done < goal) {
        int count = epoll_wait(load->epoll, ready, EVENTS, 0);

        for (int i = 0; i < count; i++)
            on_readable(load, &load->clients[ready[i].data.u32]);
        if (count > 0) {
            stalled_at = 0;
            continue;
        }
        if (count < 0)
            rig_fail("epoll_wait: %m");
        if (!stalled_at)
            stalled_at = rig_now();
        else if (rig_now() - stalled_at > STALL_SECONDS * 1000000000ull)
            rig_fail("no response for %d seconds, after %ld", STALL_SECONDS, load->done);
        sched_yield(); /* where both share one CPU the server must get its turn */
    }
}

/* GET of /, or POST of `posted` to `path`. */
static void prepare_request(struct load *load, int port, const char *path, const char *posted) {
    int size = snprintf(load->request, sizeof load->request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d",
                        posted ? "POST" : "GET", path, port);

    if (posted)
        size += snprintf(load->request + size, sizeof load->request - (size_t)size,
                         "\r\nContent-Length: %zu\r\n\r\n%s", strlen(posted), posted);
    else
        size += snprintf(load->request + size, sizeof load->request - (size_t)size, "\r\n\r\n");
    load->request_size = (size_t)size;
}

static void open_clients(struct load *load, int port, long connections) {
    load->epoll = rig_epoll();
    load->clients = calloc((size_t)connections, sizeof *load->clients);
    if (!load->clients)
        rig_fail("no memory for %ld connections", connections);
    for (long i = 0; i < connections; i++) {
        load->clients[i].fd = rig_connect(port);
        rig_watch(load->epoll, load->clients[i].fd, (uint32_t)i);
        send_request(load, &load->clients[i]);
    }
}

int main(int argc, char **argv) {
    struct load load = {0};
    uint64_t cpu, wall;
    pid_t pid;
    long requests, before;
    int port;

    if (argc != 6 && argc != 8)
        rig_fail("usage: load PORT PID CONNECTIONS REQUESTS BODY [PATH POSTED]");
    pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    requests = rig_number(argv[4], "REQUESTS", 1000, 1000000000);
    load.body = argv[5];
    if (strlen(load.body) > RESPONSE_MAX / 2)
        rig_fail("BODY is longer than %d bytes", RESPONSE_MAX / 2);
    if (argc == 8 && strlen(argv[6]) + strlen(argv[7]) > sizeof load.request / 2)
        rig_fail("PATH and POSTED are longer than %zu bytes", sizeof load.request / 2);
    port = (int)rig_number(argv[1], "PORT", 1, 65535);
    prepare_request(&load, port, argc == 8 ? argv[6] : "/", argc == 8 ? argv[7] : NULL);
    open_clients(&load, port, rig_number(argv[3], "CONNECTIONS", 1, 10000));

    drive(&load, requests / 10);
    before = load.done;
    rig_mark();
    cpu = rig_cpu(pid);
    wall = rig_now();
    drive(&load, requests);
    cpu = rig_cpu(pid) - cpu;
    wall = rig_now() - wall;
    rig_mark();
    requests = load.done - before;
    printf("%.4f %.0f %.0f\n", (double)cpu / 1e3 / (double)requests,
           (double)requests * 1e9 / (double)wall, 100.0 * (double)cpu / (double)wall);
    return 0;
}
