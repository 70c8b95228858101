/* wire: the bytes of an answer as a client reads them, by code that is not the server's.
 *
 *     raw --head, chunks--> body --an empty line--> event
 *
 * It is stricter than a browser: a chunk is as long as it says, nothing follows the last one, and
 * an event has the fields that Weir writes. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wire_reset(struct wire *wire, bool framed) {
    wire->raw.len = wire->body.len = 0;
    wire->framed = framed;
    wire->begun = wire->over = wire->declined = false;
    wire->seen = 0;
}

void wire_fini(struct wire *wire) {
    buf_fini(&wire->raw);
    buf_fini(&wire->body);
}

/* The bytes before `end`, which go; NULL: it has not come. */
static const char *find(const struct buf *from, const char *end) {
    return from->len > 0 ? memmem(from->data, from->len, end, strlen(end)) : NULL;
}

static const char *take_head(struct wire *wire) {
    const char *end = find(&wire->raw, "\r\n\r\n");
    if (end == NULL)
        return NULL;
    wire->declined = memcmp(wire->raw.data + strlen("HTTP/1.x "), "204 ", 4) == 0;
    wire->over = wire->declined;
    bool streams = find(&wire->raw, "text/event-stream") && find(&wire->raw, " 200 ");
    if (memcmp(wire->raw.data, "HTTP/1.", 7) != 0 || streams == wire->declined)
        return "no head of an event stream";
    buf_drop(&wire->raw, (size_t)(end + 4 - wire->raw.data));
    wire->begun = true;
    return NULL;
}

/* 1: a chunk was taken, 0: it is not complete. */
static int take_chunk(struct wire *wire, const char **wrong) {
    const char *line = find(&wire->raw, "\r\n");
    if (line == NULL)
        return 0;
    char *end;
    size_t size = strtoul(wire->raw.data, &end, 16), head = (size_t)(line + 2 - wire->raw.data);
    if (end != line || wire->over)
        *wrong = wire->over ? "bytes behind the last chunk" : "no size of a chunk";
    if (*wrong || wire->raw.len < head + size + 2)
        return 0;
    if (memcmp(wire->raw.data + head + size, "\r\n", 2) != 0)
        *wrong = "a chunk is longer than it says";
    buf_append(&wire->body, wire->raw.data + head, size);
    wire->over = size == 0;
    buf_drop(&wire->raw, head + size + 2);
    return 1;
}

const char *wire_feed(struct wire *wire, const char *bytes, size_t n) {
    const char *wrong = NULL;
    buf_append(&wire->raw, bytes, n);
    if (!wire->begun)
        wrong = take_head(wire);
    if (!wire->begun || wrong)
        return wrong;
    if (wire->declined)
        return wire->raw.len > 0 ? "bytes behind a head without a body" : NULL;
    if (!wire->framed) {
        buf_add(&wire->body, buf_str(&wire->raw));
        wire->raw.len = 0;
        return NULL;
    }
    while (wire->raw.len > 0 && wrong == NULL && take_chunk(wire, &wrong))
        ;
    return wrong;
}

static void copy(char *to, size_t size, struct str from) {
    snprintf(to, size, "%.*s", STR_ARG(from));
}

bool wire_next(struct wire *wire, struct wire_event *event) {
    buf_drop(&wire->body, wire->seen);
    wire->seen = 0;
    const char *end = find(&wire->body, "\n\n");
    if (end == NULL)
        return false;
    struct str rest = {wire->body.data, (size_t)(end - wire->body.data)};
    wire->seen = rest.len + 2;
    *event = (struct wire_event){.name = "message"};
    while (rest.ptr) {
        struct str value = str_cut(&rest, '\n'), field = str_cut(&value, ':');
        value = str_trim(value);
        if (str_eq(field, STR("data")))
            copy(event->data, sizeof event->data, value);
        else if (str_eq(field, STR("id")))
            copy(event->id, sizeof event->id, value);
        else
            copy(event->name, sizeof event->name, value);
    }
    return true;
}
