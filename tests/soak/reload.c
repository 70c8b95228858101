/* reload: live streams, publishes and requests while an app is reloaded again and again.
 *
 *   reload PORT PID WEIR TEMPLATE APP SAMPLE STREAMS RELOADS REQUESTS
 *
 *   open STREAMS --> [ write APP, good or broken --> the newest answers, or a failure is counted
 *                      --> a pause ] RELOADS times --> what was published has come everywhere
 *
 * The server, process PID, watches APP, which is written anew from TEMPLATE by another file's
 * renaming. Every fourth version is broken. Half of the streams are subscribed, half are held by
 * coroutines; a quarter of these are visitors, who go and come back, so that each generation has
 * some. Events are numbered, so is each generation and each tick of the background task.
 * Whatever must not be ends the program with 1 at once: an event lost or doubled, a stream that
 * ended though fewer than four newer generations were there, an answer other than 200 or of a
 * generation older than one that had answered before it was asked for, a tick that comes twice.
 *
 * Prints what it found: how much memory, how long until new code answered, and what `weir check` of
 * SAMPLE, the first version, took meanwhile. PORT 0 only writes APP and SAMPLE. With at least
 * 10,000 STREAMS and 100 RELOADS these have limits too. */
#include "../bench/rig.h"
#include "../exact/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE 4          /* generations */
#define TURN_MS 5       /* how long is waited for the network at most */
#define ASKERS 8        /* connections of each kind */
#define OPENING_MAX 128 /* streams that wait for their head */
#define PUBLISH_MS 500  /* between two events */
#define ASK_MS 25       /* between two requests of one asker */
#define PAUSE_MS 800    /* between two reloads */
#define REST_MS 2000    /* before memory is looked at */
#define STALL_MS 30000  /* what takes longer never comes */
#define REOPEN_MS 500   /* how long clients stay away at most */
#define ANSWER_MAX 4096
#define STAY_MS 5000 /* how long a visitor stays at most */
#define CHECKS 9

enum kind { SUBSCRIBED, HELD, TICKS, KEPT, FRESH, PUBLISHER, PROBER };

struct client {
    enum kind kind;
    uint32_t number;
    int fd;       /* -1: none */
    uint64_t due; /* ms: when it connects, or asks, next */
    /* A stream: */
    struct reader reader;
    bool started;
    uint64_t next; /* the event that must come, */
    char id[64];   /* and the last one's id */
    long generation;
    uint64_t leaves; /* ms: a visitor, then */
    /* One that asks: */
    bool asking;
    long floor; /* a generation that had answered before */
    size_t got;
    char answer[ANSWER_MAX];
};

enum state { OPENING, PAUSING, AWAITED_GOOD, AWAITED_BAD, SETTLING, RESTING, ENDING, OVER };

static struct {
    int port, epoll;
    pid_t pid;
    const char *weir, *template, *app, *sample;
    long streams, reloads, requests_wanted;
    struct client *clients;
    uint32_t count;
    long opening, started, held_started;
    uint64_t published, told; /* events: given, and acknowledged */
    long newest;              /* generation that has answered */
    long written;             /* good generation that was written last */
    long broken;              /* versions that were */
    long done;                /* reloads */
    long failed;              /* of them, as the server counts */
    long requests, kept_requests, ended, expelled, ticks;
    long left; /* visitors whose stream the server might have been ending just then */
    enum state state, after;
    uint64_t since;             /* ms, of the state */
    double *latencies, *checks; /* ms */
    long nlatencies, nchecks;
    int ask_check, checked;
    uint64_t written_at;
    long memory_tenth, memory_last;
} soak;

static uint64_t now_ms(void) {
    return rig_now() / 1000000;
}

/* --- connections --- */

static void drop(struct client *client) {
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->got = 0;
    client->asking = false;
}

static void dial(struct client *client) {
    client->fd = rig_connect(soak.port);
    rig_reset_on_close(client->fd);
    rig_watch(soak.epoll, client->fd, client->number);
}

static void put(struct client *client, const char *text) {
    size_t size = strlen(text);
    if (write(client->fd, text, size) != (ssize_t)size)
        rig_fail("the server does not take a request: %m");
}

/* --- streams --- */

