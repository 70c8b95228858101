/* http1_head: the head of an answer as HTTP/1.1 text (RFC 9112 section 4).
 *
 * Put together right where it is sent from, piece by piece: no buffer in between. What the framing
 * is has been decided by http1_out, the fields by http/head; here it is only written down. Pure: a
 * struct http_head in, bytes out. */
#include "wire/http1_head.h"

#include "proto/header.h"

#include <string.h>

static char *put_status(char *at, int status) {
    if (status == 200) /* nearly all are */
        return head_put_text(at, STR("HTTP/1.1 200 OK\r\n"));
    at = head_put_text(at, STR("HTTP/1.1 "));
    *at++ = (char)('0' + status / 100);
    *at++ = (char)('0' + status / 10 % 10);
    *at++ = (char)('0' + status % 10);
    *at++ = ' ';
    return head_put_text(stpcpy(at, http_reason(status)), STR("\r\n"));
}

static char *put_framing(char *at, struct http1_framing framing) {
    if (framing.chunked)
        at = head_put_text(at, STR("Transfer-Encoding: chunked\r\n"));
    if (!framing.keep_alive)
        return head_put_text(at, STR("Connection: close\r\n"));
    return framing.is_1_0 ? head_put_text(at, STR("Connection: keep-alive\r\n")) : at;
}

char *http1_head_put(char *at, const struct http_head *head, struct http1_framing framing) {
    at = head_put(put_status(at, head->status), head);
    return head_put_text(put_framing(at, framing), STR("\r\n"));
}

char *http1_informational_put(char *at, int status, struct str fields) {
    return head_put_text(head_put_text(put_status(at, status), fields), STR("\r\n"));
}
