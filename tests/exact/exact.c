/* exact: clients that cut their connections at random moments, and come back with their last id.
 *
 *     exact [--clients N] [--events N] [--cut BYTES] [--burst N] [--kills N] [--gaps]
 *           [--seed N] [--seconds N] -- PROGRAM ARGUMENTS...
 *
 * It starts the server and publishes `events` numbered events in all, over several topics at once,
 * in rows of up to `burst`. A client subscribes to one topic, two, all by their prefix, or a topic
 * and the prefix; it reads a random number of bytes, up to `cut`, goes, and comes back. With
 * `kills` the server is killed so often and started again. At the end every client has every event
 * once and in the order of ids, or was told a gap for it; without --gaps no gap is right, and with
 * it there must have been some.
 *
 *     client:     away --connect--> reading --cut, or the server is gone--> away ... -> done
 *     publisher:  idle --POST--> asking --all acknowledged, or cut off--> idle ... -> done
 *
 * One thread, one epoll; who is away is looked at every millisecond. */
#include "ledger.h"
#include "reader.h"
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TOPICS 4
#define CLIENTS_MAX 1000
#define AWAY_MS 10        /* at most, between two connections */
#define PAUSE_MS 4        /* at most, between two rows of a publisher */
#define PATIENCE_MS 30000 /* without any event for anybody */
#define REQUEST_MAX 512
#define CUT_LEAST 10000 /* or the largest event never arrives */

struct options {
    long clients, events, cut, burst, kills, seed, seconds;
    bool gaps;
    char **command;
};

/* A connection of a client or a publisher. */
struct link {
    int fd; /* -1: away */
    uint64_t wake_at;
    struct reader reader;
};

struct client {
    struct link link;
    struct record record;
    uint32_t number, connections;
    size_t left;      /* bytes until the cut */
    bool first, done; /* nothing has come over this connection yet */
};

struct publisher {
    struct link link;
    uint32_t topic, next, until; /* numbers */
    uint32_t acknowledged, wanted;
    bool done;
};

static struct options options = {
    .clients = 20, .events = 5000, .cut = 30000, .burst = 20, .seconds = 300};
static struct ledger ledger;
static struct client clients[CLIENTS_MAX];
static struct publisher publishers[TOPICS];
static char start_id[64];
static int epoll_fd;
static uint64_t moved_at; /* when the last event came */
static uint64_t connections, cuts, cuts_inside;
static long kills;

static uint64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 1 to `most` */
static uint32_t dice(uint32_t most) {
    static uint64_t state;

    if (!state)
        state = (uint64_t)options.seed * 2654435769u + 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % most + 1;
}

/* --- links --- */

/* Connects and sends; false: nobody is there, which is looked at again soon. */
static bool link_open(struct link *link, void *owner, bool small, const char *request) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};

    link->fd = server_connect(small);
    if (link->fd >= 0 && send(link->fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        close(link->fd);
        link->fd = -1;
    }
    link->wake_at = now_ms() + dice(AWAY_MS);
    if (link->fd < 0)
        return false;
    reader_reset(&link->reader);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link->fd, &event);
    connections++;
    return true;
}

static void link_close(struct link *link, uint32_t away) {
    close(link->fd);
    link->fd = -1;
    link->wake_at = now_ms() + away;
}

/* Reads at most `most` bytes: 0 at the end or a failure, -1 when there is nothing yet. */
static ssize_t link_read(struct link *link, size_t most) {
    char bytes[16384];
    ssize_t got = recv(link->fd, bytes, most < sizeof bytes ? most : sizeof bytes, 0);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    if (got > 0 && !reader_feed(&link->reader, bytes, (size_t)got))
        ledger_fail("wrong bytes from the server: %s", link->reader.wrong);
    return got;
}

/* --- clients --- */

