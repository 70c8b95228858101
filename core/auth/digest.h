/* digest: hashes and their keyed form (FIPS 180-4, RFC 2104), by name. */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include "base/str.h"

#define DIGEST_MAX 64 /* bytes of the longest, SHA-512's */

struct digest; /* one of a table's rows: never freed */
struct digest_run;

/* "sha256", "sha384", "sha512", and for what others ask for "sha1" and "md5"; NULL: none of these.
 */
const struct digest *digest_find(struct str name);
/* Each writes the digest to `out` and returns its bytes; 0 when GnuTLS cannot. */
size_t digest_hash(const struct digest *digest, struct str text, unsigned char out[DIGEST_MAX]);
size_t digest_hmac(const struct digest *digest, struct str key, struct str text,
                   unsigned char out[DIGEST_MAX]);
/* The digest of what comes in pieces: begun, exactly one digest_end must follow. NULL when GnuTLS
 * cannot. */
struct digest_run *digest_begin(const struct digest *digest);
void digest_add(struct digest_run *run, struct str text);
/* Frees it. As digest_hash; `out` NULL: nobody wants it any more. */
size_t digest_end(struct digest_run *run, unsigned char out[DIGEST_MAX]);
/* Whether two strings are equal, in a time that depends on their lengths alone. */
bool digest_equal(struct str a, struct str b);

#endif
