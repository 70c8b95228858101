/* seal: a text that only who has the key can read, or make. */
#ifndef AUTH_SEAL_H
#define AUTH_SEAL_H

#include "base/str.h"

#define SEAL_KEY 32                  /* bytes of a key */
#define SEAL_EXTRA ((size_t)12 + 16) /* bytes that a sealed text is longer */

/* Seals `text`, in a `context` that whoever opens it must name: it is not in the text, and a text
 * sealed in another one does not open. Writes text.len + SEAL_EXTRA bytes. 0, or -1: GnuTLS cannot.
 */
int seal_close(struct str key, struct str context, struct str text, char *out);
/* Opens it again into `out`, which has room for sealed.len bytes. Returns how many there are, or
 * -1: that is not what seal_close made with this key, in this context. */
int seal_open(struct str key, struct str context, struct str sealed, char *out);

#endif
