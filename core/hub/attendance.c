/* attendance: one subject on one topic whose rule has its coming and going told.
 *
 *     first stream --weir.join--> present --last one gone--> lingering --time over--> weir.leave
 *                                    ^----a stream comes back----/
 *
 * Streams count that name the topic, over all workers, and whose token names somebody: a prefix is
 * no place to be in, for it has no end of topics. Where it is told, and how long somebody may be
 * away, is what the rule said when the subject came; so whoever was told of the one is told of the
 * other, whatever becomes of the rules.
 *
 * Coming and going is seen under the hub's lock, where nothing can be published; so it is noted,
 * and published in the worker's turn or with the next tick, by one worker at a time, in that order.
 *
 * One stands for each subject on a topic, and for each that lingers; they count as the hub's
 * memory. Who is there now, whether or not it is told, the crowds know. It must not know of
 * positions. */
#include "hub/attendance.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "hub/rule.h"
#include "proto/sse.h"

#include <stdlib.h>
#include <string.h>

struct attendance {
    struct map_node node; /* hub.attendances; the key: the topic, a line end, the subject */
    struct timer linger;
    uint64_t linger_ms;
    uint32_t streams;
    struct str topic, subject, target; /* in `text` */
    char text[];
};

struct notice {
    struct list link; /* hub.notices */
    struct publication publication;
    struct buf text;
    char target[NAME_MAX_BYTES];
};

/* --- who is there --- */

uint32_t attendance_streams(const struct name *name) {
    uint32_t streams = name->topic ? name->topic->crowd.streams : 0;
    for (const struct name *at = name; at && hub.crowds > 0; at = at->parent)
        if (at->crowd)
            streams += at->crowd->streams;
    return streams;
}

static void tell_subjects(struct crowd *crowd, attendance_each *each, void *arg) {
    struct map_node *node = NULL;
    while ((node = map_next(&crowd->subjects, node)) != NULL) {
        struct subject *subject = CONTAINER_OF(node, struct subject, node);
        each(arg, (struct str){subject->text, subject->len}, subject->streams);
    }
}

uint32_t attendance_list(struct str text, attendance_each *each, void *arg) {
    hub_lock();
    struct name *name = name_get(hub.names, text);
    uint32_t streams = attendance_streams(name);
    if (name->topic)
        tell_subjects(&name->topic->crowd, each, arg);
    for (struct name *at = name; at; at = at->parent)
        if (at->crowd)
            tell_subjects(at->crowd, each, arg);
    name_release(name);
    hub_unlock();
    return streams;
}

/* --- telling --- */

static void free_notice(struct notice *notice) {
    buf_fini(&notice->text);
    free(notice);
}

static void on_done(struct publication *publication, int error) {
    static struct log_kind failures = LOG_KIND("presence");
    if (error && log_admits(&failures, LOG_ERROR))
        log_error("who came or went cannot be published: %s", uv_strerror(error));
    free_notice(CONTAINER_OF(publication, struct notice, publication));
}

/* What is no UTF-8 is replaced when the event is encoded. */
static void add_string(struct buf *out, struct str s) {
    buf_add(out, STR("\""));
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_append(out, &s.ptr[i], 1);
    }
    buf_add(out, STR("\""));
}

static void encode(struct buf *out, const struct attendance *attendance, struct str event) {
    const struct name *name = name_find(hub.names, attendance->topic);
    struct buf data = {0};
    uint64_t replaced = 0;
    buf_add(&data, STR("{\"topic\":"));
    add_string(&data, attendance->topic);
    buf_add(&data, STR(",\"sub\":"));
    add_string(&data, attendance->subject);
    buf_printf(&data, ",\"streams\":%u}", name ? attendance_streams(name) : 0);
    sse_encode(out, &(struct sse_event){.event = event, .data = buf_str(&data), .retry = -1},
               &replaced);
    buf_fini(&data);
}

