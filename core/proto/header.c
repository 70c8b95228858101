/* header: the small grammars of HTTP fields that more than one place needs: tokens, values, lists,
 * parameters, weights, hosts, and the reason phrases (RFC 9110).
 *
 *     name: value            token, value
 *     a, "b,c" ,, d;q=0.5    list elements, then parameters
 *
 * Each function decides over bytes it is given and remembers nothing. Questions about bytes are
 * answered by one table of classes, so that a grammar reads as in the RFC. What a field means is
 * for the caller; the larger grammars (date, cookie, range, url) have files of their own. */
#include "proto/header.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    TCHAR = 1,   /* RFC 9110 section 5.6.2 */
    REGNAME = 2, /* unreserved / sub-delims (RFC 3986 section 3.2.2), not '%' */
    DIGIT = 4,
    HEX = 8,
};

static const unsigned char classes[256] = {
    ['0' ... '9'] = TCHAR | REGNAME | DIGIT | HEX,
    ['A' ... 'F'] = TCHAR | REGNAME | HEX,
    ['G' ... 'Z'] = TCHAR | REGNAME,
    ['a' ... 'f'] = TCHAR | REGNAME | HEX,
    ['g' ... 'z'] = TCHAR | REGNAME,
    ['!'] = TCHAR | REGNAME,
    ['#'] = TCHAR,
    ['$'] = TCHAR | REGNAME,
    ['%'] = TCHAR,
    ['&'] = TCHAR | REGNAME,
    ['\''] = TCHAR | REGNAME,
    ['('] = REGNAME,
    [')'] = REGNAME,
    ['*'] = TCHAR | REGNAME,
    ['+'] = TCHAR | REGNAME,
    [','] = REGNAME,
    ['-'] = TCHAR | REGNAME,
    ['.'] = TCHAR | REGNAME,
    [';'] = REGNAME,
    ['='] = REGNAME,
    ['^'] = TCHAR,
    ['_'] = TCHAR | REGNAME,
    ['`'] = TCHAR,
    ['|'] = TCHAR,
    ['~'] = TCHAR | REGNAME,
};

static bool is(char c, int class) {
    return classes[(unsigned char)c] & class;
}

static bool all(struct str s, int class) {
    for (size_t i = 0; i < s.len; i++)
        if (!is(s.ptr[i], class))
            return false;
    return true;
}

/* ---- tokens and values ------------------------------------------------------------------------
 */

size_t header_token_len(struct str s) {
    size_t n = 0;
    while (n < s.len && is(s.ptr[n], TCHAR))
        n++;
    return n;
}

bool header_is_token(struct str s) {
    return s.len > 0 && header_token_len(s) == s.len;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

bool header_is_value(struct str s) {
    if (s.len > 0 && (is_space(s.ptr[0]) || is_space(s.ptr[s.len - 1])))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

bool header_is_framing(struct str name) {
    static const char *const names[] = {
        "connection", "content-length", "transfer-encoding", "keep-alive",
        "te",         "trailer",        "proxy-connection",  "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_ieq(name, str_of(names[i])))
            return true;
    return false;
}

/* ---- lists ------------------------------------------------------------------------------------
 */

/* Where the comma is that ends the first element, or the length. In a quoted string a backslash
 * makes the next byte ordinary (RFC 9110 section 5.6.4); one that is never closed takes the rest.
 */
static size_t element_end(struct str s) {
    bool quoted = false;
    size_t i = 0;

    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\')
            i++;
        else if (!quoted && c == ',')
            break;
    }
    return i < s.len ? i : s.len;
}

bool header_list_next(struct str *rest, struct str *element) {
    while (rest->len > 0) {
        size_t n = element_end(*rest);
        size_t skip = n < rest->len ? n + 1 : n;
        *element = str_trim((struct str){rest->ptr, n});
        *rest = (struct str){rest->ptr + skip, rest->len - skip};
        if (element->len > 0)
            return true;
    }
    return false;
}

bool header_list_has(struct str list, struct str token) {
    struct str element;

    while (header_list_next(&list, &element))
        if (str_ieq(element, token))
            return true;
    return false;
}

struct str header_media_type(struct str value) {
    return str_trim(str_cut(&value, ';'));
}

/* ---- parameters and lines ----------------------------------------------------------------------
 */

static struct str after(struct str s, size_t n) {
    return (struct str){s.ptr + n, s.len - n};
}

/* quoted-string (RFC 9110 section 5.6.4): how long it is with its quotes; 0: it is not closed. */
static size_t quoted_len(struct str s) {
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"')
            return i + 1;
        if (s.ptr[i] == '\\')
            i++;
    }
    return 0;
}

int header_param_next(struct str *rest, struct str *name, struct str *value) {
    struct str s = str_trim(*rest);
    do {
        if (s.len == 0) {
            *rest = s;
            return 0;
        }
        if (s.ptr[0] != ';')
            return -1;
        s = str_trim(after(s, 1));
    } while (s.len == 0 || s.ptr[0] == ';');

    size_t n = header_token_len(s);
    if (n == 0 || n == s.len || s.ptr[n] != '=')
        return -1;
    *name = (struct str){s.ptr, n};
    s = after(s, n + 1);
    bool quoted = s.len > 0 && s.ptr[0] == '"';
    n = quoted ? quoted_len(s) : header_token_len(s);
    if (n == 0)
        return -1;
    *value = quoted ? (struct str){s.ptr + 1, n - 2} : (struct str){s.ptr, n};
    *rest = after(s, n);
    return 1;
}

int header_field_next(struct str *rest, struct str *name, struct str *value) {
    if (rest->len == 0)
        return 0;
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    if (end == NULL)
        return -1;
    struct str line = {rest->ptr, (size_t)(end - rest->ptr)};
    *rest = after(*rest, line.len + 2);
    size_t n = header_token_len(line);
    if (n == 0 || n == line.len || line.ptr[n] != ':')
        return -1;
    *name = (struct str){line.ptr, n};
    *value = str_trim(after(line, n + 1));
    return header_is_value(*value) ? 1 : -1;
}

/* ---- weights -----------------------------------------------------------------------------------
 */

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) in thousandths, 0 for anything else
 * (RFC 9110 section 12.4.2). */
