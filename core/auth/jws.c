/* jws: a JSON Web Signature in its compact form (RFC 7515 section 7.1).
 *
 *     base64url(header) "." base64url(payload) "." base64url(signature)
 *     \_____________ signing input _____________/
 *
 * Only this form, and in it only what a bearer token needs. Of a header two members count: "alg",
 * which must be known, and "kid". One that says how to find a key ("jwk", "jku", "x5u", "x5c") is
 * written by whoever made the token, so it says nothing (RFC 8725 section 3.10). "crit" names
 * extensions without which a token must not be used, and none is known here, so any is refused
 * (RFC 7515 section 4.1.11). Nothing looks into the payload; that is worth doing after the
 * signature. Which key belongs to a header is for jwt to say. */
#include "auth/jws.h"

#include "auth/base64url.h"
#include "auth/strict_json.h"

#include <stdlib.h>

int jws_split(struct str token, struct jws *out, struct reason *why) {
    if (token.len > JWS_MAX)
        return reason_set(why, JWS_EBAD, "longer than %d bytes", JWS_MAX);
    struct str rest = token;
    out->header = str_cut(&rest, '.');
    out->payload = str_cut(&rest, '.');
    out->signature = str_cut(&rest, '.');
    if (!out->signature.ptr || rest.ptr)
        return reason_set(why, JWS_EBAD, "not three parts with two dots between them");
    if (out->header.len == 0 || out->payload.len == 0 || out->signature.len == 0)
        return reason_set(why, JWS_EBAD, "the %s is empty",
                          out->header.len == 0    ? "header"
                          : out->payload.len == 0 ? "payload"
                                                  : "signature");
    out->signing_input = (struct str){token.ptr, out->header.len + 1 + out->payload.len};
    return 0;
}

static int read_kid(const json_t *object, struct jws_header *out, struct reason *why) {
    struct str kid = strict_json_string(object, "kid");
    out->has_kid = kid.ptr != NULL;
    out->kid_len = (unsigned char)kid.len;
    if (!kid.ptr && json_object_get(object, "kid"))
        return reason_set(why, JWS_EBAD, "header: kid is no string");
    if (kid.ptr && strlen(kid.ptr) < kid.len)
        return reason_set(why, JWS_EBAD, "header: kid holds NUL");
    if (kid.len > JWS_KID_MAX)
        return reason_set(why, JWS_EBAD, "header: kid is longer than %d bytes", JWS_KID_MAX);
    if (kid.len > 0)
        memcpy(out->kid, kid.ptr, kid.len);
    return 0;
}

static int read_header(const json_t *object, struct jws_header *out, struct reason *why) {
    struct str alg = strict_json_string(object, "alg");
    if (!alg.ptr)
        return reason_set(why, JWS_EBAD, "header: alg is missing or no string");
    out->alg = alg_find(alg);
    if (!out->alg)
        return reason_set(why, JWS_EBAD, "header: alg is \"%.20s\", which is none of %s", alg.ptr,
                          alg_names());
    if (json_object_get(object, "crit"))
        return reason_set(why, JWS_EBAD, "header: crit names extensions, and none is known");
    return read_kid(object, out, why);
}

int jws_header_parse(struct str header, struct jws_header *out, struct reason *why) {
    unsigned char text[BASE64URL_BYTES(JWS_MAX)];
    json_t *object;
    int n = header.len <= JWS_MAX ? base64url_decode(header, text) : -1;
    if (n < 0)
        return reason_set(why, JWS_EBAD, "header: not base64url");
    if (strict_json_parse((struct str){(char *)text, (size_t)n}, "header", &object, why) < 0)
        return JWS_EBAD;
    int rc = read_header(object, out, why);
    json_decref(object);
    return rc;
}

int jws_verify(const struct jws *jws, const struct key *key, struct reason *why) {
    unsigned char signature[BASE64URL_BYTES(JWS_MAX)];
    int n = base64url_decode(jws->signature, signature);
    if (n < 0)
        return reason_set(why, JWS_EBAD, "the signature is not base64url");
    return key_verify(key, jws->signing_input, (struct str){(char *)signature, (size_t)n}, why);
}

/* --- making one --- */

static void add_header(struct buf *out, const struct alg *alg, struct str kid) {
    json_t *object = json_pack("{ss ss}", "alg", alg->name, "typ", "JWT");
    if (kid.len > 0)
        json_object_set_new(object, "kid", json_stringn(kid.ptr, kid.len));
    char *text = json_dumps(object, JSON_COMPACT);
    base64url_encode(out, str_of(text));
    free(text);
    json_decref(object);
}

/* What is longer would be refused here, and by most of those that it is shown to. */
static int check_length(struct buf *out, size_t start, struct reason *why) {
    size_t n = out->len - start;
    if (n <= JWS_MAX)
        return 0;
    out->len = start;
    return reason_set(why, KEY_EBAD, "the token would have %zu bytes, %d are the most", n, JWS_MAX);
}

int jws_sign(const struct key *key, struct str kid, struct str payload, struct buf *out,
             struct reason *why) {
    size_t start = out->len;
    struct buf signature = {0};
    add_header(out, key_alg(key), kid);
    buf_add_char(out, '.');
    base64url_encode(out, payload);
    int rc = key_sign(key, (struct str){out->data + start, out->len - start}, &signature, why);
    if (rc < 0) {
        out->len = start;
    } else {
        buf_add_char(out, '.');
        base64url_encode(out, buf_str(&signature));
        rc = check_length(out, start, why);
    }
    buf_fini(&signature);
    return rc;
}