static void note(const struct attendance *attendance, struct str event) {
    struct notice *notice = mem_zalloc(sizeof *notice);
    encode(&notice->text, attendance, event);
    memcpy(notice->target, attendance->target.ptr, attendance->target.len);
    notice->publication.topic = (struct str){notice->target, attendance->target.len};
    notice->publication.done = on_done;
    list_push(&hub.notices, &notice->link);
    hub.has_notices = true;
}

static void publish(struct notice *notice, struct reader *reader) {
    notice->publication.text = buf_str(&notice->text);
    if (publication_send(&notice->publication, reader) != PUBLICATION_LATER)
        free_notice(notice);
}

void attendance_tell(struct reader *reader) {
    struct list *node;
    if (!hub.has_notices)
        return;
    hub_lock();
    bool told = hub.telling; /* by another worker, in order */
    hub.telling = true;
    while (!told && (node = list_pop(&hub.notices)) != NULL) {
        hub_unlock();
        publish(CONTAINER_OF(node, struct notice, link), reader);
        hub_lock();
    }
    if (!told) {
        hub.telling = false;
        hub.has_notices = false;
    }
    hub_unlock();
}

/* --- coming and going --- */

static size_t size_of(const struct attendance *attendance) {
    return sizeof *attendance + attendance->node.key.len + attendance->target.len;
}

static void forget(struct attendance *attendance) {
    atomic_fetch_sub(&hub.memory, size_of(attendance));
    timer_clear(&attendance->linger);
    map_remove(&hub.attendances, &attendance->node);
    free(attendance);
}

static void on_linger(struct timer *timer) {
    struct attendance *attendance = CONTAINER_OF(timer, struct attendance, linger);
    note(attendance, STR("weir.leave"));
    forget(attendance);
}

static struct attendance *make(struct str key, size_t topic_len, struct str target) {
    struct attendance *attendance = mem_zalloc(sizeof *attendance + key.len + target.len);
    char *text = attendance->text;
    memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, target.ptr, target.len);
    attendance->topic = (struct str){text, topic_len};
    attendance->subject = (struct str){text + topic_len + 1, key.len - topic_len - 1};
    attendance->target = (struct str){text + key.len, target.len};
    timer_init(&attendance->linger, on_linger);
    map_insert(&hub.attendances, &attendance->node, (struct str){text, key.len});
    atomic_fetch_add(&hub.memory, size_of(attendance));
    return attendance;
}

static struct attendance *come(struct str key, size_t topic_len, const struct presence_rule *rule) {
    struct map_node *node = map_find(&hub.attendances, key);
    if (node)
        return CONTAINER_OF(node, struct attendance, node);
    struct attendance *attendance =
        make(key, topic_len, (struct str){rule->target, rule->target_len});
    attendance->linger_ms = rule->linger_ms;
    note(attendance, STR("weir.join"));
    return attendance;
}

struct attendance *attendance_join(struct topic *topic, struct str subject) {
    struct presence_rule rule;
    if (subject.ptr == NULL || !rule_presence(topic, &rule))
        return NULL;
    char text[NAME_MAX_BYTES];
    size_t len = name_text(topic->name, text);
    struct buf key = {0};
    buf_append(&key, text, len);
    buf_add(&key, STR("\n"));
    buf_add(&key, subject);
    struct attendance *attendance = come(buf_str(&key), len, &rule);
    buf_fini(&key);
    timer_clear(&attendance->linger);
    attendance->streams++;
    return attendance;
}

void attendance_leave(struct attendance *attendance) {
    if (attendance && --attendance->streams == 0)
        wheel_set(&hub.ages, &attendance->linger, clock_mono_ms() + attendance->linger_ms);
}

void attendance_clear(void) {
    struct map_node *next;
    struct list *node;
    for (struct map_node *at = map_next(&hub.attendances, NULL); at; at = next) {
        struct attendance *attendance = CONTAINER_OF(at, struct attendance, node);
        next = map_next(&hub.attendances, at);
        if (attendance->streams == 0)
            forget(attendance);
    }
    while ((node = list_pop(&hub.notices)) != NULL)
        free_notice(CONTAINER_OF(node, struct notice, link));
    hub.has_notices = false;
}
