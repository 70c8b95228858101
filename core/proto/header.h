/* header: the small grammars of HTTP fields (RFC 9110). */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include "base/buf.h"

/* A token: one or more tchar (RFC 9110 section 5.6.2). Method and field names are tokens. */
bool header_is_token(struct str s);
/* How many bytes at the front could be a token's. */
size_t header_token_len(struct str s);
/* A field value that may be sent or accepted: no CR, LF, NUL or other control character but HTAB,
 * no leading or trailing white space (RFC 9110 section 5.5). May be empty. */
bool header_is_value(struct str s);
/* Whether a field of that name is connection-specific (RFC 9110 section 7.6.1) or delimits the
 * body: the protocol's alone, in answers. */
bool header_is_framing(struct str name);
/* Steps through a comma-separated list, elements trimmed, empty ones skipped, commas inside quoted
 * strings kept (RFC 9110 section 5.6.1). False at the end. */
bool header_list_next(struct str *rest, struct str *element);
/* Whether the list holds `token`, ASCII case ignored ("keep-alive, close"). */
bool header_list_has(struct str list, struct str token);
/* The media type without its parameters, trimmed: "text/html; charset=x" gives "text/html". */
struct str header_media_type(struct str value);
/* Steps through parameters, *( OWS ";" OWS [ name "=" value ] ) (RFC 9110 section 5.6.6). A quoted
 * value comes without its quotes and with its backslashes. 1; 0 at the end; -1: malformed. */
int header_param_next(struct str *rest, struct str *name, struct str *value);
/* Steps through lines "name: value CRLF", values trimmed. 1; 0 at the end; -1: a line that is none,
 * folded ones (RFC 9112 section 5.2) among them. */
int header_field_next(struct str *rest, struct str *name, struct str *value);
/* The weight in thousandths that an Accept-Encoding value gives to `coding`: 0..1000 (RFC 9110
 * section 12.5.3; "*" counts; an empty or absent value gives 0; a malformed weight counts as 0). */
int header_accepts_coding(struct str value, struct str coding);

/* An authority as the Host field has it: uri-host [":" port] (RFC 9110 section 7.2): reg-name, IPv4
 * or bracketed IPv6; empty is allowed. */
bool header_is_host(struct str s);

/* The reason phrase that RFC 9110 or its registry gives; "Unknown" for others. */
const char *http_reason(int status);

#endif
