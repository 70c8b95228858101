/* methods: which methods of requests there are. */
#ifndef PROTO_METHODS_H
#define PROTO_METHODS_H

#include "base/str.h"

#define METHOD_MAX 64 /* bytes of one */

/* A token (RFC 9110 section 9.1) that is not too long. */
bool method_is_valid(struct str method);
/* Whether what it means is laid down somewhere, be there a route for it or not: who asks for it
 * gets 405, not 501. */
bool method_is_known(struct str method);

#endif
