/* digest: hashes and their keyed form (FIPS 180-4, RFC 2104), by name.
 *
 * What apps sign webhooks and cookies with, and compare such signatures by. The primitives are
 * GnuTLS's; here is only which there are. SHA-1 and MD5 are no longer safe against whoever can
 * choose the text, and are there because services still send them. Pure; knows no tokens and no
 * Lua. */
#include "auth/digest.h"

#include "base/fault.h"
#include "base/mem.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

struct digest {
    const char *name;
    gnutls_digest_algorithm_t hash;
    gnutls_mac_algorithm_t mac;
};

static const struct digest digests[] = {
    {"sha256", GNUTLS_DIG_SHA256, GNUTLS_MAC_SHA256},
    {"sha384", GNUTLS_DIG_SHA384, GNUTLS_MAC_SHA384},
    {"sha512", GNUTLS_DIG_SHA512, GNUTLS_MAC_SHA512},
    {"sha1", GNUTLS_DIG_SHA1, GNUTLS_MAC_SHA1},
    {"md5", GNUTLS_DIG_MD5, GNUTLS_MAC_MD5},
};

const struct digest *digest_find(struct str name) {
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (str_eq(name, str_of(digests[i].name)))
            return &digests[i];
    return NULL;
}

size_t digest_hash(const struct digest *digest, struct str text, unsigned char out[DIGEST_MAX]) {
    if (fault("auth_digest") < 0 || gnutls_hash_fast(digest->hash, text.ptr, text.len, out) < 0)
        return 0;
    return gnutls_hash_get_len(digest->hash);
}

size_t digest_hmac(const struct digest *digest, struct str key, struct str text,
                   unsigned char out[DIGEST_MAX]) {
    if (fault("auth_digest") < 0 ||
        gnutls_hmac_fast(digest->mac, key.ptr, key.len, text.ptr, text.len, out) < 0)
        return 0;
    return gnutls_hmac_get_len(digest->mac);
}

struct digest_run {
    gnutls_hash_hd_t state;
    const struct digest *digest;
    bool failed;
};

struct digest_run *digest_begin(const struct digest *digest) {
    gnutls_hash_hd_t state;
    if (fault("auth_digest") < 0 || gnutls_hash_init(&state, digest->hash) < 0)
        return NULL;
    struct digest_run *run = mem_zalloc(sizeof *run);
    run->state = state;
    run->digest = digest;
    return run;
}

void digest_add(struct digest_run *run, struct str text) {
    if (fault("auth_digest") < 0 || gnutls_hash(run->state, text.ptr, text.len) < 0)
        run->failed = true;
}

size_t digest_end(struct digest_run *run, unsigned char out[DIGEST_MAX]) {
    size_t n = run->failed ? 0 : gnutls_hash_get_len(run->digest->hash);
    gnutls_hash_deinit(run->state, out);
    free(run);
    return n;
}

bool digest_equal(struct str a, struct str b) {
    return a.len == b.len && gnutls_memcmp(a.ptr, b.ptr, a.len) == 0;
}
