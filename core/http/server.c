/* server: what all connections of one worker share: limits, log, counters, and who answers.
 *
 *     serving --http_server_drain--> draining --no connection left, or the deadline--> drained
 *
 * Connections of all servers of the process count against one limit: above it a client gets 503 and
 * Retry-After, and when those answers pile up too, the listener rests, so that clients wait in the
 * kernel instead. A server that is set apart, for operators, has a limit of its own, and at that
 * closes who waits for no answer. One address may have fewer, and come no faster than it should:
 * such a client gets 429. Owned by a worker or a test. It must not know of Lua. */
#include "http/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "count/rates.h"
#include "count/tally.h"
#include "http/protocol.h"
#include "http/request.h"
#include "http/stream.h"
#include "proto/date.h"
#include "proto/header.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define RETRY_S 5      /* when nobody can know when there will be room */
#define TURNED_AWAY 16 /* of one address at a time are told why; more are just closed */
#define SWEEP_MS 10000
#define SPARE_REQUESTS 64
#define SPARE_BYTES 2048 /* a longer head's memory is not kept */

static atomic_uint_fast64_t process_connections;
static atomic_uint_fast64_t process_streams;
static struct tally addresses = TALLY_INIT; /* connections; keys are made by address_key */
static struct tally subjects = TALLY_INIT;  /* streams */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct list registry = {&registry, &registry};
static struct http_counters retired; /* of servers that are gone */

static void add_counters(struct http_counters *to, const struct http_counters *from) {
    counters_sum((uint64_t *)to, (const uint64_t *)from, sizeof *to / sizeof(uint64_t));
}

void http_server_totals(struct http_counters *totals) {
    pthread_mutex_lock(&registry_lock);
    *totals = retired;
    for (struct list *at = registry.next; at != &registry; at = at->next) {
        struct http_server *server = CONTAINER_OF(at, struct http_server, all);
        add_counters(totals, &server->counters);
        totals->tasks += server->tasks ? counter_read(server->tasks) : 0;
        totals->ready += server->ready ? counter_read(server->ready) : 0;
    }
    pthread_mutex_unlock(&registry_lock);
}

static uint64_t read_total(size_t at) {
    struct http_counters totals;
    http_server_totals(&totals);
    return ((const uint64_t *)&totals)[at / sizeof(uint64_t)];
}

