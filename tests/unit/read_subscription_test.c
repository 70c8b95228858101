/* Subscriptions of streams, over sockets and simulated: what a client gets that reads, stops
 * reading and reads on, leaves while it is served, is too slow, or does not speak HTTP/1.1. Events
 * are known by their serial numbers: what a client has got reads as "1-4 trimmed:3 8". */
#include "read/subscription.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "http/sse.h"
#include "hub/order.h"
#include "hub/publication.h"
#include "read/turn.h"
#include "wire/simulated.h"
#include "site.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COPY_MAX 4096

static struct site site;
static struct reader reader;
static struct client client;
static struct buf shown, plain;
static unsigned serial;
static uint64_t memory;

static void keep(uint64_t count, uint64_t bytes) {
    struct topic_rule rule = {.pattern = STR("*"), .keep = {count, 3600000, bytes}};
    hub_set_rules("test", &rule, 1);
}

static int setup(void **state) {
    (void)state;
    site_init(&site);
    hub_clear();
    hub_set_memory(UINT64_MAX);
    memory = hub.memory;
    reader_init(&reader, &site.loop);
    keep(100000, 1 << 26);
    serial = 0;
    client = (struct client){.fd = -1};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    client_fini(&client);
    fault_reset();
    http_server_stop(&site.server);
    site_settle(&site);
    assert_int_equal(reader.counters.subscribers, 0);
    reader_fini(&reader);
    site_fini(&site);
    hub_clear();
    assert_int_equal(hub.topics, 0);
    assert_int_equal(hub.memory, memory);
    buf_fini(&shown);
    buf_fini(&plain);
    return 0;
}

/* Data: the serial number, and as much more as `size` says. */
static void publish(const char *topic, size_t size) {
    char *text = mem_alloc(size + 40);
    int n = snprintf(text, 40, "data: %u ", ++serial);
    memset(text + n, 'x', size);
    memcpy(text + n + size, "\n\n", 2);
    struct publication publication = {.topic = str_of(topic), .text = {text, (size_t)n + size + 2}};
    assert_int_equal(publication_send(&publication, &reader), 0);
    free(text);
}

static void publish_many(const char *topic, size_t size, int times) {
    while (times-- > 0)
        publish(topic, size);
}

static struct stream *subscribe(struct stream *stream, const struct subscription_options *options) {
    struct sse_options sse = {.retry_ms = -1};
    assert_int_equal(sse_start(stream, &sse), 0);
    struct subscription *sub = subscription_new(stream, &reader, options);
    assert_ptr_equal(subscription_of(stream), sub);
    struct position_choice choice = {.name = STR("t")};
    position_add(&sub->position, &choice);
    site_settle(&site);
    return stream;
}

static const struct subscription_options none = {.limit = {UINT32_MAX, UINT32_MAX}};

/* The stream of the client's request. */
static struct stream *ask(const char *request, const struct subscription_options *options) {
    if (client.fd < 0)
        site_connect(&site, &client);
    site_send(&site, &client, str_of(request));
    struct stream *stream = site_stream(&site);
    assert_non_null(stream);
    assert_null(subscription_of(stream));
    return subscribe(stream, options);
}

/* --- what came --- */

static struct str body(void) {
    struct str got = buf_str(&client.got);
    const char *end = got.len > 0 ? memmem(got.ptr, got.len, "\r\n\r\n", 4) : NULL;
    assert_non_null(end);
    return (struct str){end + 4, got.len - (size_t)(end + 4 - got.ptr)};
}

/* Whole chunks to `plain`; the rest must be the beginning of one. */
static void unchunk(struct str bytes) {
    plain.len = 0;
    while (bytes.len > 0) {
        const char *line = memchr(bytes.ptr, '\n', bytes.len);
        size_t size = line ? strtoul(bytes.ptr, NULL, 16) : 0;
        if (line == NULL || bytes.len < (size_t)(line + 1 - bytes.ptr) + size + 2)
            return;
        assert_in_range(line - bytes.ptr, 2, 9);
        assert_memory_equal(line + 1 + size, "\r\n", 2);
        buf_append(&plain, line + 1, size);
        bytes.len -= (size_t)(line + 1 - bytes.ptr) + size + 2;
        bytes.ptr = line + 1 + size + 2;
    }
}