static bool is_stream(const struct client *client) {
    return client->kind <= TICKS;
}

static void on_tick(struct client *client, const struct event *event) {
    long generation = atol(event->name);
    if (client->generation == 0) /* it was not there for the first ones */
        client->next = strtoull(event->data, NULL, 10);
    if (strtoull(event->data, NULL, 10) != client->next)
        rig_fail("tick %s of generation %s, expected %llu", event->data, event->name,
                 (unsigned long long)client->next);
    if (generation < client->generation)
        rig_fail("generation %ld ticks after generation %ld", generation, client->generation);
    client->generation = generation;
    client->next++;
    soak.ticks++;
}

static void on_event(void *arg, const struct event *event) {
    struct client *client = arg;
    if (client->kind == TICKS) {
        on_tick(client, event);
        return;
    }
    if (client->kind == HELD && strcmp(event->name, "generation") == 0) {
        client->generation = atol(event->data);
        client->leaves = now_ms() + client->number * 7919u % STAY_MS;
        soak.held_started++;
        return;
    }
    if (strcmp(event->name, "message") != 0 || strtoull(event->data, NULL, 10) != client->next)
        rig_fail("stream %u of kind %d got %s %s, expected message %llu", client->number,
                 client->kind, event->name, event->data, (unsigned long long)client->next);
    snprintf(client->id, sizeof client->id, "%s", event->id);
    client->next++;
}

static void open_stream(struct client *client) {
    static const char *const paths[] = {"/subscribed", "/held", "/ticks"};
    char request[256], last[100] = "";
    if (client->id[0])
        snprintf(last, sizeof last, "Last-Event-ID: %s\r\n", client->id);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
             paths[client->kind], last);
    reader_reset(&client->reader);
    client->started = false;
    client->generation = 0;
    dial(client);
    put(client, request);
    soak.opening++;
}

static void leave(struct client *client, uint64_t stay_away) {
    drop(client);
    soak.started--;
    soak.held_started--;
    client->due = now_ms() + stay_away;
}

/* Only one held by a coroutine ends, and only for four generations newer than its own. */
static void stream_ended(struct client *client) {
    if (client->kind != HELD || !client->reader.complete)
        rig_fail("stream %u of kind %d ended%s, of generation %ld; the newest is %ld",
                 client->number, client->kind, client->reader.complete ? "" : " in pieces",
                 client->generation, soak.written);
    if (client->generation == 0 || soak.written - client->generation < LIVE)
        rig_fail("a stream of generation %ld ended; the newest is %ld", client->generation,
                 soak.written);
    soak.ended++;
    leave(client, client->number % REOPEN_MS);
}

static void read_stream(struct client *client) {
    char bytes[16384];
    ssize_t got;
    do {
        got = read(client->fd, bytes, sizeof bytes);
        if (got <= 0)
            break;
        if (!reader_feed(&client->reader, bytes, (size_t)got))
            rig_fail("stream %u: %s", client->number, client->reader.wrong);
        if (!client->started && client->reader.state != 0) {
            client->started = true;
            soak.opening--;
            soak.started++;
        }
        if (client->reader.complete) {
            stream_ended(client);
            return;
        }
    } while (got == sizeof bytes); /* else there is no more, or the kernel tells again */
    if (got > 0)
        return;
    if (got == 0)
        stream_ended(client);
    else if (errno != EAGAIN)
        rig_fail("stream %u of kind %d: %m", client->number, client->kind);
}

/* --- requests --- */

static void ask(struct client *client) {
    char request[256], body[32] = "";
    const char *path = client->kind == PUBLISHER                             ? "/publish"
                       : client->kind == PROBER && soak.state == AWAITED_BAD ? "/stats"
                                                                             : "/";
    if (client->kind == FRESH &&
        client->fd >= 0) /* the server has ended it, which is not seen yet */
        drop(client);
    if (client->fd < 0)
        dial(client);
    if (client->kind == PUBLISHER)
        snprintf(body, sizeof body, "%llu", (unsigned long long)++soak.published);
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n%s",
             client->kind == PUBLISHER ? "POST" : "GET", path,
             client->kind == FRESH ? "Connection: close\r\n" : "", strlen(body), body);
    client->asking = true;
    client->floor = soak.newest;
    client->got = 0;
    put(client, request);
}