#define ROW(counter, kind, metric, help)                                                           \
    { #counter, help, kind, read_total, offsetof(struct http_counters, counter), metric, NULL }

#define CLOSED(name, reason)                                                                       \
    {                                                                                              \
        "closed_" name, "Streams that are over, by why.", COUNTER, read_total,                     \
            offsetof(struct http_counters, closed) + reason * sizeof(uint64_t), "streams_closed",  \
            "reason=\"" name "\""                                                                  \
    }
_Static_assert(HTTP_REASONS == REASON_CANCELLED + 1, "each has a counter");

const struct counter_row http_counter_rows[] = {
    ROW(connections, GAUGE, NULL, "Connections that are open."),
    ROW(connections_total, COUNTER, "connections_accepted", "Connections that were accepted."),
    ROW(streams, GAUGE, NULL, "Exchanges of a request and its answer that go on."),
    ROW(requests, COUNTER, NULL, "Requests whose head was read."),
    ROW(bytes_sent, COUNTER, "sent_bytes", "Bytes of answers' bodies that were sent."),
    ROW(bytes_received, COUNTER, "received_bytes", "Bytes of requests' bodies that came."),
    ROW(writes_dropped, COUNTER, NULL,
        "Writes that were dropped since the client read too slowly."),
    ROW(bad_requests, COUNTER, NULL, "Requests that were refused without reaching an app."),
    ROW(limited, COUNTER, NULL, "Connections, streams and requests that were answered 429."),
    ROW(tasks, GAUGE, NULL, "Tasks of Lua that are alive."),
    {"tasks_ready", "Tasks of Lua that may run and wait for their turn.", GAUGE, read_total,
     offsetof(struct http_counters, ready), NULL, NULL},
    CLOSED("done", REASON_DONE),
    CLOSED("client", REASON_CLIENT),
    CLOSED("timeout", REASON_TIMEOUT),
    CLOSED("overflow", REASON_OVERFLOW),
    CLOSED("drain", REASON_DRAIN),
    CLOSED("expired", REASON_EXPIRED),
    CLOSED("revoked", REASON_REVOKED),
    CLOSED("error", REASON_ERROR),
    CLOSED("cancelled", REASON_CANCELLED),
    {0},
};

struct stream **http_server_streams(struct loop *loop, size_t *count) {
    struct stream **streams = NULL;
    *count = 0;
    pthread_mutex_lock(&registry_lock);
    for (struct list *at = registry.next; at != &registry; at = at->next) {
        struct http_server *server = CONTAINER_OF(at, struct http_server, all);
        if (server->loop != loop)
            continue;
        streams = mem_resize(streams, (*count + server->alive) * sizeof(struct stream *));
        struct list *all = &server->streams;
        for (struct list *node = all->next; node != all; node = node->next)
            streams[(*count)++] = stream_ref(CONTAINER_OF(node, struct stream, link));
    }
    pthread_mutex_unlock(&registry_lock);
    return streams;
}

uint64_t http_server_next_id(void) {
    return atomic_fetch_add_explicit(&process_streams, 1, memory_order_relaxed) + 1;
}

static void drained(struct http_server *server) {
    timer_clear(&server->drain_deadline);
    if (server->on_drained)
        server->on_drained(server);
}

static void on_deadline(struct timer *timer) {
    http_server_stop(CONTAINER_OF(timer, struct http_server, drain_deadline));
}

static void on_sweep(struct timer *timer) {
    struct http_server *server = CONTAINER_OF(timer, struct http_server, rates_sweep);
    if (rates_sweep() > 0)
        loop_timer(server->loop, timer, SWEEP_MS);
}

void http_server_init(struct http_server *server, struct loop *loop, const struct limits *limits) {
    *server = (struct http_server){.loop = loop, .limits = *limits, .date_second = -1};
    list_init(&server->connections);
    list_init(&server->streams);
    list_init(&server->spare_requests);
    traffic_init(&server->traffic, loop);
    timer_init(&server->drain_deadline, on_deadline);
    timer_init(&server->rates_sweep, on_sweep);
    pthread_mutex_lock(&registry_lock);
    list_push(&registry, &server->all);
    pthread_mutex_unlock(&registry_lock);
}

void http_server_count_tasks(struct http_server *server, const uint64_t *tasks,
                             const uint64_t *ready) {
    pthread_mutex_lock(&registry_lock); /* others look already */
    server->tasks = tasks;
    server->ready = ready;
    pthread_mutex_unlock(&registry_lock);
}

void http_server_set_apart(struct http_server *server) {
    server->apart = true;
    traffic_set_apart(&server->traffic);
    pthread_mutex_lock(&registry_lock);
    list_remove(&server->all);
    pthread_mutex_unlock(&registry_lock);
}

void http_server_fini(struct http_server *server) {
    pthread_mutex_lock(&registry_lock);
    list_remove(&server->all);
    if (!server->apart)
        add_counters(&retired, &server->counters);
    pthread_mutex_unlock(&registry_lock);
    timer_clear(&server->rates_sweep);
    traffic_fini(&server->traffic);
    struct list *node;
    while ((node = list_pop(&server->spare_requests)) != NULL)
        request_free(CONTAINER_OF(node, struct request, link));
}

uint64_t http_server_rate(struct http_server *server, struct str limiter, struct str key,
                          const struct rate *rate) {
    if (!timer_is_set(&server->rates_sweep))
        loop_timer(server->loop, &server->rates_sweep, SWEEP_MS);
    uint64_t after = rates_take(limiter, key, rate);
    counter_add(&server->counters.limited, after > 0);
    return after;
}

/* --- connections --- */

/* Whoever has one IPv6 address has the 2^64 of its network (RFC 6177). `kind` is put in front: one
 * tally has those that are served and those that were turned away and not yet gone. */
struct str address_key(const struct address *address, char kind, char out[ADDRESS_KEY]) {
    size_t len = address->v6 ? 8 : 4;
    out[0] = kind;
    memcpy(out + 1, address->ip, len);
    return (struct str){out, len + 1};
}

static uint64_t wait_for_rate(struct http_server *server, const struct address *peer) {
    const struct limits *limits = &server->limits;
    if (limits->connection_rate == 0)
        return 0;
    uint64_t burst = limits->connection_burst ? limits->connection_burst : limits->connection_rate;
    struct rate rate = {(double)limits->connection_rate, (double)burst};
    char key[ADDRESS_KEY];
    return http_server_rate(server, STR("connections"), address_key(peer, 'r', key), &rate);
}

/* The limits of one address: false when it is over one, told in `refusal`. */
static bool admit_address(struct http_server *server, const struct address *peer,
                          struct tallied **tallied, struct refusal *refusal) {
    uint64_t after = wait_for_rate(server, peer), most = server->limits.connections_per_address;
    char key[ADDRESS_KEY];
    if (after > 0) {
        limits_reached(REACHED_CONNECTION_RATE);
        *refusal = (struct refusal){429, (unsigned)((after + 999) / 1000),
                                    "too many new connections from your address"};
        return false;
    }
    if (most == 0)
        return true;
    *tallied = tally_join(&addresses, address_key(peer, 'c', key), most);
    if (*tallied == NULL) {
        limits_reached(REACHED_CONNECTIONS_PER_ADDRESS);
        counter_add(&server->counters.limited, 1);
        *refusal = (struct refusal){429, RETRY_S, "too many connections from your address"};
    }
    return *tallied != NULL;
}

/* Whether an answer is still to come. One that is complete waits for its client alone. */
static bool is_asked(const struct http_server *server, const struct connection *connection) {
    for (struct list *at = server->streams.next; at != &server->streams; at = at->next) {
        const struct stream *stream = CONTAINER_OF(at, struct stream, link);
        if (stream->transport == connection && stream->state < STREAM_FINISHED)
            return true;
    }
    return false;
}

/* Closes the oldest connection that waits for nothing of ours: whoever keeps all that there are
 * keeps nobody out. It is not gone yet, so it becomes the last to be chosen. False: there is none.
 */
static bool make_room(struct http_server *server) {
    for (struct list *at = server->connections.next; at != &server->connections; at = at->next) {
        struct connection *connection = CONTAINER_OF(at, struct connection, link);
        if (is_asked(server, connection))
            continue;
        list_remove(at);
        list_push(&server->connections, at);
        server->protocol->stop(connection);
        return true;
    }
    return false;
}

/* One more than `open` is too many: not for who is apart, if it can make room. */
static bool is_full(struct http_server *server, uint64_t open) {
    if (open < server->limits.connections)
        return false;
    if (server->apart)
        return !make_room(server);
    limits_reached(REACHED_CONNECTIONS);
    return true;
}

bool http_server_accept(struct http_server *server, int fd, const struct address *peer) {
    struct refusal refusal = {0};
    struct tallied *tallied = NULL;
    char key[ADDRESS_KEY];
    if (!admit_address(server, peer, &tallied, &refusal))
        tallied = tally_join(&addresses, address_key(peer, 'x', key), TURNED_AWAY);
    if (refusal.status != 0 && tallied == NULL) {
        close(fd);
        return true;
    }
    uint64_t open =
        server->apart ? server->counters.connections : atomic_fetch_add(&process_connections, 1);
    uint64_t limit = server->limits.connections;
    if (is_full(server, open))
        refusal = (struct refusal){503, RETRY_S, "too many connections"};
    counter_add(&server->counters.connections, 1);
    counter_add(&server->counters.connections_total, 1);
    server->protocol->accept(server, fd, peer, tallied, &refusal);
    return open + 1 < limit + limits_refused(limit);
}

struct tallied *http_server_join(struct http_server *server, struct str subject) {
    struct tallied *tallied = tally_join(&subjects, subject, server->limits.streams_per_sub);
    if (tallied)
        return tallied;
    limits_reached(REACHED_STREAMS_PER_SUB);
    counter_add(&server->counters.limited, 1);
    return NULL;
}

void http_server_leave(struct tallied *subject) {
    tally_leave(&subjects, subject);
}

void http_server_left(struct http_server *server, struct tallied *tallied) {
    if (tallied)
        tally_leave(&addresses, tallied);
    MUST(server->counters.connections > 0);
    if (!server->apart)
        atomic_fetch_sub(&process_connections, 1);
    counter_add(&server->counters.connections, (uint64_t)-1);
    /* Either may free the server. */
    if (server->on_drained && server->draining && list_empty(&server->connections))
        drained(server);
    else if (server->on_left)
        server->on_left(server);
}

void http_server_drain(struct http_server *server) {
    if (server->draining)
        return;
    server->draining = true;
    if (list_empty(&server->connections)) {
        drained(server);
        return;
    }
    loop_timer(server->loop, &server->drain_deadline, server->limits.drain_timeout);
    struct list *next;
    for (struct list *at = server->streams.next; at != &server->streams; at = next) {
        next = at->next;
        stream_end_well(CONTAINER_OF(at, struct stream, link), REASON_DRAIN, STREAM_RETRY_LEAST_MS,
                        STREAM_RETRY_MOST_MS);
    }
    for (struct list *at = server->connections.next; at != &server->connections; at = next) {
        next = at->next;
        server->protocol->drain(CONTAINER_OF(at, struct connection, link));
    }
}

void http_server_stop(struct http_server *server) {
    struct list *next;
    for (struct list *at = server->connections.next; at != &server->connections; at = next) {
        next = at->next;
        server->protocol->stop(CONTAINER_OF(at, struct connection, link));
    }
}

struct request *http_server_take_request(struct http_server *server) {
    struct list *node = list_pop(&server->spare_requests);
    if (node == NULL)
        return request_new();
    server->nspare--;
    struct request *request = CONTAINER_OF(node, struct request, link);
    request_reset(request);
    return request;
}

void http_server_give_request(struct http_server *server, struct request *request) {
    if (request == NULL || request->sealed || server->nspare == SPARE_REQUESTS ||
        request->bytes.cap > SPARE_BYTES) {
        request_free(request);
        return;
    }
    list_push(&server->spare_requests, &request->link);
    server->nspare++;
}

const char *http_server_date(struct http_server *server) {
    int64_t second = clock_wall_s();
    if (second != server->date_second) {
        server->date_second = second;
        http_date_format(second, server->date);
    }
    return server->date;
}
