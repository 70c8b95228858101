/* methods: which methods of requests there are.
 *
 * A request may have any token as its method, and all are framed alike (RFC 9112 section 6), so
 * the parser need not know them. A server tells those that it does not know at all, 501, from those
 * that it knows and does not allow in that place, 405 (RFC 9110 section 9.1). Known are those of
 * RFC 9110, of WebDAV and its kin as far as clients use them, and QUERY (RFC 10008); an app makes
 * others known by its routes. */
#include "proto/methods.h"

#include "proto/header.h"

static const char *const known[] = {
    "ACL",       "BIND",      "CHECKOUT", "CONNECT",  "COPY",   "DELETE",     "GET",
    "HEAD",      "LINK",      "LOCK",     "M-SEARCH", "MERGE",  "MKACTIVITY", "MKCALENDAR",
    "MKCOL",     "MOVE",      "NOTIFY",   "OPTIONS",  "PATCH",  "POST",       "PROPFIND",
    "PROPPATCH", "PURGE",     "PUT",      "QUERY",    "REBIND", "REPORT",     "SEARCH",
    "SOURCE",    "SUBSCRIBE", "TRACE",    "UNBIND",   "UNLINK", "UNLOCK",     "UNSUBSCRIBE",
};

bool method_is_valid(struct str method) {
    return method.len <= METHOD_MAX && header_is_token(method);
}

bool method_is_known(struct str method) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(method, str_of(known[i])))
            return true;
    return false;
}