static void client_event(void *arg, const struct event *event) {
    struct client *client = arg;

    moved_at = now_ms();
    if (!strcmp(event->name, "weir.gap")) {
        if (!options.gaps)
            ledger_fail("%s: a gap where nothing is lost: %s, after %s", client->record.name,
                        event->data, client->record.position_text);
        record_gap(&client->record, event->data, event->id, client->first);
    } else {
        record_event(&client->record, &ledger, event->data, event->id);
    }
    client->first = false;
}

/* What the clients subscribe to, in turn. */
static uint32_t topics_of(uint32_t number) {
    switch (number % 4) {
    case 0:
        return 1u << number / 4 % TOPICS;
    case 1:
        return 1u << number / 4 % TOPICS | 1u << (number / 4 + 1) % TOPICS;
    default:
        return (1u << TOPICS) - 1;
    }
}

static void query_of(const struct client *client, char *query, size_t size) {
    uint32_t number = client->number, topic = number / 4 % TOPICS;

    switch (number % 4) {
    case 0:
        snprintf(query, size, "topics=%u", topic);
        break;
    case 1:
        snprintf(query, size, "topics=%u,%u", topic, (topic + 1) % TOPICS);
        break;
    case 2:
        snprintf(query, size, "all=1");
        break;
    default:
        snprintf(query, size, "topics=%u&all=1", topic);
        break;
    }
}

static void client_connect(struct client *client) {
    char query[64], last[128], request[REQUEST_MAX];
    bool by_header = dice(2) == 1;

    query_of(client, query, sizeof query);
    snprintf(last, sizeof last, by_header ? "Last-Event-ID: %s\r\n" : "&last_event_id=%s",
             client->record.position_text);
    snprintf(request, sizeof request, "GET /events?%s%s HTTP/1.%d\r\nHost: exact\r\n%s\r\n", query,
             by_header ? "" : last, dice(4) > 1, by_header ? last : "");
    client->left = dice(4) == 1 ? dice(300) : dice((uint32_t)options.cut);
    client->first = true;
    if (link_open(&client->link, client, dice(3) == 1, request))
        client->connections++;
}

