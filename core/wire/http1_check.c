/* http1_check: what a request's head must satisfy beyond what the parser checks.
 *
 * llhttp tells tokens from rubbish; which heads a server may act on is decided here, strictly,
 * since every tolerance is a way to smuggle a request past a proxy that reads it otherwise (RFC
 * 9112 section 11.2). Pure: heads in, a verdict out. It must not know of connections. */
#include "wire/http1_check.h"

#include "proto/methods.h"
#include "proto/header.h"

#include <string.h>

enum { SCAN_REQUEST_LINE, SCAN_LINE, SCAN_LINE_START, SCAN_END };

int head_take_method(struct request *request, struct str *in) {
    const char *at = in->ptr, *end = in->ptr + in->len;
    while (request->method_len == 0 && at < end && (*at == '\r' || *at == '\n'))
        at++;
    struct str rest = {at, (size_t)(end - at)};
    size_t n = header_token_len(rest), len = request->method_len + n;
    bool whole = n < rest.len;
    if (len > METHOD_MAX || (whole && (len == 0 || rest.ptr[n] != ' ')))
        return 400;
    buf_append(&request->bytes, at, n);
    request->method_len = (uint16_t)len;
    at += n + whole;
    *in = (struct str){at, (size_t)(end - at)};
    return whole;
}

