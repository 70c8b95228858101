/* reader: a response with an event stream, taken apart byte by byte.
 *
 *     HEAD --chunked--> SIZE -> CHUNK -> AFTER_CHUNK -> SIZE ... --size 0--> TRAILER -> OVER
 *       \--delimited by the close (HTTP/1.0)--> RAW
 *
 * It is strict where the server's own code could be wrong: a chunk is exactly as long as it says.
 * It shares nothing with the program under test. The lines of the body are the fields of events;
 * an empty line gives the event to `on_event`, unless it has no data. */
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD, SIZE, CHUNK, AFTER_CHUNK, TRAILER, RAW, OVER };

static void add(struct text *text, char byte) {
    if (text->length + 2 > text->room) {
        text->room = text->room ? text->room * 2 : 256;
        text->bytes = realloc(text->bytes, text->room);
        if (!text->bytes)
            abort();
    }
    text->bytes[text->length++] = byte;
    text->bytes[text->length] = 0;
}

static void clear(struct text *text) {
    text->length = 0;
    if (text->bytes)
        text->bytes[0] = 0;
}

void reader_init(struct reader *reader, event_fn *on_event, void *arg) {
    memset(reader, 0, sizeof *reader);
    reader->on_event = on_event;
    reader->arg = arg;
    add(&reader->head, 0);
    add(&reader->line, 0);
    add(&reader->data, 0);
    reader_reset(reader);
}

void reader_fini(struct reader *reader) {
    free(reader->head.bytes);
    free(reader->line.bytes);
    free(reader->data.bytes);
}

static void forget_event(struct reader *reader) {
    clear(&reader->data);
    reader->has_data = reader->begun = false;
    strcpy(reader->name, "message");
    reader->id[0] = 0;
}

void reader_reset(struct reader *reader) {
    clear(&reader->head);
    clear(&reader->line);
    forget_event(reader);
    reader->state = HEAD;
    reader->left = 0;
    reader->complete = false;
    reader->wrong = NULL;
}

bool reader_is_inside(const struct reader *reader) {
    return reader->begun || reader->line.length > 0;
}

/* --- events --- */

static void keep(struct reader *reader, char *field, const char *value) {
    if (strlen(value) >= READER_NAME_MAX)
        reader->wrong = "an id or an event's name is far too long";
    else
        strcpy(field, value);
}

static void end_event(struct reader *reader) {
    if (reader->has_data)
        reader->on_event(reader->arg,
                         &(struct event){reader->name, reader->id, reader->data.bytes});
    forget_event(reader);
}

static void add_data(struct reader *reader, const char *value) {
    if (reader->has_data)
        add(&reader->data, '\n');
    reader->has_data = true;
    for (; *value; value++)
        add(&reader->data, *value);
}

static void end_line(struct reader *reader) {
    char *line = reader->line.bytes, *value = strchr(line, ':');

    if (!*line) {
        end_event(reader);
        return;
    }
    if (value == line) { /* a comment */
        clear(&reader->line);
        return;
    }
    reader->begun = true;
    if (value) {
        *value++ = 0;
        value += *value == ' ';
    } else {
        value = line + strlen(line);
    }
    if (!strcmp(line, "data"))
        add_data(reader, value);
    else if (!strcmp(line, "id"))
        keep(reader, reader->id, value);
    else if (!strcmp(line, "event"))
        keep(reader, reader->name, value);
    else if (strcmp(line, "retry"))
        reader->wrong = "a field that is none";
    clear(&reader->line);
}

static void body_byte(struct reader *reader, char byte) {
    if (byte == '\n')
        end_line(reader);
    else if (byte == '\r')
        reader->wrong = "a CR in an event";
    else if (!byte)
        reader->wrong = "a NUL in an event";
    else
        add(&reader->line, byte);
}

/* --- framing --- */

static void end_head(struct reader *reader) {
    const char *head = reader->head.bytes;

    if (strncmp(head, "HTTP/1.1 200 ", 13) && strncmp(head, "HTTP/1.0 200 ", 13))
        reader->wrong = head;
    else if (!strstr(head, "\r\nContent-Type: text/event-stream"))
        reader->wrong = "no event stream";
    reader->state = strstr(head, "\r\nTransfer-Encoding: chunked\r\n") ? SIZE : RAW;
}

static void head_byte(struct reader *reader, char byte) {
    add(&reader->head, byte);
    if (reader->head.length >= 4 &&
        !memcmp(reader->head.bytes + reader->head.length - 4, "\r\n\r\n", 4)) {
        end_head(reader);
        if (!reader->wrong)
            clear(&reader->head);
    }
}

/* The line with a chunk's size is kept in `head`, which is free by then. */
static void size_byte(struct reader *reader, char byte) {
    struct text *line = &reader->head;

    add(line, byte);
    if (byte != '\n')
        return;
    char *end;
    reader->left = strtoul(line->bytes, &end, 16);
    if (end == line->bytes || strcmp(end, "\r\n"))
        reader->wrong = "no size of a chunk";
    reader->state = reader->left ? CHUNK : TRAILER;
    clear(line);
}

static void chunk_byte(struct reader *reader, char byte) {
    body_byte(reader, byte);
    if (--reader->left == 0) {
        reader->state = AFTER_CHUNK;
        reader->left = 2;
    }
}

static void after_chunk_byte(struct reader *reader, char byte) {
    if (byte != (reader->left == 2 ? '\r' : '\n'))
        reader->wrong = "a chunk is longer than its size";
    if (--reader->left == 0)
        reader->state = SIZE;
}

/* There are no trailers: the empty line is all that follows the last chunk. */
static void trailer_byte(struct reader *reader, char byte) {
    if (byte != (reader->left == 0 ? '\r' : '\n'))
        reader->wrong = "something behind the last chunk";
    if (reader->left++ == 1) {
        reader->state = OVER;
        reader->complete = true;
    }
}

bool reader_feed(struct reader *reader, const char *bytes, size_t length) {
    for (size_t i = 0; i < length && !reader->wrong; i++) {
        switch (reader->state) {
        case HEAD:
            head_byte(reader, bytes[i]);
            break;
        case SIZE:
            size_byte(reader, bytes[i]);
            break;
        case CHUNK:
            chunk_byte(reader, bytes[i]);
            break;
        case AFTER_CHUNK:
            after_chunk_byte(reader, bytes[i]);
            break;
        case TRAILER:
            trailer_byte(reader, bytes[i]);
            break;
        case RAW:
            body_byte(reader, bytes[i]);
            break;
        default:
            reader->wrong = "bytes behind the end";
        }
    }
    return !reader->wrong;
}
