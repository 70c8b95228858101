/* hub_rig: see the header. A taker does what a stream's subscription does, with a number of bytes
 * in place of a socket. What it got is read as a client reads it: chunks of HTTP/1.1 that hold
 * events, by code of its own. */
#include "hub_rig.h"

#include "base/clock.h"
#include "read/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void hub_rig_init(struct hub_rig *rig, int readers) {
    *rig = (struct hub_rig){.count = readers};
    clock_freeze();
    hub_clear();
    hub_set_memory(UINT64_MAX);
    rig->memory = hub.memory;
    for (int i = 0; i < readers; i++) {
        assert_int_equal(loop_init(&rig->loops[i]), 0);
        reader_init(&rig->readers[i], &rig->loops[i]);
    }
}

void hub_rig_fini(struct hub_rig *rig) {
    hub_rig_settle(rig);
    for (int i = 0; i < rig->count; i++) {
        reader_fini(&rig->readers[i]);
        assert_int_equal(loop_handles(&rig->loops[i]), 0);
        loop_fini(&rig->loops[i]);
    }
    hub_clear();
    assert_int_equal(hub.topics, 0);
    assert_int_equal(hub.crowds, 0);
    assert_int_equal(hub.names->nchildren, 0);
    assert_int_equal(hub.memory, rig->memory);
    clock_thaw();
}

void hub_rig_settle(struct hub_rig *rig) {
    for (int turn = 0; turn < 4; turn++)
        for (int i = 0; i < rig->count; i++)
            uv_run(&rig->loops[i].uv, UV_RUN_NOWAIT);
    for (int i = 0; i < rig->count; i++)
        while (!list_empty(&rig->loops[i].chores))
            uv_run(&rig->loops[i].uv, UV_RUN_NOWAIT);
}

void hub_rig_pass(struct hub_rig *rig, uint64_t ms) {
    clock_advance_ns(ms * 1000000);
    hub_tick();
    hub_rig_settle(rig);
}

void hub_rig_keep(uint64_t count, uint64_t age_ms, uint64_t bytes) {
    struct topic_rule rule = {.pattern = STR("*"), .keep = {count, age_ms, bytes}};
    hub_set_rules("rig", &rule, 1);
}

static void never_done(struct publication *publication, int error) {
    (void)publication;
    (void)error;
    fail_msg("nothing was to be waited for");
}

unsigned hub_rig_publish(struct hub_rig *rig, const char *topic, const char *key) {
    char text[32];
    int n = snprintf(text, sizeof text, "data: %u\n\n", ++rig->serial);
    struct publication publication = {.topic = str_of(topic),
                                      .text = {text, (size_t)n},
                                      .key = str_of(key),
                                      .only = rig->only,
                                      .done = never_done};
    assert_int_equal(publication_send(&publication, &rig->readers[0]), 0);
    assert_true(publication.id > rig->last);
    rig->last = publication.id;
    return rig->serial;
}

unsigned hub_rig_publish_many(struct hub_rig *rig, const char *topic, int times) {
    while (times-- > 0)
        hub_rig_publish(rig, topic, NULL);
    return rig->serial;
}

/* --- takers --- */

static struct taker *of_position(struct position *position) {
    return CONTAINER_OF(position, struct taker, position);
}

static void note_gap(struct taker *taker, const struct piece *piece) {
    char text[NAME_MAX_BYTES];
    if (piece->interest)
        buf_append(&taker->gaps, text, name_text(piece->interest->topic->name, text));
    buf_add_char(&taker->gaps, 0);
}

/* Copies the first `n` bytes. */
static void receive(struct taker *taker, const struct span *span, size_t n) {
    for (int i = 0; i < span->count && n > 0; i++) {
        const struct piece *piece = &span->pieces[i];
        size_t part = n < piece->len ? n : piece->len;
        if (piece->slab == NULL)
            note_gap(taker, piece);
        buf_append(&taker->got, piece->bytes, part);
        n -= part;
    }
}

static void serve(struct taker *taker) {
    struct position *position = &taker->position;
    struct span *span = position->reader->span;
    bool more = true;
    while (more && !taker->blocked) {
        span_read(position, span, taker->most);
        if (span->count == 0)
            return;
        size_t taken = span->bytes < taker->room ? span->bytes : taker->room;
        struct piece rest;
        receive(taker, span, taken);
        if (taker->room != SIZE_MAX)
            taker->room -= taken;
        taker->blocked = taken < span->bytes;
        size_t left = span_advance(position, span, taken, &rest);
        if (left > 0)
            buf_append(&taker->got, rest.bytes, left);
        more = !span->ended && (span->more || position_reads_on(position));
    }
}

static void on_news(struct position *position) {
    struct taker *taker = of_position(position);
    if (!taker->blocked)
        serve(taker);
    else if (!policy_counts(&position->policy))
        position_rest(position);
    else if (policy_is_over(position) && position->policy.overflow == OVERFLOW_DISCONNECT)
        taker->over = true;
    else if (policy_is_over(position))
        policy_set_fence(position);
}

static void on_overflow(struct position *position) {
    of_position(position)->over = true;
}

static const struct position_ops ops = {.news = on_news, .overflow = on_overflow};

void taker_init(struct taker *taker, struct reader *reader, enum overflow overflow,
                uint32_t events) {
    *taker = (struct taker){.most = SIZE_MAX, .room = SIZE_MAX};
    position_init(&taker->position, reader, &ops);
    taker->position.is_stream = true;
    policy_set(&taker->position, overflow, (struct position_limit){events, UINT32_MAX});
}