static void show_run(unsigned first, unsigned last) {
    const char *space = shown.len > 0 ? " " : "";
    if (last > first)
        buf_printf(&shown, "%s%u-%u", space, first, last);
    else if (last > 0)
        buf_printf(&shown, "%s%u", space, last);
}

/* Whole events, in order of ids. */
static const char *show(struct str text) {
    unsigned first = 0, last = 0;
    event_id before = 0, id;
    shown.len = 0;
    while (text.len > 0) {
        const char *end = memmem(text.ptr, text.len, "\n\n", 2);
        assert_non_null(end);
        struct str event = {text.ptr, (size_t)(end - text.ptr)}, line = event, rest = event;
        while (rest.ptr)
            line = str_cut(&rest, '\n');
        text.len -= (size_t)(end + 2 - text.ptr);
        text.ptr = end + 2;
        if (str_starts(line, STR(":"))) {
            show_run(first, last);
            first = last = 0;
            buf_printf(&shown, "%s%.*s", shown.len ? " " : "", STR_ARG(line));
            continue;
        }
        assert_true(str_starts(line, STR("id: ")));
        assert_int_equal(event_id_parse((struct str){line.ptr + 4, line.len - 4}, &id), 0);
        assert_true(id > before);
        before = id;
        if (str_starts(event, STR("data: "))) {
            unsigned number = (unsigned)atoi(event.ptr + 6);
            if (number != last + 1 || first == 0) {
                show_run(first, last);
                first = number;
            }
            last = number;
            continue;
        }
        show_run(first, last);
        first = last = 0;
        char reason[20];
        int lost = -1;
        assert_true(sscanf(event.ptr, "event: weir.gap\ndata: {\"reason\":\"%19[a-z]\",\"lost\":%d",
                           reason, &lost) >= 1);
        buf_printf(&shown, "%s%s:%d", shown.len ? " " : "", reason, lost);
    }
    show_run(first, last);
    buf_add_char(&shown, 0);
    return shown.data;
}

/* Reads until nothing more comes. */
static void read_up(void) {
    size_t before;
    do {
        before = client.got.len;
        site_settle(&site);
        client_read(&client);
    } while (client.got.len > before);
}

static const char *got(void) {
    read_up();
    unchunk(body());
    return show(buf_str(&plain));
}

/* The client does not read; until the kernel takes no more, of so much at a time that it takes part
 * of it. */
static void stall(struct stream *stream, size_t size) {
    for (int i = 0; i < 5000 && !subscription_of(stream)->blocked; i++) {
        publish_many("t", size, 1 + (int)(90000 / size));
        site_settle(&site);
    }
    assert_true(subscription_of(stream)->blocked);
}

static const char *up_to(unsigned last) {
    static char text[40];
    snprintf(text, sizeof text, "1-%u", last);
    return text;
}

/* --- a client that reads --- */

static void events_come_as_chunks(void **state) {
    (void)state;
    ask(GET("/held"), &none);
    publish_many("t", 10, 3);
    assert_string_equal(got(), "1-3");
    publish_many("t", 100000, 10);
    publish_many("t", 0, 1000);
    assert_string_equal(got(), "1-1013");
    struct hub_counters totals;
    hub_totals(&totals);
    assert_int_equal(totals.subscribers, 1);
}

static void a_backlog_takes_several_turns(void **state) {
    (void)state;
    site.server.limits.turn_bytes = 1000;
    ask(GET("/held"), &none);
    publish_many("t", 100, 500);
    assert_string_equal(got(), "1-500");
}

static void http_1_0_gets_them_plain(void **state) {
    (void)state;
    struct stream *stream = ask("GET /held HTTP/1.0\r\n\r\n", &none);
    assert_false(stream_takes_chunks(stream));
    publish_many("t", 10, 3);
    read_up();
    assert_string_equal(show(body()), "1-3");
    publish_many("t", 20000, 100); /* more than may be queued, and than the kernel takes */
    site_settle(&site);
    assert_true(subscription_of(stream)->blocked);
    assert_in_range(stream_queued(stream), 1, site.server.limits.high_mark + 20100);
    read_up();
    assert_string_equal(show(body()), "1-103");
}

static void head_is_over_at_once(void **state) {
    (void)state;
    ask("HEAD /held HTTP/1.1\r\nHost: a\r\n\r\n", &none);
    assert_int_equal(site.closed[REASON_DONE], 1);
    publish_many("t", 10, 3);
    read_up();
    assert_int_equal(body().len, 0);
}

