/* url: what a client asks for, taken apart.
 *
 *     http://host:80/a%20b/c?x=1+2        a request target (RFC 9112 section 3.2)
 *     scheme authority path query         url_target: borrowed, still encoded
 *                           x=1+2         url_query_next: pairs, still encoded
 *
 * What a path means is path.h's. Queries and forms are decoded leniently, since the WHATWG URL
 * standard has no faults there. Pure: results borrow from the input or go into the caller's buf. */
#include "proto/url.h"

#include "proto/header.h"

#include <string.h>

/* ---- request targets --------------------------------------------------------------------------
 */

/* Neither space nor control nor obs-text, and no '#': a target has no fragment (RFC 9112
 * section 3.2 with RFC 9110 section 4.2.5). */
static bool target_bytes(struct str raw) {
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] < 0x21 || raw.ptr[i] > 0x7E || raw.ptr[i] == '#')
            return false;
    return raw.len > 0;
}

/* Splits at the '?'; ptr stays NULL in `query` without one. */
static void path_and_query(struct str rest, struct target *out) {
    out->path = str_cut(&rest, '?');
    out->query = rest;
}

/* uri-host ":" port, both there (RFC 9112 section 3.2.3: the port is not optional). */
static int authority_form(struct str raw, struct target *out) {
    char last = raw.ptr[raw.len - 1];

    if (!header_is_host(raw) || raw.ptr[0] == ':' || last < '0' || last > '9' ||
        !memchr(raw.ptr, ':', raw.len))
        return URL_EBAD;
    out->form = TARGET_AUTHORITY;
    out->authority = raw;
    return 0;
}

/* How long the scheme is that opens `s` (RFC 3986 section 3.1), 0 without one. */
static size_t scheme_length(struct str s) {
    size_t n = 0;

    for (; n < s.len; n++) {
        char c = s.ptr[n], lower = c | 0x20;
        bool letter = lower >= 'a' && lower <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && (n == 0 || !other))
            break;
    }
    return n;
}

/* scheme "://" authority path-abempty [ "?" query ]. The host may not be empty (RFC 9110
 * section 4.2.1) and user information is an error (section 4.2.4), which header_is_host sees. */
static int absolute_form(struct str raw, struct target *out) {
    size_t n = scheme_length(raw);

    out->scheme = (struct str){raw.ptr, n};
    struct str rest = {raw.ptr + n, raw.len - n};
    if (n == 0 || !str_starts(rest, STR("://")))
        return URL_EBAD;
    rest = (struct str){rest.ptr + 3, rest.len - 3};
    for (n = 0; n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?';)
        n++;
    out->form = TARGET_ABSOLUTE;
    out->authority = (struct str){rest.ptr, n};
    if (n == 0 || rest.ptr[0] == ':' || !header_is_host(out->authority))
        return URL_EBAD;
    path_and_query((struct str){rest.ptr + n, rest.len - n}, out);
    if (out->path.len == 0)
        out->path = STR("/");
    return 0;
}

int url_target(struct str raw, struct str method, struct target *out) {
    *out = (struct target){.form = TARGET_ORIGIN};
    if (!target_bytes(raw))
        return URL_EBAD;
    if (str_eq(method, STR("CONNECT")))
        return authority_form(raw, out);
    if (str_eq(raw, STR("*"))) {
        out->form = TARGET_ASTERISK;
        out->path = raw;
        return str_eq(method, STR("OPTIONS")) ? 0 : URL_EBAD;
    }
    if (raw.ptr[0] != '/')
        return absolute_form(raw, out);
    path_and_query(raw, out);
    return 0;
}

/* ---- decoding ---------------------------------------------------------------------------------
 */

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int url_escape(struct str s, size_t i) {
    int high, low;

    if (s.len - i < 3)
        return -1;
    high = hex(s.ptr[i + 1]);
    low = hex(s.ptr[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

void url_decode_lenient(struct str in, bool plus, struct buf *out) {
    char *to = buf_reserve(out, in.len);
    size_t n = 0;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        int byte = c == '%' ? url_escape(in, i) : -1;
        if (byte >= 0) {
            c = (char)byte;
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        to[n++] = c;
    }
    out->len += n;
}

/* ---- queries ----------------------------------------------------------------------------------
 */

bool url_query_next(struct str *rest, struct str *name, struct str *value) {
    while (rest->ptr) {
        struct str pair = str_cut(rest, '&');
        if (pair.len == 0)
            continue;
        *name = str_cut(&pair, '=');
        *value = pair.ptr ? pair : STR("");
        return true;
    }
    return false;
}
