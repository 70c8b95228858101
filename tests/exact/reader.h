/* reader: the client's half of HTTP and of server-sent events, fed with bytes in any portions. */
#ifndef TESTS_EXACT_READER_H
#define TESTS_EXACT_READER_H

#include <stdbool.h>
#include <stddef.h>

#define READER_NAME_MAX 128

/* An event with data. `name` is "message" and `id` "" when it has none. */
struct event {
    const char *name, *id, *data;
};

typedef void event_fn(void *arg, const struct event *event);

struct text {
    char *bytes; /* always terminated */
    size_t length, room;
};

struct reader {
    event_fn *on_event;
    void *arg;
    const char *wrong; /* what the server did that it must not, NULL: nothing */
    int state;         /* of the framing */
    size_t left;       /* bytes of the chunk that are still to come */
    bool complete;     /* the body has come to its end */
    struct text head, line, data;
    char name[READER_NAME_MAX], id[READER_NAME_MAX];
    bool begun, has_data; /* a field of the next event has come; one with data */
};

void reader_init(struct reader *reader, event_fn *on_event, void *arg);
void reader_fini(struct reader *reader);
/* Forgets everything: the next bytes are those of a new response. */
void reader_reset(struct reader *reader);
/* False when the bytes are none that a server may send; `wrong` says why. */
bool reader_feed(struct reader *reader, const char *bytes, size_t length);
/* Whether what has come ends in the middle of an event. */
bool reader_is_inside(const struct reader *reader);

#endif
