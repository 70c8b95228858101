/* field_names: the names of header fields that browsers and clients send.
 *
 * Half of what a browser's head holds beside its values are these few names, the same in every
 * request. A head that stays (an event stream's) refers to them here instead. The table is sorted,
 * so that a name is found by halving; that happens once for a stream, not for each request. */
#include "http/field_names.h"

#include <string.h>

static const char *const names[] = {
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dnt",
    "forwarded",
    "host",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "last-event-id",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "te",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
};

#define COUNT (int)(sizeof names / sizeof *names)

struct str field_name_of(int number) {
    return str_of(names[number]);
}

static int compare(struct str a, struct str b) {
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

int field_name_number(struct str name) {
    int low = 0, high = COUNT - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = compare(name, field_name_of(middle));
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}
