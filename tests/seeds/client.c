/* client: a stream with the program's own subscription, over a connection that the run lets take as
 * many bytes as it likes.
 *
 *     subscription --send_chunks--> [room?] --> taken --> wire --> record (the oracle)
 *                                      \--no--> waits --client_take--^
 *
 * The stream and all above it are the program's; only the protocol's side is made here, with a
 * number in place of a socket's buffer. What was taken is kept as bytes and looked at when all
 * loops have turned, so that the oracle has heard of the commits first. */
#include "client.h"

#include "http/sse.h"
#include "read/subscription.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_LEAST 37 /* bytes: "data: 1 0\n", its id, the empty line */

bool client_tracing;

static struct client *of_stream(const struct stream *stream) {
    return stream->transport;
}

/* --- the connection --- */

static void forget_stream(struct client *client) {
    client->stream = NULL;
    client->sub = NULL;
    buf_fini(&client->waits);
    client->closing = false;
}

/* The kernel takes what there is room for. */
static size_t take(struct client *client, const void *bytes, size_t n) {
    size_t taken = n < client->room ? n : client->room;
    buf_append(&client->taken, bytes, taken);
    if (client->room != SIZE_MAX)
        client->room -= taken;
    return taken;
}

static void queue(struct client *client, const void *bytes, size_t n) {
    size_t taken = client->waits.len == 0 ? take(client, bytes, n) : 0;
    buf_append(&client->waits, (const char *)bytes + taken, n - taken);
}

static void send_head(struct stream *stream, const struct http_head *head) {
    struct client *client = of_stream(stream);
    static const char *const heads[] = {"HTTP/1.0 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
                                        "HTTP/1.1 204 No Content\r\n"};
    client->declined = head->status == 204;
    const char *line = heads[client->declined ? 2 : client->framed];
    queue(client, line, strlen(line));
    queue(client, head->fields.ptr, head->fields.len);
    queue(client, "\r\n", 2);
}

static void send_informational(struct stream *stream, int status, struct str fields) {
    (void)stream, (void)fields;
    oracle_fail("an informational answer, %d", status);
}

