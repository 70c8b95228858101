/* claims: what a token says, held against what it must say (RFC 7519 section 4.1).
 *
 *     iss, sub, aud, nbf, iat -wrong-> invalid  (401: not for here, or not now)
 *     exp ----------------passed--> expired     (401, or the end of a stream: it was right once)
 *     required -----------other---> forbidden   (403: who asks is known, and may not)
 *
 * The order matters: "expired" says that nothing else is wrong with the token, for then its client
 * may be told to fetch a new one. A time must be a number, fractions and any size allowed, for it
 * is only compared. Each comparison gets the leeway, and a reason that blames the clock says by how
 * much it would have had to be larger. Knows no signatures. */
#include "auth/claims.h"

#include <stdbool.h>
#include <string.h>

void claims_rules_fini(struct claims_rules *rules) {
    json_decref(rules->issuers);
    json_decref(rules->audiences);
    json_decref(rules->required);
    *rules = (struct claims_rules){0};
}

static bool holds(const json_t *list, const json_t *value) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value))
            return true;
    return false;
}

static int check_issuer(const json_t *claims, const struct claims_rules *rules,
                        struct reason *why) {
    const json_t *iss = json_object_get(claims, "iss");
    if (!rules->issuers || (json_is_string(iss) && holds(rules->issuers, iss)))
        return 0;
    if (!json_is_string(iss))
        return reason_set(why, CLAIMS_EINVALID, "iss is missing or no string");
    return reason_set(why, CLAIMS_EINVALID, "iss is \"%.100s\", which is not the issuer",
                      json_string_value(iss));
}

/* A string (RFC 7519 section 4.1.2), and one that all who read it see whole: streams are counted
 * and closed by it. */
static int check_subject(const json_t *claims, struct reason *why) {
    const json_t *sub = json_object_get(claims, "sub");
    if (sub && !json_is_string(sub))
        return reason_set(why, CLAIMS_EINVALID, "sub is no string");
    if (sub && strlen(json_string_value(sub)) < json_string_length(sub))
        return reason_set(why, CLAIMS_EINVALID, "sub holds NUL");
    return 0;
}

/* A string, or an array of strings (RFC 7519 section 4.1.3). */
static int check_audience(const json_t *claims, const struct claims_rules *rules,
                          struct reason *why) {
    const json_t *aud = json_object_get(claims, "aud");
    if (!rules->audiences || (json_is_string(aud) && holds(rules->audiences, aud)))
        return 0;
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (holds(rules->audiences, json_array_get(aud, i)))
            return 0;
    if (json_is_string(aud))
        return reason_set(why, CLAIMS_EINVALID, "aud is \"%.100s\", which is not this audience",
                          json_string_value(aud));
    return reason_set(why, CLAIMS_EINVALID, "aud is missing or does not name this audience");
}

/* Whether the claim is there; `*out` is its number. Negative when it is no number. */
static int read_time(const json_t *claims, const char *name, double *out, struct reason *why) {
    const json_t *value = json_object_get(claims, name);
    if (!value)
        return 0;
    if (!json_is_number(value))
        return reason_set(why, CLAIMS_EINVALID, "%s is no number", name);
    *out = json_number_value(value);
    return 1;
}

/* nbf and iat: a moment that must have come. */
static int check_begun(const json_t *claims, const char *name, double leeway, double now,
                       struct reason *why) {
    double begin = 0;
    int rc = read_time(claims, name, &begin, why);
    if (rc <= 0 || now + leeway >= begin)
        return rc < 0 ? rc : 0;
    return reason_set(why, CLAIMS_EINVALID,
                      "%s is %.15g s in the future, the leeway is %.15g s: are the clocks right?",
                      name, begin - now, leeway);
}

static int check_end(const json_t *claims, double leeway, double now, struct reason *why) {
    double end = 0;
    int rc = read_time(claims, "exp", &end, why);
    if (rc <= 0 || now - leeway < end)
        return rc < 0 ? rc : 0;
    return reason_set(why, CLAIMS_EEXPIRED, "expired %.15g s ago, the leeway is %.15g s", now - end,
                      leeway);
}

/* Numbers are equal by value, 1 and 1.0 too, unlike json_equal. */
static bool same(const json_t *have, const json_t *want) {
    if (json_is_number(have) && json_is_number(want))
        return json_number_value(have) == json_number_value(want);
    return json_equal(have, want);
}

static bool satisfies(const json_t *have, const json_t *want) {
    if (same(have, want))
        return true;
    for (size_t i = 0; i < json_array_size(have); i++)
        if (same(json_array_get(have, i), want))
            return true;
    return false;
}

static int check_required(const json_t *claims, const struct claims_rules *rules,
                          struct reason *why) {
    void *iter = json_object_iter(rules->required);
    for (; iter; iter = json_object_iter_next(rules->required, iter)) {
        const char *name = json_object_iter_key(iter);
        const json_t *have = json_object_get(claims, name);
        if (!have || !satisfies(have, json_object_iter_value(iter)))
            return reason_set(why, CLAIMS_EFORBIDDEN, "the claim %.100s is %s", name,
                              have ? "another" : "missing");
    }
    return 0;
}

int claims_check(const json_t *claims, const struct claims_rules *rules, double now,
                 struct reason *why) {
    int rc = check_issuer(claims, rules, why);
    if (rc == 0)
        rc = check_subject(claims, why);
    if (rc == 0)
        rc = check_audience(claims, rules, why);
    if (rc == 0)
        rc = check_begun(claims, "nbf", rules->leeway, now, why);
    if (rc == 0)
        rc = check_begun(claims, "iat", rules->leeway, now, why);
    if (rc == 0)
        rc = check_end(claims, rules->leeway, now, why);
    if (rc == 0)
        rc = check_required(claims, rules, why);
    return rc;
}
