/* log: what the server has to say to the person who runs it. Not for access logs, which are data.
 *
 *     log_at, log_text --> a buf on the caller's stack: an event as a line (log_line.h)
 *        \--> in a server: a scribe (scribe.h), whose thread writes
 *        \--> else, under the lock: one write(2) to standard error, or the test's sink
 *
 * A server never waits for whoever reads its log. Other commands write at once, as one expects of
 * them: a line is complete before the lock is taken, so what is held during is the write alone; it
 * must be held there, since the rest of a short write belongs right behind its beginning. A
 * standard error that was made non-blocking (by another process that shares the terminal) is waited
 * for like a blocking one. Other errors drop the line: there is nobody to tell.
 *
 * What strangers cause comes as fast as they like, and would push out what matters: of each kind of
 * it a server tells ten lines a second, and then how many more there were.
 *
 * What is told while a request is answered is told with that request's id. Nobody who tells
 * something has to know of it: the thread's speaker is asked, when there is a line to be made and
 * not before, so that a request of which nothing is told pays nothing. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/scribe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct str names[] = {{"debug", 5}, {"info", 4}, {"warn", 4}, {"error", 5}};

static atomic_int lowest = LOG_INFO;
static atomic_bool json;
static _Thread_local struct log_speaker speaker;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static void (*line_sink)(enum log_level, struct str, void *); /* guarded by `writing` */
static void *line_arg;
static _Atomic(struct scribe *) line_scribe; /* NULL: lines are written at once */

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER; /* guards all kinds and: */
static struct list kinds = {&kinds, &kinds};                 /* with more to tell */