static void what_is_left_comes_no_more(void **state) {
    (void)state;
    struct stream *stream = ask(GET("/held"), &none);
    struct position *position = &subscription_of(stream)->position;
    publish_many("t", 10, 2);
    assert_string_equal(got(), "1-2");
    publish("t", 10);
    assert_true(position_remove(position, STR("t"), false));
    assert_false(position_remove(position, STR("t"), false));
    publish("t", 10);
    assert_string_equal(got(), "1-2");
    struct position_choice choice = {.name = STR("t")};
    position_add(position, &choice);
    publish("t", 10);
    assert_string_equal(got(), "1-2 5");
}

/* --- a client that stops reading --- */

/* Half an entry is queued, copied if it is short, and nothing else, however much there is. */
static void a_stalled_client_costs_one_entry(void **state) {
    (void)state;
    int copied = 0, shared = 0;
    for (size_t i = 0; i < 16; i++) {
        size_t size = i < 8 ? 1000 : 40000 + i * 1777; /* the cut is elsewhere each time */
        client_fini(&client);
        client = (struct client){.fd = -1};
        site_settle(&site);
        struct stream *stream = ask(GET("/held"), &none);
        unsigned first = serial + 1;
        publish("t", i * 1700);
        stall(stream, size);
        publish_many("t", size, 100);
        site_settle(&site);
        size_t queued = stream_queued(stream);
        assert_true(queued < size + 100);
        hub_lock();
        struct topic *topic = hub_topic(STR("t"));
        topic_trim(topic, topic->next);
        order_tidy();
        uint64_t rest = hub.memory - memory;
        hub_unlock();
        assert_true(queued > COPY_MAX ? rest > queued : rest < 3000);
        copied += queued > 0 && queued <= COPY_MAX;
        shared += queued > COPY_MAX;
        publish("t", 10);
        const char *text = got();
        char lost[40];
        unsigned until = (unsigned)strtoul(strchr(text, '-') + 1, NULL, 10);
        snprintf(lost, sizeof lost, "%u-%u trimmed:%u %u", first, until, serial - 1 - until,
                 serial);
        assert_string_equal(text, lost);
        assert_int_equal(stream_queued(stream), 0);
    }
    assert_true(copied > 0 && shared > 0);
}

static void it_goes_on_at_the_right_byte(void **state) {
    (void)state;
    struct stream *stream = ask(GET("/held"), &none);
    stall(stream, 3000);
    unsigned at_least = serial + 300;
    while (serial < at_least) { /* a little room now and then */
        publish("t", 3000);
        client_read_some(&client, 10007);
        site_settle(&site);
    }
    assert_string_equal(got(), up_to(serial));
    assert_false(subscription_of(stream)->blocked);
}

/* What a handler sends comes between entries. */
static void a_handler_may_send_between_entries(void **state) {
    (void)state;
    struct stream *stream = ask(GET("/held"), &none);
    stall(stream, 30000);
    assert_int_equal(stream_write(stream, ": hello\n\n", 9), 0);
    publish("t", 10);
    const char *text = got();
    char *hello = strstr(text, " : hello ");
    assert_non_null(hello);
    unsigned before = (unsigned)strtoul(strchr(text, '-') + 1, NULL, 10);
    assert_int_equal(strtoul(hello + 9, NULL, 10), before + 1);
}

static void too_slow_is_disconnected(void **state) {
    (void)state;
    struct hub_counters before, after;
    struct subscription_options options = {OVERFLOW_DISCONNECT, {10, UINT32_MAX}, STR("me")};
    hub_totals(&before);
    struct stream *stream = ask(GET("/held"), &options);
    stall(stream, 30000); /* which leaves a few unread */
    for (uint64_t unread = serial - subscription_of(stream)->position.only.next; unread < 10;
         unread++) {
        publish("t", 10);
        site_settle(&site);
    }
    assert_int_equal(site.closed[REASON_OVERFLOW], 0);
    publish("t", 10);
    site_settle(&site);
    assert_int_equal(site.closed[REASON_OVERFLOW], 1);
    hub_totals(&after);
    assert_int_equal(after.disconnected - before.disconnected, 1);
}

