/* jwt: JSON Web Tokens (RFC 7519, RFC 8725): a policy says which are right, a key signs new ones.
 *
 *     token -> split -> header -> key -> signature -> payload -> claims -> the caller's
 *                          \______ what failed is the reason ______/
 *
 * Each step sees only what the one before let through: the payload of a token whose signature is
 * wrong is not even decoded. The header chooses among the policy's keys, by kid, and must name the
 * key's one algorithm.
 *
 * All tokens of an issuer have the same header but for its keys' turnover. A policy remembers that
 * of the last token that was right, as text, and the key that it led to: the next one costs a
 * comparison instead of a JSON parser. New keys make it forget.
 *
 * A policy belongs to one Lua state, so to one thread; its keys are shared with others. */
#include "auth/jwt.h"

#include "auth/base64url.h"
#include "auth/strict_json.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

#define HEADER_KEPT 256

struct jwt_policy {
    struct key_source *source; /* NULL: the keys never change */
    struct jwks *jwks;
    unsigned version;
    struct claims_rules rules;
    const struct key *last_key; /* of the header below; NULL: none */
    size_t last_len;
    char last_header[HEADER_KEPT];
};

static struct jwt_policy *policy_new(struct claims_rules *rules) {
    struct jwt_policy *policy = mem_zalloc(sizeof *policy);
    policy->rules = *rules;
    *rules = (struct claims_rules){0};
    return policy;
}

struct jwt_policy *jwt_policy_of_key(struct key *key, struct claims_rules *rules) {
    struct jwt_policy *policy = policy_new(rules);
    policy->jwks = jwks_of_key(key);
    return policy;
}

struct jwt_policy *jwt_policy_of_source(struct key_source *source, struct claims_rules *rules) {
    struct jwt_policy *policy = policy_new(rules);
    policy->source = source;
    key_source_refresh(source, false, &policy->jwks, &policy->version);
    return policy;
}

void jwt_policy_free(struct jwt_policy *policy) {
    if (!policy)
        return;
    key_source_unref(policy->source);
    jwks_unref(policy->jwks);
    claims_rules_fini(&policy->rules);
    free(policy);
}

/* Whether the keys are others than before. */
static bool refresh(struct jwt_policy *policy, bool missed) {
    if (!policy->source ||
        !key_source_refresh(policy->source, missed, &policy->jwks, &policy->version))
        return false;
    policy->last_key = NULL;
    return true;
}

/* The key that a header asks for; NULL with the reason. */
static const struct key *choose(struct jwt_policy *policy, struct str header, struct reason *why) {
    struct jws_header parsed;
    bool unknown;
    if (jws_header_parse(header, &parsed, why) < 0)
        return NULL;
    struct str kid = {parsed.has_kid ? parsed.kid : NULL, parsed.kid_len};
    const struct key *key = jwks_find(policy->jwks, parsed.alg, kid, &unknown, why);
    if (!key && unknown && refresh(policy, true))
        key = jwks_find(policy->jwks, parsed.alg, kid, &unknown, why);
    return key;
}

static void remember(struct jwt_policy *policy, struct str header, const struct key *key) {
    if (header.len > sizeof policy->last_header)
        return;
    memcpy(policy->last_header, header.ptr, header.len);
    policy->last_len = header.len;
    policy->last_key = key;
}

static int check_signature(struct jwt_policy *policy, const struct jws *jws, struct reason *why) {
    refresh(policy, false);
    const struct key *key = policy->last_key;
    bool known = key && str_eq(jws->header, (struct str){policy->last_header, policy->last_len});
    if (!known)
        key = choose(policy, jws->header, why);
    if (!key || jws_verify(jws, key, why) < 0)
        return JWT_EINVALID;
    if (!known)
        remember(policy, jws->header, key);
    return 0;
}

static int read_payload(const struct jws *jws, json_t **claims, struct reason *why) {
    unsigned char text[BASE64URL_BYTES(JWS_MAX)];
    int n = base64url_decode(jws->payload, text);
    if (n < 0)
        return reason_set(why, JWT_EINVALID, "the payload is not base64url");
    struct str json = {(char *)text, (size_t)n};
    return strict_json_parse(json, "payload", claims, why) < 0 ? JWT_EINVALID : 0;
}

int jwt_verify(struct jwt_policy *policy, struct str token, json_t **claims, struct reason *why) {
    struct jws jws;
    json_t *parsed;
    if (jws_split(token, &jws, why) < 0)
        return JWT_EINVALID;
    int rc = check_signature(policy, &jws, why);
    if (rc == 0)
        rc = read_payload(&jws, &parsed, why);
    if (rc < 0)
        return rc;
    rc = claims_check(parsed, &policy->rules, (double)clock_wall_ns() / 1e9, why);
    if (rc < 0)
        json_decref(parsed);
    else
        *claims = parsed;
    return rc;
}

int jwt_sign(const struct key *key, struct str kid, struct str claims, struct buf *out,
             struct reason *why) {
    json_t *parsed;
    int rc = strict_json_parse(claims, "claims", &parsed, why);
    if (rc < 0)
        return rc;
    json_decref(parsed);
    return jws_sign(key, kid, claims, out, why);
}