/* By a reset, mostly, which spares the port its TIME_WAIT. */
static void client_cut(struct client *client) {
    struct linger reset = {.l_onoff = 1};

    cuts++;
    cuts_inside += reader_is_inside(&client->link.reader);
    if (dice(8) > 1)
        setsockopt(client->link.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    link_close(&client->link, dice(AWAY_MS) - 1);
}

static void client_read(struct client *client) {
    ssize_t got = link_read(&client->link, client->left);

    if (got == 0) {
        if (!options.kills)
            ledger_fail("%s: the server ended a stream, after %s", client->record.name,
                        client->record.position_text);
        link_close(&client->link, dice(AWAY_MS));
        return;
    }
    if (got < 0)
        return;
    client->left -= (size_t)got;
    if (client->left == 0)
        client_cut(client);
}

/* --- publishers --- */

static void publisher_event(void *arg, const struct event *event) {
    struct publisher *publisher = arg;

    if (strcmp(event->name, "message"))
        ledger_fail("a publish was refused: %s %s", event->name, event->data);
    ledger_acknowledge(&ledger, event->data, event->id);
    publisher->acknowledged++;
    moved_at = now_ms();
}

/* A row of events whose numbers nobody has used. The last row has none to spare, so that the last
 * number there is was acknowledged. */
static void publisher_post(struct publisher *publisher) {
    char request[REQUEST_MAX];
    uint32_t left = publisher->wanted - publisher->acknowledged;
    uint32_t count = dice((uint32_t)options.burst);

    count = count < left ? count : left;
    if (publisher->next + count > ledger.room + 1)
        ledger_fail("too many publishes were cut off");
    snprintf(request, sizeof request,
             "POST /publish?topic=%u&from=%u&count=%u HTTP/1.1\r\nHost: exact\r\n"
             "Content-Length: 0\r\n\r\n",
             publisher->topic, publisher->next, count);
    if (!link_open(&publisher->link, publisher, false, request))
        return;
    publisher->next += count;
    publisher->until = publisher->next;
}

static void publisher_read(struct publisher *publisher) {
    ssize_t got = link_read(&publisher->link, SIZE_MAX);
    bool complete = publisher->link.reader.complete;

    if (got < 0 || (got > 0 && !complete))
        return;
    if (!complete && !options.kills)
        ledger_fail("the answer to a publish broke off");
    link_close(&publisher->link, dice(PAUSE_MS));
    if (publisher->acknowledged >= publisher->wanted && complete) {
        publisher->done = true;
        ledger.final[publisher->topic] = publisher->next - 1;
    }
}

static void start_event(void *arg, const struct event *event) {
    (void)arg;
    snprintf(start_id, sizeof start_id, "%s", event->id);
}

/* The id that all clients begin with. */
static void get_start(void) {
    struct link link = {.fd = -1};

    reader_init(&link.reader, start_event, NULL);
    if (!link_open(&link, NULL, false,
                   "POST /start HTTP/1.1\r\nHost: exact\r\nContent-Length: 0\r\n\r\n"))
        ledger_fail("nobody listens");
    while (!link.reader.complete)
        if (link_read(&link, SIZE_MAX) == 0)
            ledger_fail("no id to start with");
    link_close(&link, 0);
    reader_fini(&link.reader);
    if (!start_id[0])
        ledger_fail("no id to start with");
}

/* --- all of them --- */

static void begin(void) {
    uint32_t each = (uint32_t)options.events / TOPICS;
    char query[40];

    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server_start(options.command);
    ledger_init(&ledger, TOPICS, each + (uint32_t)((options.kills + 1) * options.burst));
    get_start();
    for (uint32_t i = 0; i < (uint32_t)options.clients; i++) {
        struct client *client = &clients[i];
        client->number = i;
        client->link.fd = -1;
        reader_init(&client->link.reader, client_event, client);
        record_init(&client->record, &ledger, topics_of(i), start_id);
        query_of(client, query, sizeof query);
        snprintf(client->record.name, sizeof client->record.name, "client %u (%s)", i, query);
    }
    for (uint32_t i = 0; i < TOPICS; i++) {
        struct publisher *publisher = &publishers[i];
        *publisher = (struct publisher){.topic = i, .next = 1, .wanted = each, .link.fd = -1};
        reader_init(&publisher->link.reader, publisher_event, publisher);
    }
    moved_at = now_ms();
}

/* Who has everything goes, who is away comes back. */
static void client_wake(struct client *client, uint64_t now) {
    if (record_is_complete(&client->record, &ledger)) {
        client->done = true;
        if (client->link.fd >= 0)
            link_close(&client->link, 0);
    } else if (client->link.fd < 0 && client->link.wake_at <= now) {
        client_connect(client);
    }
}

/* True while somebody is not done. */
static bool wake_all(void) {
    uint64_t now = now_ms();
    bool busy = false;

    for (long i = 0; i < options.clients; i++) {
        if (!clients[i].done)
            client_wake(&clients[i], now);
        busy = busy || !clients[i].done;
    }
    for (int i = 0; i < TOPICS; i++) {
        struct publisher *publisher = &publishers[i];
        busy = busy || !publisher->done;
        if (!publisher->done && publisher->link.fd < 0 && publisher->link.wake_at <= now)
            publisher_post(publisher);
    }
    return busy;
}

static void read_all(void) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, 1);

    for (int i = 0; i < count; i++) {
        void *owner = events[i].data.ptr;
        if (owner >= (void *)clients && owner < (void *)(clients + CLIENTS_MAX))
            client_read(owner);
        else
            publisher_read(owner);
    }
}

