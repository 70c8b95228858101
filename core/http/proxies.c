/* proxies: who asks, when trusted proxies stand between.
 *
 *     client --TLS--> nginx, which is trusted --> here: the socket's peer is nginx
 *
 * What proto/forwarded finds out is noted on the stream, whose log line comes when the request's
 * fields are gone. The host is looked for again when somebody asks, which few do. Without trusted
 * proxies nothing of this runs. It must not know who decides whom to trust. */
#include "http/proxies.h"

#include "http/request.h"

#include <string.h>

static struct ip ip_of(const struct address *address) {
    struct ip ip = {.v6 = address->v6};
    memcpy(ip.bytes, address->ip, sizeof ip.bytes);
    return ip;
}

/* The value of a field; of repeated ones all, joined in `scratch`. */
static struct str joined(const struct request *request, struct str name, struct buf *scratch) {
    struct str value = {NULL, 0};
    size_t at = scratch->len, n = 0;
    for (size_t i = 0; i < request->nfields; i++) {
        if (!str_eq(request_field_name(request, i), name))
            continue;
        if (n++ > 0)
            buf_add_char(scratch, ',');
        value = request_field_value(request, i);
        buf_add(scratch, value);
    }
    return n < 2 ? value : (struct str){scratch->data + at, scratch->len - at};
}

static bool resolve(const struct trust *trust, const struct stream *stream, struct buf *scratch,
                    struct forwarded *out) {
    const struct request *request = stream->request;
    struct ip peer = ip_of(&stream->peer);
    struct forwarded_fields fields = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (!trust_has(trust, &peer))
        return false;
    buf_reserve(scratch, request->bytes.len + request->nfields); /* so that it does not move */
    if (trust->standard) {
        fields.forwarded = joined(request, STR("forwarded"), scratch);
    } else {
        fields.x_for = joined(request, STR("x-forwarded-for"), scratch);
        fields.x_proto = joined(request, STR("x-forwarded-proto"), scratch);
        fields.x_host = joined(request, STR("x-forwarded-host"), scratch);
    }
    forwarded_resolve(trust, &peer, &fields, out);
    return true;
}

void proxies_see(const struct trust *trust, struct stream *stream) {
    struct forwarded forwarded;
    struct buf scratch = {0};
    if (resolve(trust, stream, &scratch, &forwarded)) {
        stream->proxied = true;
        stream->secure = forwarded.by == VIA_HTTPS;
        stream->client = (struct address){.v6 = forwarded.client.v6};
        memcpy(stream->client.ip, forwarded.client.bytes, sizeof stream->client.ip);
    }
    buf_fini(&scratch);
}

struct str proxies_host(const struct trust *trust, const struct stream *stream,
                        struct buf *scratch) {
    struct forwarded forwarded;
    if (stream->proxied && resolve(trust, stream, scratch, &forwarded) && forwarded.host.ptr)
        return forwarded.host;
    return request_host(stream->request);
}