static void the_newest_are_dropped_and_told(void **state) {
    (void)state;
    struct subscription_options options = {.overflow = OVERFLOW_DROP_NEWEST,
                                           .limit = {3, UINT32_MAX}};
    struct stream *stream = ask(GET("/held"), &options);
    stall(stream, 1000);
    for (int i = 0; i < 10; i++) {
        publish("t", 10);
        site_settle(&site);
    }
    unsigned dropped_last = serial;
    got();
    publish("t", 10);
    const char *text = got(), *gap = strstr(text, " overflow:");
    assert_non_null(gap);
    unsigned had = (unsigned)strtoul(strchr(text, '-') + 1, NULL, 10), lost, next;
    assert_int_equal(sscanf(gap, " overflow:%u %u", &lost, &next), 2);
    assert_int_equal(had + lost, dropped_last);
    assert_int_equal(next, dropped_last + 1);
}

/* --- ends --- */

static void a_write_that_fails_ends_it(void **state) {
    (void)state;
    for (int skip = 0; skip < 6; skip++) {
        client_fini(&client);
        client = (struct client){.fd = -1};
        site_settle(&site);
        site.server.limits.turn_bytes = 2000;
        struct stream *stream = ask(GET("/held"), &none);
        struct position_choice choice = {.name = STR("p/"), .prefix = skip % 2};
        position_add(&subscription_of(stream)->position, &choice);
        site_settle(&site);
        int before = site.closed[REASON_CLIENT];
        fault_arm("conn_write", -EPIPE, skip, 1);
        publish_many("t", 1000, 20);
        site_settle(&site);
        site_settle(&site);
        fault_reset();
        assert_int_equal(site.closed[REASON_CLIENT], before + 1);
        assert_int_equal(reader.counters.subscribers, 0);
    }
}

/* What the handler wrote is flushed first, and that fails. */
static void a_flush_that_fails_ends_it(void **state) {
    (void)state;
    struct stream *stream = ask(GET("/held"), &none);
    fault_arm("conn_write", -ECONNRESET, 0, 1);
    stream_write(stream, ": hello\n\n", 9);
    publish("t", 10);
    site_settle(&site);
    assert_int_equal(site.closed[REASON_CLIENT], 1);
}

static void leaving_while_stalled(void **state) {
    (void)state;
    struct stream *stream = ask(GET("/held"), &none);
    stall(stream, 50000);
    client_close(&client, true);
    site_settle(&site);
    assert_int_equal(site_connections(&site), 0);
    assert_int_equal(reader.counters.subscribers, 0);
}

/* --- simulated --- */

static void on_over(struct simulated *simulated) {
    (void)simulated;
}

static struct stream *simulate(struct simulated *simulated, const char *method) {
    const char *why = NULL;
    simulated_init(simulated, &site.server, str_of(method), STR("/held"), on_over);
    assert_int_equal(simulated_send(simulated, STR(""), &why), 0);
    return subscribe(site_stream(&site), &none);
}

static void a_simulated_client_gets_them_plain(void **state) {
    (void)state;
    struct simulated simulated;
    simulate(&simulated, "GET");
    publish_many("t", 10, 3);
    site_settle(&site);
    assert_string_equal(show(buf_str(&simulated.body)), "1-3");
    simulated_leave(&simulated);
    publish("t", 10);
    site_settle(&site);
    simulated_fini(&simulated);
}

/* It keeps so much and no more; the stream ends below the subscription's own call. */
static void a_simulated_client_that_has_enough(void **state) {
    (void)state;
    struct simulated simulated;
    simulate(&simulated, "GET");
    for (size_t bytes = 0; bytes <= SIMULATED_BODY_MAX; bytes += 200000)
        publish("t", 200000);
    publish_many("t", 10, 10);
    for (int i = 0; i < 20; i++)
        site_settle(&site);
    assert_int_equal(site.closed[REASON_OVERFLOW], 1);
    assert_int_equal(reader.counters.subscribers, 0);
    simulated_fini(&simulated);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(events_come_as_chunks),
        TEST(a_backlog_takes_several_turns),
        TEST(http_1_0_gets_them_plain),
        TEST(head_is_over_at_once),
        TEST(what_is_left_comes_no_more),
        TEST(a_stalled_client_costs_one_entry),
        TEST(it_goes_on_at_the_right_byte),
        TEST(a_handler_may_send_between_entries),
        TEST(too_slow_is_disconnected),
        TEST(the_newest_are_dropped_and_told),
        TEST(a_write_that_fails_ends_it),
        TEST(a_flush_that_fails_ends_it),
        TEST(leaving_while_stalled),
        TEST(a_simulated_client_gets_them_plain),
        TEST(a_simulated_client_that_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