static void answered(struct client *client, const char *body) {
    long generation = atol(body);
    const char *count = strstr(body, "\"reloads_failed\":");
    soak.requests++;
    soak.kept_requests += client->kind != FRESH;
    if (client->kind == PUBLISHER) {
        soak.told++;
    } else if (count) {
        soak.failed = atol(count + strlen("\"reloads_failed\":"));
        soak.expelled =
            atol(strstr(body, "\"streams_expelled\":") + strlen("\"streams_expelled\":"));
    } else {
        if (generation < client->floor || generation > soak.written)
            rig_fail("generation %ld answers after generation %ld; %ld was written last",
                     generation, client->floor, soak.written);
        if (generation > soak.newest)
            soak.newest = generation;
    }
}

/* Whether the answer is whole; then `*body` is its body. */
static bool is_whole(struct client *client, const char **body) {
    static const char name[] = "\r\ncontent-length:";
    client->answer[client->got] = '\0';
    char *end = strstr(client->answer, "\r\n\r\n");
    if (end == NULL)
        return false;
    char *length = strcasestr(client->answer, name);
    if (strncmp(client->answer, "HTTP/1.1 200 ", 13) != 0 || length == NULL || length > end)
        rig_fail("an answer that must not be:\n%s", client->answer);
    *body = end + 4;
    size_t bytes = length ? strtoul(length + sizeof name - 1, NULL, 10) : 0;
    return client->got == (size_t)(*body - client->answer) + bytes;
}

static void read_answer(struct client *client) {
    const char *body;
    ssize_t got;
    while ((got = read(client->fd, client->answer + client->got, ANSWER_MAX - 1 - client->got)) > 0)
        client->got += (size_t)got;
    if (got < 0 && errno != EAGAIN)
        rig_fail("a request of kind %d: %m", client->kind);
    if (client->asking && is_whole(client, &body)) {
        client->asking = false;
        client->due = now_ms() + (client->kind == PUBLISHER ? PUBLISH_MS : ASK_MS);
        answered(client, body);
    } else if (got == 0 && client->asking) {
        rig_fail("a request of kind %d was cut off after %zu bytes", client->kind, client->got);
    }
    if (got == 0)
        drop(client);
    else if (client->kind == PROBER && soak.state == AWAITED_GOOD)
        client->due = now_ms();
}

/* --- versions of the app --- */

static FILE *open_file(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    if (file)
        return file;
    rig_fail("%s: %m", path);
}

static void write_app(const char *path, long generation, const char *breaks_by) {
    char line[1024], *mark, temporary[4096];
    FILE *from = open_file(soak.template, "r");
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *to = open_file(temporary, "w");
    while (fgets(line, sizeof line, from)) {
        if (strncmp(line, "--", 2) == 0)
            continue;
        if ((mark = strstr(line, "1 -- GENERATION")) != NULL)
            fprintf(to, "%.*s%ld\n", (int)(mark - line), line, generation);
        else if (strstr(line, "-- BREAK"))
            fprintf(to, "%s\n", breaks_by);
        else
            fputs(line, to);
    }
    fclose(from);
    if (fclose(to) != 0)
        rig_fail("cannot write %s: %m", temporary);
    soak.written_at = rig_now();
    if (rename(temporary, path) != 0)
        rig_fail("cannot rename %s: %m", temporary);
}