/* Keeps the last bytes of the request line, of which `n` more have come. */
static void keep_last(struct head_scan *scan, const char *bytes, size_t n) {
    size_t most = sizeof scan->last;
    if (n >= most) {
        memcpy(scan->last, bytes + n - most, sizeof scan->last);
    } else {
        memmove(scan->last, scan->last + n, most - n);
        memcpy(scan->last + most - n, bytes, n);
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Whether the request line ends in an HTTP-version, of whatever number (RFC 9112 section 2.3). */
static bool ends_in_version(const struct head_scan *scan) {
    const char *at = scan->last + (scan->last[sizeof scan->last - 1] != '\r');
    return memcmp(at, " HTTP/", 6) == 0 && is_digit(at[6]) && at[7] == '.' && is_digit(at[8]);
}

/* Bytes of the request line: where its LF is, NULL without one. */
static const char *scan_request_line(struct head_scan *scan, const char *at, const char *end) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    keep_last(scan, at, (size_t)((lf ? lf : end) - at));
    return lf;
}

int head_scan(struct head_scan *scan, const char *bytes, size_t n) {
    const char *at = bytes, *end = bytes + n;
    if (scan->state == SCAN_REQUEST_LINE && n > 0) {
        at = scan_request_line(scan, at, end);
        if (at == NULL)
            return 0;
        if (!ends_in_version(scan))
            return 400;
        scan->state = SCAN_LINE_START;
        at++;
    }
    while (at < end && scan->state != SCAN_END) {
        if (scan->state == SCAN_LINE_START && (*at == ' ' || *at == '\t'))
            return 400;
        if (scan->state == SCAN_LINE_START && (*at == '\r' || *at == '\n')) {
            scan->state = SCAN_END;
            return 0;
        }
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        scan->state = lf ? SCAN_LINE_START : SCAN_LINE;
        at = lf ? lf + 1 : end;
    }
    return 0;
}

static int refuse(int status, const char *reason, const char **why) {
    *why = reason;
    return status;
}

/* The fields that decide how a request is taken: how often each came, and its first value. */
enum { HOST, CODING, LENGTH, EXPECT, CONNECTION, DECIDING, IDENTITY };

struct deciding {
    struct str value; /* ptr NULL: it did not come */
    unsigned count;
};

/* Which of them has that name, or IDENTITY; DECIDING: none. Their lengths differ, so one is
 * compared. */
static int deciding_of(struct str name) {
    switch (name.len) {
    case 4:
        return str_eq(name, STR("host")) ? HOST : DECIDING;
    case 6:
        return str_eq(name, STR("expect")) ? EXPECT : DECIDING;
    case 10:
        return str_eq(name, STR("connection")) ? CONNECTION : DECIDING;
    case 12:
        return str_eq(name, STR("x-request-id")) ? IDENTITY : DECIDING;
    case 14:
        return str_eq(name, STR("content-length")) ? LENGTH : DECIDING;
    case 17:
        return str_eq(name, STR("transfer-encoding")) ? CODING : DECIDING;
    default:
        return DECIDING;
    }
}

/* White space behind a value is no part of it (RFC 9112 section 5.1); llhttp leaves it. */
static void read_fields(struct request *request, struct deciding found[DECIDING]) {
    for (size_t i = 0; i < request->nfields; i++) {
        struct str value = str_trim(request_field_value(request, i));
        int k = deciding_of(request_field_name(request, i));
        request->fields[i].value_len = (uint16_t)value.len;
        if (k == IDENTITY)
            request->identified = true;
        else if (k < DECIDING && found[k].count++ == 0)
            found[k].value = value;
    }
}

/* RFC 9112 section 3.2: exactly one Host in HTTP/1.1; an absolute target overrides it (3.2.2). */
static int complete_host(const struct request *request, const struct deciding *host,
                         const char **why) {
    if (host->count > 1)
        return refuse(400, "more than one Host", why);
    if (host->count == 0 && request->minor >= 1)
        return refuse(400, "no Host", why);
    if (!header_is_host(host->value))
        return refuse(400, "malformed Host", why);
    return 0;
}

/* Which transfer codings a request names (RFC 9112 section 6.1). Its fields are one list. */
struct codings {
    unsigned chunked, others;
    bool malformed;
    bool last_is_chunked;
};

/* Empty elements of a list are ignored (RFC 9110 section 5.6.1.2), and chunked has no parameters
 * (RFC 9112 section 7.1). A comma in a quoted parameter parts it, which hides no coding. */
static void add_codings(struct codings *codings, struct str list) {
    while (list.ptr) {
        struct str params = str_trim(str_cut(&list, ','));
        if (params.len == 0)
            continue;
        struct str name = str_trim(str_cut(&params, ';'));
        bool chunked = str_ieq(name, STR("chunked"));
        codings->malformed |= !header_is_token(name) || (chunked && params.ptr);
        codings->last_is_chunked = chunked;
        codings->chunked += chunked;
        codings->others += !chunked;
    }
}

/* Once the end of a body is in doubt that is 400; only then it matters which codings are known. */
static int complete_codings(struct request *request, const char **why) {
    struct codings codings = {0};
    for (size_t i = 0; i < request->nfields; i++)
        if (str_eq(request_field_name(request, i), STR("transfer-encoding")))
            add_codings(&codings, request_field_value(request, i));
    if (codings.malformed)
        return refuse(400, "malformed Transfer-Encoding", why);
    if (!codings.last_is_chunked || codings.chunked > 1)
        return refuse(400, "a Transfer-Encoding that does not end with its one chunked", why);
    if (codings.others > 0)
        return refuse(501, "a transfer coding other than chunked", why);
    request->chunked = true;
    return 0;
}

/* RFC 9112 section 6: how the body is delimited, with no second opinion possible. */
static int complete_framing(struct request *request, const struct deciding *coding,
                            const struct deciding *length, const char **why) {
    if (coding->count > 0 && request->minor == 0)
        return refuse(400, "Transfer-Encoding in HTTP/1.0", why);
    if (coding->count > 0 && length->count > 0)
        return refuse(400, "both Transfer-Encoding and Content-Length", why);
    if (coding->count > 0)
        return complete_codings(request, why);
    if (length->count == 0)
        return 0;
    uint64_t n;
    if (length->count > 1 || str_to_u64(length->value, &n) < 0 || n > INT64_MAX)
        return refuse(400, "malformed Content-Length", why);
    request->content_length = (int64_t)n;
    return 0;
}

/* Whether all that is expected in one field's list is 100-continue; an empty list expects nothing.
 */
static bool take_expectations(struct request *request, struct str list) {
    struct str expected;
    while (header_list_next(&list, &expected)) {
        if (!str_ieq(expected, STR("100-continue")))
            return false;
        request->expect_continue = request->chunked || request->content_length > 0;
    }
    return true;
}

/* RFC 9110 section 10.1.1: a list, which may be empty or come in several fields; ignored in 1.0. */
static int complete_expectation(struct request *request, const struct deciding *expect,
                                const char **why) {
    if (expect->count == 0 || request->minor == 0)
        return 0;
    for (size_t i = 0; i < request->nfields; i++)
        if (str_eq(request_field_name(request, i), STR("expect")) &&
            !take_expectations(request, request_field_value(request, i)))
            return refuse(417, "an expectation other than 100-continue", why);
    return 0;
}

static bool wants_keep_alive(const struct request *request, const struct deciding *connection) {
    bool keep = request->minor >= 1;
    for (size_t i = 0; connection->count > 0 && i < request->nfields; i++) {
        if (!str_eq(request_field_name(request, i), STR("connection")))
            continue;
        struct str value = request_field_value(request, i);
        if (header_list_has(value, STR("close")))
            return false;
        if (request->minor == 0 && header_list_has(value, STR("keep-alive")))
            keep = true;
    }
    return keep;
}

int request_complete(struct request *request, unsigned major, unsigned minor, const char **why) {
    if (major != 1)
        return refuse(505, "an HTTP version other than 1.0 and 1.1", why);
    request->minor = minor > 1 ? 1 : (uint8_t)minor; /* the highest known (RFC 9110 section 2.5) */
    if (request_split_target(request, why) != 0) /* first, since it moves what fields point to */
        return 400;
    struct deciding found[DECIDING] = {0};
    read_fields(request, found);
    int status = complete_host(request, &found[HOST], why);
    if (status == 0)
        status = complete_framing(request, &found[CODING], &found[LENGTH], why);
    if (status == 0)
        status = complete_expectation(request, &found[EXPECT], why);
    request->keep_alive = wants_keep_alive(request, &found[CONNECTION]);
    return status;
}
