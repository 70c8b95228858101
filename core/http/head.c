/* head: the fields of an answer that do not depend on the protocol.
 *
 * What the head of a stream says beside its status and its framing is decided here: the simulated
 * exchange of a spec has the fields that a socket would have brought. Who prints it adds how the
 * body is delimited; only a request that gets no stream is refused without this. Pure: a stream in,
 * bytes out, put right where they are sent from. */
#include "http/head.h"

#include "http/server.h"

#include <string.h>

#define OWN_MAX 256 /* of what is not the application's, and of the framing */

static char *put(char *at, struct str text) {
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_field(char *at, struct str name, struct str value) {
    at = put(put(put(at, name), STR(": ")), value);
    return put(at, STR("\r\n"));
}

static bool has_field(const struct stream *stream, struct str name) {
    return stream->fields.len > 0 && stream_get_header(stream, name).ptr != NULL;
}

size_t head_max(const struct stream *stream) {
    return OWN_MAX + stream->fields.len + str_of(stream->type).len;
}

char *head_put(char *at, const struct stream *stream) {
    if (!has_field(stream, STR("Date")))
        at = put_field(at, STR("Date"), str_of(http_server_date(stream->server)));
    if (!has_field(stream, STR("Server")))
        at = put(at, STR("Server: weir\r\n"));
    if (!has_field(stream, STR("X-Content-Type-Options"))) /* a type is what it says it is */
        at = put(at, STR("X-Content-Type-Options: nosniff\r\n"));
    if (stream->type && !has_field(stream, STR("Content-Type")))
        at = put_field(at, STR("Content-Type"), str_of(stream->type));
    return put(at, buf_str(&stream->fields));
}