static double check_once(void) {
    uint64_t start = rig_now();
    int status;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        execl(soak.weir, soak.weir, "check", soak.sample, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        rig_fail("weir check failed");
    return (double)(rig_now() - start) / 1e6;
}

/* A process of its own times a check whenever it is asked, without this one's descriptors. */
static void start_checker(void) {
    int ask[2], answer[2];
    char byte;
    if (pipe(ask) || pipe(answer))
        rig_fail("pipe: %m");
    pid_t child = fork();
    if (child < 0)
        rig_fail("fork: %m");
    soak.ask_check = ask[1];
    soak.checked = answer[0];
    if (child > 0) {
        close(ask[0]);
        close(answer[1]);
        return;
    }
    close(ask[1]);
    while (read(ask[0], &byte, 1) == 1) {
        double took = check_once();
        if (write(answer[1], &took, sizeof took) != sizeof took)
            break;
    }
    _exit(0);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, long n) {
    qsort(values, (size_t)n, sizeof *values, by_size);
    return n == 0 ? 0 : values[n / 2];
}

/* --- the plan --- */

static void go_to(enum state state) {
    soak.state = state;
    soak.since = now_ms();
    if (state == PAUSING && write(soak.ask_check, "", 1) != 1)
        rig_fail("nobody checks: %m");
}

static const char *const breaks[] = {"error('broken')", "return return", "require 'nowhere'",
                                     "weir.sleep(0.05) weir.nothing()"};

/* Every fourth is broken, each time otherwise. */
static void next_version(void) {
    if (read(soak.checked, &soak.checks[soak.nchecks++], sizeof(double)) != sizeof(double))
        rig_fail("nobody has checked: %m");
    if (soak.done % 4 == 2) {
        write_app(soak.app, 1000000, breaks[soak.broken++ % 4]);
        go_to(AWAITED_BAD);
    } else {
        soak.written++;
        write_app(soak.app, soak.written, "");
        go_to(AWAITED_GOOD);
    }
    soak.done++;
}

static void reloaded(void) {
    if (soak.state == AWAITED_GOOD)
        soak.latencies[soak.nlatencies++] = (double)(rig_now() - soak.written_at) / 1e6;
    soak.after = soak.done == soak.reloads ? ENDING : PAUSING;
    go_to(soak.done == 10 || soak.done == soak.reloads ? SETTLING : PAUSING);
}

static bool all_open(void) {
    return soak.opening == 0 && soak.started == soak.streams + 1 &&
           soak.held_started == soak.streams / 2;
}

/* All streams have all events, and enough was asked. */
static bool all_came(void) {
    for (uint32_t i = 0; i < soak.count; i++)
        if (soak.clients[i].kind <= HELD && soak.clients[i].next != soak.published + 1)
            return false;
    return soak.told == soak.published && soak.requests >= soak.requests_wanted;
}

static void look_at_memory(void) {
    long memory = rig_memory(soak.pid);
    if (soak.done == soak.reloads)
        soak.memory_last = memory;
    if (soak.done == 10)
        soak.memory_tenth = memory;
    go_to(soak.after);
}

static void follow_plan(void) {
    uint64_t passed = now_ms() - soak.since;
    switch (soak.state) {
    case OPENING:
        if (all_open())
            go_to(PAUSING);
        break;
    case PAUSING:
        if (passed >= PAUSE_MS)
            next_version();
        break;
    case AWAITED_GOOD:
        if (soak.newest == soak.written)
            reloaded();
        break;
    case AWAITED_BAD:
        if (soak.failed == soak.broken)
            reloaded();
        break;
    case SETTLING:
        if (all_open())
            go_to(RESTING);
        break;
    case RESTING:
        if (passed >= REST_MS)
            look_at_memory();
        break;
    case ENDING:
        if (all_came())
            go_to(OVER);
        break;
    case OVER:
        break;
    }
    if (soak.state != OVER && passed > STALL_MS + (soak.state == ENDING ? 600000u : 0u))
        rig_fail("nothing goes on in state %d: %ld streams, %ld held ones, %ld opening, version "
                 "%ld of %ld, %ld of %ld broken",
                 soak.state, soak.started, soak.held_started, soak.opening, soak.newest,
                 soak.written, soak.failed, soak.broken);
}

/* --- going on --- */

static bool may_publish(void) {
    return soak.state != OPENING &&
           !(soak.state == ENDING && soak.requests >= soak.requests_wanted);
}

static bool wants_to_leave(const struct client *client, uint64_t now) {
    bool rests = soak.state == OPENING || soak.state >= SETTLING;
    return client->kind == HELD && client->number % 8 == 1 && client->fd >= 0 && client->id[0] &&
           client->generation > 0 && client->leaves <= now && !rests;
}

static void nudge(struct client *client, uint64_t now) {
    if (wants_to_leave(client, now)) {
        soak.left += soak.written - client->generation >= LIVE;
        leave(client, 0);
    }
    if (client->due > now || client->asking)
        return;
    if (is_stream(client)) {
        if (client->fd < 0 && soak.opening < OPENING_MAX)
            open_stream(client);
    } else if (client->kind != PUBLISHER || may_publish()) {
        ask(client);
    }
}

static void go_on(void) {
    struct epoll_event ready[256];
    int count = epoll_wait(soak.epoll, ready, 256, TURN_MS);
    for (int i = 0; i < count; i++) {
        struct client *client = &soak.clients[ready[i].data.u32];
        if (client->fd < 0)
            continue;
        if (is_stream(client))
            read_stream(client);
        else
            read_answer(client);
    }
    uint64_t now = now_ms();
    for (uint32_t i = 0; i < soak.count; i++)
        nudge(&soak.clients[i], now);
    follow_plan();
}

static void add_client(enum kind kind) {
    struct client *client = &soak.clients[soak.count];
    client->kind = kind;
    client->number = soak.count++;
    client->fd = -1;
    client->next = 1;
    reader_init(&client->reader, on_event, client);
}

static void add_clients(void) {
    size_t most = (size_t)soak.streams + 2 * ASKERS + 3;
    soak.clients = calloc(most, sizeof *soak.clients);
    soak.latencies = calloc((size_t)soak.reloads, sizeof *soak.latencies);
    soak.checks = calloc((size_t)soak.reloads, sizeof *soak.checks);
    if (soak.clients == NULL || soak.latencies == NULL || soak.checks == NULL)
        rig_fail("no memory for %ld streams", soak.streams);
    add_client(TICKS);
    for (long i = 0; i < soak.streams; i++)
        add_client(i % 2 == 0 ? HELD : SUBSCRIBED);
    for (int i = 0; i < ASKERS; i++) {
        add_client(KEPT);
        add_client(FRESH);
    }
    add_client(PUBLISHER);
    add_client(PROBER);
}

static int judge(double check, double latency) {
    double memory = (double)soak.memory_last / (double)soak.memory_tenth;
    bool full = soak.streams >= 10000 && soak.reloads >= 100;
    printf("%ld streams, %ld reloads (%ld broken), %ld requests (%ld kept alive), %llu events, "
           "%ld ticks, %ld streams ended since their generation was the oldest of five\n",
           soak.streams, soak.reloads, soak.broken, soak.requests, soak.kept_requests,
           (unsigned long long)soak.published, soak.ticks, soak.ended);
    printf("memory: %.2f MiB after ten reloads, %.2f MiB after the last: %.3f\n",
           (double)soak.memory_tenth / (1 << 20), (double)soak.memory_last / (1 << 20), memory);
    printf("from the write to the first answer of new code: median %.1f ms, slowest %.1f ms; weir "
           "check: %.1f ms; 50 ms for editors, and %.2f times the check\n",
           latency, soak.latencies[soak.nlatencies - 1], check, (latency - 50) / check);
    if (!full)
        return 0;
    return memory <= 1.05 && latency <= 3 * check + 50 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 10)
        rig_fail("usage: reload PORT PID WEIR TEMPLATE APP SAMPLE STREAMS RELOADS REQUESTS");
    soak.port = (int)rig_number(argv[1], "PORT", 0, 65535);
    soak.pid = (pid_t)rig_number(argv[2], "PID", 0, INT32_MAX);
    soak.weir = argv[3];
    soak.template = argv[4];
    soak.app = argv[5];
    soak.sample = argv[6];
    soak.streams = rig_number(argv[7], "STREAMS", 2, 1000000) / 2 * 2;
    soak.reloads = rig_number(argv[8], "RELOADS", 10, 100000);
    soak.requests_wanted = rig_number(argv[9], "REQUESTS", 1, 100000000);
    soak.written = 1;
    if (soak.port == 0) {
        write_app(soak.app, 1, "");
        write_app(soak.sample, 1, "");
        return 0;
    }
    start_checker();
    soak.epoll = rig_epoll();
    add_clients();
    go_to(OPENING);
    while (soak.state != OVER)
        go_on();
    if (soak.expelled > soak.ended + soak.left)
        rig_fail("the server says it ended %ld streams, %ld were", soak.expelled, soak.ended);
    return judge(median(soak.checks, soak.nchecks), median(soak.latencies, soak.nlatencies));
}
