/* redact: URLs as a log may show them.
 *
 *     /events?room=7&access_token=eyJh...   ->   /events?room=7&access_token=***
 *
 * RFC 6750 section 2.3 lets a client send its token in the query, because an EventSource has no
 * other place for it; section 5.3 says why it must not reach a log: whoever reads that could use
 * it. Nor a ticket, which stands for a token. Names are compared as they will be understood,
 * decoded. Nearly all URLs have no query, and nothing is copied for one without a token. Pure: must
 * not know who logs. */
#include "proto/redact.h"

#include "proto/url.h"

#include <string.h>

static bool names_secret(struct str name) {
    return str_eq(name, STR("access_token")) || str_eq(name, STR("ticket"));
}

static bool is_secret(struct str name) {
    if (!memchr(name.ptr, '%', name.len))
        return names_secret(name);
    struct buf decoded = {0};
    url_decode_lenient(name, true, &decoded);
    bool secret = names_secret(buf_str(&decoded));
    buf_fini(&decoded);
    return secret;
}

static bool has_secret(struct str rest) {
    struct str name, value;
    while (url_query_next(&rest, &name, &value))
        if (is_secret(name))
            return true;
    return false;
}

struct str redact_url(struct str url, struct buf *scratch) {
    const char *mark = url.len > 0 ? memchr(url.ptr, '?', url.len) : NULL;
    if (mark == NULL)
        return url;
    struct str query = {mark + 1, (size_t)(url.ptr + url.len - mark - 1)}, name, value;
    if (!has_secret(query))
        return url;
    scratch->len = 0;
    buf_append(scratch, url.ptr, (size_t)(mark + 1 - url.ptr));
    const char *shown = query.ptr; /* up to here all is in `scratch` */
    struct str rest = query;
    while (url_query_next(&rest, &name, &value)) {
        if (value.len == 0 || !is_secret(name))
            continue;
        buf_append(scratch, shown, (size_t)(value.ptr - shown));
        buf_add(scratch, STR("***"));
        shown = value.ptr + value.len;
    }
    buf_append(scratch, shown, (size_t)(url.ptr + url.len - shown));
    return buf_str(scratch);
}
