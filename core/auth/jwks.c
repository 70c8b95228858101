/* jwks: a set of keys (RFC 7517 section 5), found by kid and algorithm.
 *
 * What a set holds that cannot be used is left out and told, so that one key of a kind that is not
 * known here does not take the others down (RFC 7517 section 5 asks for it). A set without any
 * usable key is an error, and never an empty set: whoever reads it again keeps the last good one.
 *
 * A set never changes. Threads share it by reference, and a newer one takes its place (key_source).
 * A token's kid is compared with those of the set and used for nothing else: it is no path and no
 * query. */
#include "auth/jwks.h"

#include "auth/jwk.h"
#include "auth/strict_json.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

struct entry {
    struct key *key;
    char *kid; /* NULL: has none */
    size_t kid_len;
};

struct jwks {
    int refs; /* atomic */
    bool any; /* of one key, which was configured as itself: a kid says nothing */
    size_t count;
    struct entry entries[];
};

static struct jwks *jwks_new(size_t room) {
    struct jwks *jwks = mem_zalloc(sizeof *jwks + room * sizeof *jwks->entries);
    jwks->refs = 1;
    return jwks;
}

struct jwks *jwks_of_key(struct key *key) {
    struct jwks *jwks = jwks_new(1);
    jwks->any = true;
    jwks->entries[jwks->count++].key = key;
    return jwks;
}

struct jwks *jwks_ref(struct jwks *jwks) {
    MUST(__atomic_load_n(&jwks->refs, __ATOMIC_RELAXED) > 0);
    __atomic_fetch_add(&jwks->refs, 1, __ATOMIC_RELAXED);
    return jwks;
}

void jwks_unref(struct jwks *jwks) {
    if (!jwks || __atomic_sub_fetch(&jwks->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < jwks->count; i++) {
        key_free(jwks->entries[i].key);
        free(jwks->entries[i].kid);
    }
    free(jwks);
}

size_t jwks_count(const struct jwks *jwks) {
    return jwks->count;
}

/* --- finding --- */

static bool has_kid(const struct entry *entry, struct str kid) {
    return entry->kid && str_eq((struct str){entry->kid, entry->kid_len}, kid);
}

const struct key *jwks_find(const struct jwks *jwks, const struct alg *alg, struct str kid,
                            bool *unknown, struct reason *why) {
    const struct key *found = NULL;
    const struct alg *other = NULL;
    size_t fitting = 0;
    for (size_t i = 0; i < jwks->count; i++) {
        const struct entry *entry = &jwks->entries[i];
        if (!jwks->any && kid.ptr && !has_kid(entry, kid))
            continue;
        if (key_alg(entry->key) == alg) {
            found = entry->key;
            fitting++;
        } else {
            other = key_alg(entry->key);
        }
    }
    *unknown = kid.ptr && fitting == 0 && !other;
    if (fitting == 1)
        return found;
    if (fitting > 1)
        reason_set(why, JWKS_EBAD, "header: no kid, and %zu keys are for %s", fitting, alg->name);
    else if (*unknown)
        reason_set(why, JWKS_EBAD, "header: no key has the kid \"%.*s\"", STR_ARG(kid));
    else
        reason_set(why, JWKS_EBAD, "header: alg is %s, the key's is %s", alg->name, other->name);
    return NULL;
}

/* --- reading --- */

/* Two keys that a header cannot tell apart are one too many. */
static bool is_taken(const struct jwks *jwks, const struct key *key, struct str kid) {
    for (size_t i = 0; i < jwks->count; i++)
        if (has_kid(&jwks->entries[i], kid) && key_alg(jwks->entries[i].key) == key_alg(key))
            return true;
    return false;
}

/* The key, unless it cannot be used. 0, or -1 with the reason. */
static int add_key(struct jwks *jwks, const json_t *object, const struct alg *only,
                   struct reason *why) {
    struct str kid = strict_json_string(object, "kid");
    const json_t *member = json_object_get(object, "kid");
    if (!kid.ptr && member && !json_is_null(member))
        return reason_set(why, -1, "\"kid\" is no string");
    struct key *key = jwk_parse(object, only, why);
    if (!key)
        return -1;
    if (kid.ptr && is_taken(jwks, key, kid)) {
        key_free(key);
        return reason_set(why, -1, "a key before it has the same kid and algorithm");
    }
    struct entry *entry = &jwks->entries[jwks->count++];
    entry->key = key;
    entry->kid = kid.ptr ? mem_copy(kid.ptr, kid.len) : NULL;
    entry->kid_len = kid.len;
    return 0;
}

static struct jwks *read_keys(const json_t *keys, const struct alg *only, jwks_skipped *skipped,
                              void *arg) {
    struct reason why;
    struct jwks *jwks = jwks_new(json_array_size(keys));
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *object = json_array_get(keys, i);
        struct str kid = strict_json_string(object, "kid");
        if (add_key(jwks, object, only, &why) < 0)
            skipped(arg, i + 1, kid, why.text);
    }
    return jwks;
}

int jwks_parse(struct str text, const struct alg *only, jwks_skipped *skipped, void *arg,
               struct jwks **out, struct reason *why) {
    json_t *object;
    if (strict_json_parse(text, "JWKS", &object, why) < 0)
        return JWKS_EBAD;
    const json_t *keys = json_object_get(object, "keys");
    size_t size = json_array_size(keys);
    struct jwks *jwks = json_is_array(keys) ? read_keys(keys, only, skipped, arg) : NULL;
    json_decref(object);
    if (!jwks)
        return reason_set(why, JWKS_EBAD, "JWKS: no array \"keys\"");
    if (jwks->count == 0) {
        jwks_unref(jwks);
        return reason_set(why, JWKS_EBAD, "JWKS: none of its %zu keys can be used", size);
    }
    *out = jwks;
    return 0;
}