/* The kills are spread evenly over what is published. */
static void kill_in_time(void) {
    uint64_t acknowledged = 0;

    for (int i = 0; i < TOPICS; i++)
        acknowledged += publishers[i].acknowledged;
    if (kills < options.kills && acknowledged * (uint64_t)(options.kills + 1) >=
                                     (uint64_t)options.events * (uint64_t)(kills + 1)) {
        kills++;
        server_restart();
        moved_at = now_ms();
    }
}

static void check_progress(uint64_t deadline) {
    uint64_t now = now_ms();

    if (now < deadline && now < moved_at + PATIENCE_MS)
        return;
    for (long i = 0; i < options.clients; i++) {
        const struct record *record = &clients[i].record;
        if (!clients[i].done)
            printf("%s: %" PRIu64 " events, newest %u %u %u %u of %u %u %u %u, at %s\n",
                   record->name, record->events, record->newest[0], record->newest[1],
                   record->newest[2], record->newest[3], publishers[0].next - 1,
                   publishers[1].next - 1, publishers[2].next - 1, publishers[3].next - 1,
                   record->position_text);
    }
    ledger_fail("still not done");
}

static void end(void) {
    uint64_t events = 0, gaps = 0, counted = 0;

    for (long i = 0; i < options.clients; i++) {
        struct record *record = &clients[i].record;
        record_verify(record, &ledger);
        events += record->events;
        gaps += record->gap_count;
        for (uint32_t k = 0; k < record->gap_count; k++)
            counted += record->gaps[k].lost >= 0;
        record_fini(record);
        reader_fini(&clients[i].link.reader);
    }
    for (int i = 0; i < TOPICS; i++)
        reader_fini(&publishers[i].link.reader);
    printf("%ld clients, %ld events, %ld kills: %" PRIu64 " delivered over %" PRIu64
           " connections, %" PRIu64 " cut, %" PRIu64 " of them inside an event; %" PRIu64
           " gaps, %" PRIu64 " with a count\n",
           options.clients, options.events, kills, events, connections, cuts, cuts_inside, gaps,
           counted);
    if (!cuts_inside || (options.gaps && !counted))
        ledger_fail("this run has tried nothing");
    ledger_fini(&ledger);
}

static long number_of(const char *text, long low) {
    char *rest;
    long number = text ? strtol(text, &rest, 10) : -1;

    if (!text || rest == text || *rest || number < low || number > 100000000)
        ledger_fail("no number: %s", text ? text : "nothing");
    return number;
}

static void parse(char **argument) {
    struct {
        const char *name;
        long *value, low;
    } known[] = {{"--clients", &options.clients, 1}, {"--events", &options.events, TOPICS},
                 {"--cut", &options.cut, CUT_LEAST}, {"--burst", &options.burst, 1},
                 {"--kills", &options.kills, 0},     {"--seed", &options.seed, 1},
                 {"--seconds", &options.seconds, 1}};
    const size_t count = sizeof known / sizeof known[0];

    for (; *argument && strcmp(*argument, "--"); argument++) {
        long *value = NULL, low = 0;
        if (!strcmp(*argument, "--gaps")) {
            options.gaps = true;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!strcmp(*argument, known[i].name)) {
                value = known[i].value;
                low = known[i].low;
            }
        }
        if (value)
            *value = number_of(*++argument, low);
        else
            ledger_fail("unknown option %s", *argument);
    }
    if (!*argument || !argument[1] || options.clients > CLIENTS_MAX)
        ledger_fail("usage: exact [OPTIONS] -- PROGRAM ARGUMENTS...");
    options.command = argument + 1;
}

int main(int argc, char **argv) {
    (void)argc;
    options.seed = (long)(now_ms() % 100000000) + 1;
    parse(argv + 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %ld\n", options.seed);
    begin();
    uint64_t deadline = now_ms() + (uint64_t)options.seconds * 1000;
    while (wake_all()) {
        read_all();
        kill_in_time();
        check_progress(deadline);
    }
    server_stop();
    end();
    return 0;
}
