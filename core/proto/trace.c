/* trace: what tells a request from others on its way through several servers.
 *
 *     X-Request-Id: 5b1c09f2            nobody's standard, and everybody's habit
 *     traceparent:  00-<trace id>-<parent id>-<flags>     (W3C Trace Context)
 *
 * Both come from strangers and go into logs, answers and other servers' requests. So what is not
 * plainly right is as if it had not come: guessing at it would join what does not belong together.
 *
 * Pure: values in, a verdict out. It must not know of requests. */
#include "proto/trace.h"

static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool trace_is_request_id(struct str value) {
    if (value.len == 0 || value.len > TRACE_REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!is_alphanumeric(value.ptr[i]) && !memchr("-._~:+/=@", value.ptr[i], 9))
            return false;
    return true;
}

/* Capitals are malformed, too (section 3.2.2). */
static bool is_hex(struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

static bool is_zero(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '0')
            return false;
    return true;
}

enum { ID_AT = 3, ID_LEN = 32, PARENT_AT = 36, PARENT_LEN = 16, FLAGS_AT = 53, LENGTH = 55 };

/* A later version may go on behind what this one has, after a dash (section 3.2.4). */
static bool ends_well(struct str value, struct str version) {
    if (str_eq(version, STR("00")))
        return value.len == LENGTH;
    return value.len == LENGTH || value.ptr[LENGTH] == '-';
}

bool trace_is_parent(struct str value) {
    if (value.len < LENGTH || value.ptr[2] != '-' || value.ptr[PARENT_AT - 1] != '-' ||
        value.ptr[FLAGS_AT - 1] != '-')
        return false;
    struct str version = {value.ptr, 2}, id = trace_id(value);
    struct str parent = {value.ptr + PARENT_AT, PARENT_LEN}, flags = {value.ptr + FLAGS_AT, 2};
    return is_hex(version) && !str_eq(version, STR("ff")) && is_hex(id) && !is_zero(id) &&
           is_hex(parent) && !is_zero(parent) && is_hex(flags) && ends_well(value, version);
}

struct str trace_id(struct str parent) {
    return (struct str){parent.ptr + ID_AT, ID_LEN};
}
