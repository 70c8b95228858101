/* server: what all connections of one worker share: limits, log, counters, and who answers.
 *
 *     serving --http_server_drain--> draining --no connection left, or the deadline--> drained
 *
 * Connections of all servers of the process count against one limit: above it a client gets 503 and
 * Retry-After, and when those answers pile up too, the listener rests, so that clients wait in the
 * kernel instead. Owned by a worker or a test. It must not know of Lua. */
#include "http/server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/http1.h"
#include "http/request.h"
#include "http/sse.h"
#include "proto/header.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define SPARE_REQUESTS 64
#define SPARE_BYTES 2048    /* a longer head's memory is not kept */
#define DRAIN_RETRY_MS 1000 /* what a drained SSE client waits at least */
#define DRAIN_RETRY_SPREAD_MS 5000

static atomic_uint_fast64_t process_connections;
static atomic_uint_fast64_t process_streams;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct list registry = {&registry, &registry};
static struct http_counters retired; /* of servers that are gone */

static void add_counters(struct http_counters *to, const struct http_counters *from) {
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *part = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += counter_read(&part[i]);
}

void http_server_totals(struct http_counters *totals) {
    pthread_mutex_lock(&registry_lock);
    *totals = retired;
    for (struct list *at = registry.next; at != &registry; at = at->next) {
        struct http_server *server = CONTAINER_OF(at, struct http_server, all);
        add_counters(totals, &server->counters);
        totals->tasks += server->tasks ? counter_read(server->tasks) : 0;
    }
    pthread_mutex_unlock(&registry_lock);
}

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

void http_server_init(struct http_server *server, struct loop *loop, const struct limits *limits) {
    *server = (struct http_server){.loop = loop, .limits = *limits, .date_second = -1};
    list_init(&server->conns);
    list_init(&server->streams);
    list_init(&server->spare_requests);
    timer_init(&server->drain_deadline, on_deadline);
    pthread_mutex_lock(&registry_lock);
    list_push(&registry, &server->all);
    pthread_mutex_unlock(&registry_lock);
}

void http_server_fini(struct http_server *server) {
    pthread_mutex_lock(&registry_lock);
    list_remove(&server->all);
    add_counters(&retired, &server->counters);
    pthread_mutex_unlock(&registry_lock);
    buf_fini(&server->path.text);
    struct list *node;
    while ((node = list_pop(&server->spare_requests)) != NULL)
        request_free(CONTAINER_OF(node, struct request, link));
}

bool http_server_accept(struct http_server *server, int fd, const struct address *peer) {
    uint64_t open = atomic_fetch_add(&process_connections, 1);
    uint64_t limit = server->limits.connections;
    counter_add(&server->counters.connections, 1);
    counter_add(&server->counters.connections_total, 1);
    http1_accept(server, fd, peer, open >= limit);
    return open + 1 < limit + limit / 16 + 16; /* the rest wait in the kernel's queue */
}

void http_server_left(struct http_server *server) {
    atomic_fetch_sub(&process_connections, 1);
    counter_add(&server->counters.connections, (uint64_t)-1);
    /* Either may free the server. */
    if (server->on_drained && server->draining && list_empty(&server->conns))
        drained(server);
    else if (server->on_left)
        server->on_left(server);
}

void http_server_drain(struct http_server *server) {
    if (server->draining)
        return;
    server->draining = true;
    if (list_empty(&server->conns)) {
        drained(server);
        return;
    }
    loop_timer(server->loop, &server->drain_deadline, server->limits.drain_timeout);
    struct list *next;
    for (struct list *at = server->streams.next; at != &server->streams; at = next) {
        next = at->next;
        struct stream *stream = CONTAINER_OF(at, struct stream, link);
        if (stream->sse)
            sse_end(stream, REASON_DRAIN, DRAIN_RETRY_MS, DRAIN_RETRY_MS + DRAIN_RETRY_SPREAD_MS);
        else if (stream->open_ended)
            stream_abort(stream, REASON_DRAIN, NULL);
    }
    http1_drain(server);
}

void http_server_stop(struct http_server *server) {
    http1_stop(server);
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

int http_server_split_path(struct http_server *server, const struct request *request) {
    if (request->form == TARGET_AUTHORITY || request->form == TARGET_ASTERISK)
        return 0;
    return url_path_split(request_path(request), &server->path);
}

const char *http_server_date(struct http_server *server) {
    int64_t second = clock_wall_s();
    if (second != server->date_second) {
        server->date_second = second;
        http_date_format(second, server->date);
    }
    return server->date;
}