void taker_fini(struct taker *taker) {
    position_fini(&taker->position);
    buf_fini(&taker->got);
    buf_fini(&taker->gaps);
    buf_fini(&taker->text);
}

static struct str chosen(const char *name, bool *prefix) {
    struct str text = str_of(name);
    *prefix = text.ptr[text.len - 1] == '*';
    text.len -= *prefix;
    return text;
}

static void add(struct taker *taker, const char *name, struct position_choice choice) {
    choice.name = chosen(name, &choice.prefix);
    position_add(&taker->position, &choice);
}

void taker_add(struct taker *taker, const char *name) {
    add(taker, name, (struct position_choice){.from_id = false});
}

void taker_add_from(struct taker *taker, const char *name, event_id after, bool tell) {
    add(taker, name, (struct position_choice){.from_id = true, .after = after, .tell = tell});
}

void taker_add_last(struct taker *taker, const char *name, uint64_t last) {
    add(taker, name, (struct position_choice){.from_id = true, .last = last});
}

void taker_remove(struct taker *taker, const char *name) {
    bool prefix;
    struct str text = chosen(name, &prefix);
    assert_true(position_remove(&taker->position, text, prefix));
}

void taker_take(struct taker *taker) {
    span_release(taker->position.reader->span);
    serve(taker);
    span_release(taker->position.reader->span);
}

void taker_resume(struct taker *taker, size_t room) {
    taker->room = room;
    taker->blocked = false;
    position_serve(&taker->position);
}

/* --- what was taken --- */

/* What stands between the texts, which must be there. */
static struct str cut_between(struct str *rest, const char *before, char after) {
    size_t n = strlen(before);
    assert_true(rest->len >= n && memcmp(rest->ptr, before, n) == 0);
    *rest = (struct str){rest->ptr + n, rest->len - n};
    struct str found = str_cut(rest, after);
    assert_non_null(rest->ptr);
    return found;
}

static struct str cut_chunk(struct str *bytes) {
    struct str size = cut_between(bytes, "", '\r');
    char digits[17] = "", *end;
    assert_in_range(size.len, 1, 16);
    memcpy(digits, size.ptr, size.len);
    size_t n = strtoul(digits, &end, 16);
    assert_int_equal(*end, 0);
    assert_true(bytes->len >= n + 3);
    struct str text = {bytes->ptr + 1, n};
    assert_memory_equal(bytes->ptr, "\n", 1);
    assert_memory_equal(text.ptr + n, "\r\n", 2);
    *bytes = (struct str){text.ptr + n + 2, bytes->len - n - 3};
    return text;
}

/* From the end of the text, of which only the fields are left. */
static struct str cut_id(struct str *text) {
    assert_true(text->len > 2 && memcmp(text->ptr + text->len - 2, "\n\n", 2) == 0);
    struct str line = {text->ptr, text->len - 2}, rest = line;
    while (rest.ptr)
        line = str_cut(&rest, '\n');
    assert_true(str_starts(line, STR("id: ")));
    text->len = (size_t)(line.ptr - text->ptr);
    return (struct str){line.ptr + 4, line.len - 4};
}

static void read_gap(struct str text, struct taken *taken) {
    struct str reason = cut_between(&text, "event: weir.gap\ndata: {\"reason\":\"", '"');
    struct str lost = cut_between(&text, ",\"lost\":", '}');
    uint64_t n;
    snprintf(taken->reason, sizeof taken->reason, "%.*s", STR_ARG(reason));
    taken->lost = -1;
    if (!str_eq(lost, STR("null"))) {
        assert_int_equal(str_to_u64(lost, &n), 0);
        assert_true(n > 0);
        taken->lost = (long long)n;
    }
    assert_true(str_eq(text, STR("\n")));
}

bool taken_next(struct str *bytes, struct taken *taken) {
    if (bytes->len == 0)
        return false;
    *taken = (struct taken){.lost = 0};
    struct str text = cut_chunk(bytes), id = cut_id(&text);
    assert_int_equal(event_id_parse(id, &taken->id), 0);
    if (str_starts(text, STR("event"))) {
        read_gap(text, taken);
        return true;
    }
    uint64_t serial;
    assert_int_equal(str_to_u64(cut_between(&text, "data: ", '\n'), &serial), 0);
    assert_true(str_starts(text, STR(":")) || text.len == 0); /* a comment may fill it */
    taken->serial = (unsigned)serial;
    return true;
}

const char *taker_text(struct taker *taker) {
    struct str rest = buf_str(&taker->got);
    struct taken taken;
    taker->text.len = 0;
    while (taken_next(&rest, &taken)) {
        assert_true(taken.id > taker->last);
        taker->last = taken.id;
        const char *space = taker->text.len > 0 ? " " : "";
        if (taken.serial > 0)
            buf_printf(&taker->text, "%s%u", space, taken.serial);
        else if (taken.lost < 0)
            buf_printf(&taker->text, "%s%s:null", space, taken.reason);
        else
            buf_printf(&taker->text, "%s%s:%lld", space, taken.reason, taken.lost);
    }
    buf_fini(&taker->got);
    buf_fini(&taker->gaps);
    buf_add_char(&taker->text, 0);
    return taker->text.data;
}