static int thousandths(struct str s) {
    int weight = 0, unit = 1000;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1'))
        return 0;
    for (size_t i = 0; i < s.len; i++) {
        if (i == 1 ? s.ptr[i] != '.' : !is(s.ptr[i], DIGIT))
            return 0;
        if (i == 1)
            continue;
        weight += (s.ptr[i] - '0') * unit;
        unit /= 10;
    }
    return weight <= 1000 ? weight : 0;
}

/* What follows the coding's name: nothing, or OWS ";" OWS "q=" qvalue. */
static int weight_of(struct str parameters) {
    if (!parameters.ptr)
        return 1000;
    struct str q = str_trim(parameters);
    if (q.len < 2 || (q.ptr[0] | 0x20) != 'q' || q.ptr[1] != '=')
        return 0;
    return thousandths((struct str){q.ptr + 2, q.len - 2});
}

int header_accepts_coding(struct str value, struct str coding) {
    struct str element;
    int any = 0;

    while (header_list_next(&value, &element)) {
        struct str name = str_trim(str_cut(&element, ';'));
        if (str_ieq(name, coding))
            return weight_of(element);
        if (str_eq(name, STR("*")))
            any = weight_of(element);
    }
    return any;
}

/* ---- hosts ------------------------------------------------------------------------------------
 */

/* The address between the brackets. IPv6 only: nothing has ever used IPvFuture. */
static bool is_ipv6(struct str s) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (s.len >= sizeof text || memchr(s.ptr, '\0', s.len))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* How many bytes of `s` belong to a reg-name. An IPv4 address is one as well. */
static size_t reg_name(struct str s) {
    size_t i = 0;

    while (i < s.len) {
        if (is(s.ptr[i], REGNAME))
            i++;
        else if (s.ptr[i] == '%' && s.len - i >= 3 && is(s.ptr[i + 1], HEX) &&
                 is(s.ptr[i + 2], HEX))
            i += 3;
        else
            break;
    }
    return i;
}

bool header_is_host(struct str s) {
    size_t n = reg_name(s);

    if (s.len > 0 && s.ptr[0] == '[') {
        struct str address = {s.ptr + 1, s.len - 1};
        address = str_cut(&address, ']');
        n = address.len + 2;
        if (n > s.len || !is_ipv6(address))
            return false;
    }
    if (n == s.len)
        return true;
    return s.ptr[n] == ':' && all((struct str){s.ptr + n + 1, s.len - n - 1}, DIGIT);
}

/* ---- reason phrases ---------------------------------------------------------------------------
 */

const char *http_reason(int status) {
    static const char *const reasons[] = {
        [100] = "Continue",
        [101] = "Switching Protocols",
        [102] = "Processing",
        [103] = "Early Hints",
        [200] = "OK",
        [201] = "Created",
        [202] = "Accepted",
        [203] = "Non-Authoritative Information",
        [204] = "No Content",
        [205] = "Reset Content",
        [206] = "Partial Content",
        [207] = "Multi-Status",
        [208] = "Already Reported",
        [226] = "IM Used",
        [300] = "Multiple Choices",
        [301] = "Moved Permanently",
        [302] = "Found",
        [303] = "See Other",
        [304] = "Not Modified",
        [305] = "Use Proxy",
        [307] = "Temporary Redirect",
        [308] = "Permanent Redirect",
        [400] = "Bad Request",
        [401] = "Unauthorized",
        [402] = "Payment Required",
        [403] = "Forbidden",
        [404] = "Not Found",
        [405] = "Method Not Allowed",
        [406] = "Not Acceptable",
        [407] = "Proxy Authentication Required",
        [408] = "Request Timeout",
        [409] = "Conflict",
        [410] = "Gone",
        [411] = "Length Required",
        [412] = "Precondition Failed",
        [413] = "Content Too Large",
        [414] = "URI Too Long",
        [415] = "Unsupported Media Type",
        [416] = "Range Not Satisfiable",
        [417] = "Expectation Failed",
        [421] = "Misdirected Request",
        [422] = "Unprocessable Content",
        [423] = "Locked",
        [424] = "Failed Dependency",
        [425] = "Too Early",
        [426] = "Upgrade Required",
        [428] = "Precondition Required",
        [429] = "Too Many Requests",
        [431] = "Request Header Fields Too Large",
        [451] = "Unavailable For Legal Reasons",
        [500] = "Internal Server Error",
        [501] = "Not Implemented",
        [502] = "Bad Gateway",
        [503] = "Service Unavailable",
        [504] = "Gateway Timeout",
        [505] = "HTTP Version Not Supported",
        [506] = "Variant Also Negotiates",
        [507] = "Insufficient Storage",
        [508] = "Loop Detected",
        [511] = "Network Authentication Required",
    };
    const int count = sizeof reasons / sizeof reasons[0];

    return status >= 0 && status < count && reasons[status] ? reasons[status] : "Unknown";
}