static void send_data(struct stream *stream, const void *bytes, size_t n) {
    struct client *client = of_stream(stream);
    char line[20];
    if (client->framed && n > 0)
        queue(client, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", n));
    queue(client, bytes, n);
    if (client->framed && n > 0)
        queue(client, "\r\n", 2);
}

static size_t send_chunks(struct stream *stream, const struct iovec *iov, int count, size_t bytes) {
    struct client *client = of_stream(stream);
    size_t sent = 0;
    for (int i = 0; i < count && client->waits.len == 0; i++) {
        size_t taken = take(client, iov[i].iov_base, iov[i].iov_len);
        sent += taken;
        if (taken < iov[i].iov_len)
            break;
    }
    if (sent > bytes)
        oracle_fail("a span is longer than it says");
    return sent;
}

static void queue_chunks(struct stream *stream, struct slab *slab, const char *bytes, size_t n) {
    (void)slab;
    queue(of_stream(stream), bytes, n);
}

static bool takes_chunks(const struct stream *stream) {
    return of_stream(stream)->framed;
}

/* The last byte is with the kernel: the exchange is over. */
static void end_if_sent(struct client *client) {
    struct stream *stream = client->stream;
    if (!client->closing || client->waits.len > 0)
        return;
    forget_stream(client);
    stream_closed(stream, REASON_DONE, NULL);
}

static void finish(struct stream *stream) {
    struct client *client = of_stream(stream);
    if (client->closing)
        oracle_fail("%s: a stream is finished twice", client->record.name);
    client->closing = true;
    if (client->framed && !client->declined)
        queue(client, "0\r\n\r\n", 5);
    end_if_sent(client);
}

static void abort_stream(struct stream *stream) {
    struct client *client = of_stream(stream);
    client->slow = true;
    forget_stream(client);
}

static void want_read(struct stream *stream) {
    (void)stream;
}

static size_t queued(const struct stream *stream) {
    return of_stream(stream)->waits.len;
}

static const struct stream_ops ops = {.send_head = send_head,
                                      .send_informational = send_informational,
                                      .send_data = send_data,
                                      .send_chunks = send_chunks,
                                      .queue_chunks = queue_chunks,
                                      .takes_chunks = takes_chunks,
                                      .finish = finish,
                                      .abort = abort_stream,
                                      .want_read = want_read,
                                      .queued = queued};

/* --- its life --- */

static event_id id_of(const struct client *client, const char *text) {
    event_id id;
    if (event_id_parse(str_of(text), &id) < 0)
        oracle_fail("%s: no id: \"%s\"", client->record.name, text);
    return id;
}

/* -1: null; -2: it does not say. */
static long long lost_of(const char *data) {
    const char *at = strstr(data, "\"lost\":");
    if (at == NULL)
        return -2;
    return at[7] == 'n' ? -1 : atoll(at + 7);
}

static void see_event(struct client *client, const struct wire_event *event) {
    char reason[16] = "";
    event_id id = id_of(client, event->id);
    if (client_tracing)
        printf("    %s gets %s %s, %s\n", client->record.name, event->name, event->data, event->id);
    if (strcmp(event->name, "message") == 0) {
        record_event(&client->record, (unsigned)strtoul(event->data, NULL, 10), id);
        return;
    }
    if (strcmp(event->name, "weir.end") == 0 &&
        strcmp(event->data, "{\"reason\":\"closed\"}") == 0) {
        record_closed(&client->record, id);
        return;
    }
    long long lost = lost_of(event->data);
    if (lost == -2 || strcmp(event->name, "weir.gap") != 0 ||
        sscanf(event->data, "{\"reason\":\"%15[a-z]", reason) != 1)
        oracle_fail("%s: event %s: %s", client->record.name, event->name, event->data);
    record_gap(&client->record, reason, lost, id);
}

void client_init(struct client *client, unsigned number) {
    *client = (struct client){.room = SIZE_MAX};
    snprintf(client->record.name, sizeof client->record.name, "client %u", number);
}

static struct stream *open_stream(struct client *client) {
    struct http_server *server = &client->worker->server;
    struct request *request = request_new();
    const char *why;
    buf_add(&request->bytes, STR("GET/"));
    request->method_len = 3;
    request->target_len = 1;
    request->minor = client->framed;
    if (request_split_target(request, &why) != 0)
        oracle_fail("a request is refused: %s", why);
    return stream_new(server, &ops, client, request, NULL);
}

void client_connect(struct client *client, struct worker *worker, enum overflow overflow,
                    uint32_t limit, bool framed) {
    struct sse_options sse = {.retry_ms = -1};
    struct subscription_options options = {.overflow = overflow, .limit = {limit, UINT32_MAX}};
    client->worker = worker;
    client->framed = framed;
    client->slow = client->declined = false;
    client->room = SIZE_MAX;
    record_begin(&client->record, overflow, limit);
    wire_reset(&client->wire, framed);
    client->stream = open_stream(client);
    if (sse_start(client->stream, &sse) != 0)
        oracle_fail("a stream does not start");
    client->sub = subscription_new(client->stream, &worker->reader, &options);
}

static struct str chosen(size_t choice, bool *prefix) {
    struct str name = str_of(choice_names[choice]);
    *prefix = name.ptr[name.len - 1] == '*';
    name.len -= *prefix;
    return name;
}

void client_choose(struct client *client, size_t choice, enum beginning how, uint64_t last) {
    struct position_choice settled = {.from_id = how != FROM_NOW,
                                      .after = how == FROM_LAST ? client->record.last : 0,
                                      .last = how == FROM_NEWEST ? last : 0,
                                      .tell = how == FROM_LAST};
    settled.name = chosen(choice, &settled.prefix);
    record_choose(&client->record, choice, how, last);
    position_add(&client->sub->position, &settled);
}

void client_leave(struct client *client, size_t choice) {
    bool prefix;
    struct str name = chosen(choice, &prefix);
    if (!position_remove(&client->sub->position, name, prefix))
        oracle_fail("%s: what was chosen is not there", client->record.name);
    record_leave(&client->record, choice);
}

void client_cut(struct client *client) {
    struct stream *stream = client->stream;
    if (stream) {
        forget_stream(client);
        stream_closed(stream, REASON_CLIENT, NULL);
    }
    record_cut(&client->record);
}

void client_end(struct client *client) {
    client->record.end = position_newest();
    stream_end(client->stream, REASON_DONE);
}

void client_take(struct client *client, size_t room) {
    client->room = room;
    size_t n = take(client, client->waits.data, client->waits.len);
    buf_drop(&client->waits, n);
    if (client->closing)
        end_if_sent(client);
    else if (client->stream && client->waits.len == 0 && room > 0)
        stream_drained(client->stream);
}

bool client_is_behind(const struct client *client) {
    return client->room != SIZE_MAX;
}

void client_check(struct client *client) {
    struct wire_event event;
    const char *wrong = wire_feed(&client->wire, client->taken.data, client->taken.len);
    if (wrong)
        oracle_fail("%s: wrong bytes: %s", client->record.name, wrong);
    client->taken.len = 0;
    client->record.queued = (client->waits.len + EVENT_LEAST - 1) / EVENT_LEAST;
    while (wire_next(&client->wire, &event))
        see_event(client, &event);
}

void client_fini(struct client *client) {
    client_cut(client);
    buf_fini(&client->taken);
    wire_fini(&client->wire);
}