void log_set_level(enum log_level level) {
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

void log_set_json(bool is) {
    atomic_store_explicit(&json, is, memory_order_relaxed);
}

bool log_is_json(void) {
    return atomic_load_explicit(&json, memory_order_relaxed);
}

struct log_speaker log_speak(struct log_speaker next) {
    struct log_speaker before = speaker;
    speaker = next;
    return before;
}

bool log_enabled(enum log_level level) {
    int limit = atomic_load_explicit(&lowest, memory_order_relaxed);
    return (int)level >= limit && level < LOG_NONE;
}

int log_level_of(struct str name, enum log_level *out) {
    for (int i = LOG_DEBUG; i < LOG_NONE; i++) {
        if (str_eq(name, names[i])) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

void log_set_sink(void (*sink)(enum log_level, struct str, void *), void *arg) {
    pthread_mutex_lock(&writing);
    line_sink = sink;
    line_arg = arg;
    pthread_mutex_unlock(&writing);
}

/* write(2) with the negative errno as its result; tests make it fail at "log_write". */
static ssize_t put(struct str bytes) {
    int failed = fault("log_write");
    if (failed != 0)
        return failed;
    ssize_t n = write(STDERR_FILENO, bytes.ptr, bytes.len);
    return n >= 0 ? n : -errno;
}

static void write_all(struct str line) {
    while (line.len > 0) {
        ssize_t n = put(line);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0)
            return;
        line.ptr += n;
        line.len -= (size_t)n;
    }
}

static void emit(enum log_level level, struct str line) {
    struct scribe *scribe = atomic_load_explicit(&line_scribe, memory_order_acquire);
    if (scribe) {
        scribe_put(scribe, line);
        return;
    }
    pthread_mutex_lock(&writing);
    if (line_sink != NULL)
        line_sink(level, line, line_arg);
    else
        write_all(line);
    pthread_mutex_unlock(&writing);
}

void log_use(struct scribe *scribe) {
    atomic_store_explicit(&line_scribe, scribe, memory_order_release);
}

/* Cuts `text` where a character ends, near LOG_TEXT_MAX. How many bytes that takes from it. */
static size_t cut(struct str *text) {
    if (text->len <= LOG_TEXT_MAX)
        return 0;
    size_t all = text->len, end = LOG_TEXT_MAX;
    while (end > LOG_TEXT_MAX - 4 && ((unsigned char)text->ptr[end] & 0xC0) == 0x80)
        end--;
    text->len = end;
    return all - end;
}

static void tell(enum log_level level, struct str text, bool lines, struct str fields) {
    struct log_event event = {.time_ms = clock_wall_ms(),
                              .level = names[level],
                              .text = text,
                              .fields = fields,
                              .lines = lines};
    struct buf line = {0};
    event.missing = cut(&event.text);
    if (speaker.origin)
        speaker.origin(speaker.arg, &event.origin);
    if (log_is_json())
        log_line_json(&line, &event);
    else
        log_line_text(&line, &event);
    emit(level, buf_str(&line));
    buf_fini(&line);
}

static void tell_formatted(enum log_level level, const char *format, va_list args) {
    struct buf text = {0};
    buf_vprintf(&text, format, args);
    tell(level, buf_str(&text), false, (struct str){NULL, 0});
    buf_fini(&text);
}

void log_at(enum log_level level, const char *format, ...) {
    if (!log_enabled(level))
        return;
    int saved = errno; /* a caller may log before it looks at errno */
    va_list args;
    va_start(args, format);
    tell_formatted(level, format, args);
    va_end(args);
    errno = saved;
}

void log_fatal(const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell_formatted(LOG_ERROR, format, args);
    va_end(args);
    scribes_finish();
    abort();
}

void log_fields(enum log_level level, struct str text, struct str fields) {
    if (!log_enabled(level))
        return;
    int saved = errno;
    char instead[64];
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (fields.len > LOG_TEXT_MAX)
        fields = (struct str){instead, (size_t)snprintf(instead, sizeof instead,
                                                        "{\"missing_bytes\":%zu}", fields.len)};
    tell(level, text, true, fields);
    errno = saved;
}

void log_text(enum log_level level, struct str text) {
    log_fields(level, text, (struct str){NULL, 0});
}

/* --- what strangers cause --- */

/* Under the lock: what is to be told of the kind, then it counts afresh. */
static uint64_t take_more(struct log_kind *kind, uint64_t second) {
    uint64_t more = kind->more;
    if (more > 0)
        list_remove(&kind->link);
    kind->second = second;
    kind->told = 0;
    kind->more = 0;
    return more;
}

static void tell_more(const char *name, uint64_t more) {
    if (more > 0)
        log_warn("%s: … and %llu more like it", name, (unsigned long long)more);
}

bool log_admits(struct log_kind *kind, enum log_level level) {
    if (!log_enabled(level))
        return false;
    if (atomic_load_explicit(&line_scribe, memory_order_relaxed) == NULL)
        return true;
    uint64_t second = clock_mono_ms() / 1000, more = 0;
    pthread_mutex_lock(&counting);
    if (second != kind->second)
        more = take_more(kind, second);
    bool admits = kind->told < LOG_OFTEN;
    if (admits) {
        kind->told++;
    } else if (kind->more++ == 0) {
        list_init(&kind->link);
        list_push(&kinds, &kind->link);
    }
    pthread_mutex_unlock(&counting);
    tell_more(kind->name, more);
    return admits;
}

/* A kind whose second is over; NULL: there is none. Under the lock. */
static struct log_kind *find_over(uint64_t second, bool all) {
    for (struct list *at = kinds.next; at != &kinds; at = at->next) {
        struct log_kind *kind = CONTAINER_OF(at, struct log_kind, link);
        if (all || kind->second != second)
            return kind;
    }
    return NULL;
}

void log_sums(bool all) {
    uint64_t second = clock_mono_ms() / 1000, more;
    const char *name;
    do {
        pthread_mutex_lock(&counting);
        struct log_kind *kind = find_over(second, all);
        name = kind ? kind->name : NULL;
        more = kind ? take_more(kind, second) : 0;
        pthread_mutex_unlock(&counting);
        tell_more(name, more);
    } while (name);
}
