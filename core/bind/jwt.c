/* jwt: tokens for Lua (auth/jwt).
 *
 *     core.jwt_policy --> userdata: policy:verify(token) -> claims | nil, reason, kind
 *     core.jwt_signer --> userdata: signer:sign(claims as JSON) -> token | nil, reason
 *
 * Both parse their keys once, and a request costs one call. What options there are, and what is
 * said about wrong ones, is the Lua half's (lua/weir/jwt_keys.lua). Claims become a table straight
 * from the parsed JSON. Nothing waits, but a key set that has changed is read from its
 * file, once (auth/key_file). */
#include "bind/bind.h"

#include "auth/jwt.h"
#include "auth/key_file.h"
#include "auth/strict_json.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/file.h"
#include "vm/class.h"
#include "vm/generation.h"
#include "vm/state.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdatomic.h>
#include <stdlib.h>

#define POLICY "weir.jwt.policy"
#define SIGNER "weir.jwt.signer"
#define PEM_MAX (64 * 1024)

struct verifier {
    struct claims_rules rules; /* until the policy has them */
    struct jwt_policy *policy;
};

struct signer {
    struct key *key;
    char *kid; /* NULL: none */
};

/* --- what was refused --- */

/* By the Lua half, where a token is found, or not. */
static const char *const refusals[] = {"missing", "several", "invalid", "expired", "forbidden"};
#define REFUSALS (sizeof refusals / sizeof *refusals)
static uint64_t refused[REFUSALS];

static uint64_t read_refused(size_t which) {
    return counter_read(&refused[which]);
}

#define ROW(reason, which)                                                                         \
    {                                                                                              \
        "tokens_" reason, "Requests that weir.jwt did not let pass.", COUNTER, read_refused,       \
            which, "tokens_refused", "reason=\"" reason "\""                                       \
    }

const struct counter_row token_counter_rows[] = {ROW("missing", 0),   ROW("several", 1),
                                                 ROW("invalid", 2),   ROW("expired", 3),
                                                 ROW("forbidden", 4), {0}};

/* kind */
static int l_count_refused(lua_State *L) {
    struct str kind = state_check_str(L, 1);
    for (size_t i = 0; i < REFUSALS; i++)
        if (str_eq(kind, str_of(refusals[i])))
            __atomic_add_fetch(&refused[i], 1, __ATOMIC_RELAXED);
    return 0;
}

/* --- keys --- */

/* PEM itself, or the name of a file that holds it. NULL with the reason. */
static struct key *key_of_text(lua_State *L, const struct alg *alg, struct str text,
                               struct reason *why) {
    struct buf pem = {0};
    if (memmem(text.ptr, text.len, "-----BEGIN", 10))
        return key_from_pem(alg, text, why);
    char *path = generation_path(task_generation(L), text.ptr);
    int rc = file_read_all(path, PEM_MAX, &pem);
    struct key *key = NULL;
    if (rc < 0)
        reason_set(why, rc, "%s: %s", path, file_why(rc));
    else
        key = key_from_pem(alg, buf_str(&pem), why);
    free(path);
    if (pem.len > 0)
        explicit_bzero(pem.data, pem.len);
    buf_fini(&pem);
    return key;
}

/* Once in a process, for a table of options may be made again for each request. */
static void warn_if_short(const struct alg *alg, struct str secret) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    struct reason advice;
    if (key_secret_is_short(alg, secret.len, &advice) && !atomic_flag_test_and_set(&told))
        log_warn("weir.jwt: %s", advice.text);
}

static struct key *key_of_secret(const struct alg *alg, struct str secret, struct reason *why) {
    warn_if_short(alg, secret);
    return key_from_secret(alg, secret, why);
}

/* stack: kind ("secret", "key"), text, alg. NULL with the reason. */
static struct key *check_key(lua_State *L, struct reason *why) {
    struct str kind = state_check_str(L, 1), text = state_check_str(L, 2);
    const struct alg *alg = alg_find(state_check_str(L, 3));
    if (!alg) {
        reason_set(why, KEY_EBAD, "alg must be one of %s", alg_names());
        return NULL;
    }
    return str_eq(kind, STR("secret")) ? key_of_secret(alg, text, why)
                                       : key_of_text(L, alg, text, why);
}

/* stack: "jwks", path, alg or nil. NULL with the reason. */
static struct key_source *check_source(lua_State *L, struct reason *why) {
    const struct alg *only = NULL;
    struct key_source *source = NULL;
    if (!lua_isnil(L, 3) && !(only = alg_find(state_check_str(L, 3)))) {
        reason_set(why, KEY_EBAD, "alg must be one of %s", alg_names());
        return NULL;
    }
    char *path = generation_path(task_generation(L), luaL_checkstring(L, 2));
    key_file_open(path, only, &source, why);
    free(path);
    return source;
}

/* --- policies --- */

/* {"issuers": [...], "audiences": [...], "required": {...}}, each or none. */
static int read_rules(struct str text, struct claims_rules *rules, struct reason *why) {
    json_t *object;
    int rc = strict_json_parse(text, "claims", &object, why);
    if (rc < 0)
        return rc;
    rules->issuers = json_incref(json_object_get(object, "issuers"));
    rules->audiences = json_incref(json_object_get(object, "audiences"));
    rules->required = json_incref(json_object_get(object, "required"));
    json_decref(object);
    return 0;
}

/* It takes the rules over. */
static struct jwt_policy *make_policy(lua_State *L, struct claims_rules *rules,
                                      struct reason *why) {
    if (str_eq(state_check_str(L, 1), STR("jwks"))) {
        struct key_source *source = check_source(L, why);
        return source ? jwt_policy_of_source(source, rules) : NULL;
    }
    struct key *key = check_key(L, why);
    return key ? jwt_policy_of_key(key, rules) : NULL;
}
/* (kind, text, alg or nil, leeway, rules as JSON) -> policy, or nil and the reason */
static int l_policy(lua_State *L) {
    struct claims_rules rules = {.leeway = luaL_checknumber(L, 4)};
    struct str text = state_check_str(L, 5);
    struct reason why;

    struct verifier *policy = class_new(L, POLICY, sizeof *policy);
    policy->rules = rules;
    if (read_rules(text, &policy->rules, &why) < 0)
        return state_push_failure(L, why.text);
    policy->policy = make_policy(L, &policy->rules, &why);
    return policy->policy ? 1 : state_push_failure(L, why.text);
}

static void push_value(lua_State *L, const json_t *value);

void bind_push_object(lua_State *L, struct json_t *object) {
    const char *name;
    size_t len;
    json_t *value;
    lua_createtable(L, 0, (int)json_object_size(object));
    json_object_keylen_foreach(object, name, len, value) {
        lua_pushlstring(L, name, len);
        push_value(L, value);
        lua_rawset(L, -3);
    }
}

static void push_array(lua_State *L, const json_t *array) {
    size_t n = json_array_size(array);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_value(L, json_array_get(array, i));
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* stack: +1 */
static void push_value(lua_State *L, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        bind_push_object(L, (json_t *)value);
        break;
    case JSON_ARRAY:
        push_array(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        lua_pushnumber(L, json_number_value(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL); /* weir.json.null */
        break;
    default:
        lua_pushboolean(L, json_is_true(value));
    }
}

/* Whether a token of so many bytes is within the limit; else with the reason. */
static bool is_allowed(lua_State *L, size_t bytes, struct reason *why) {
    uint64_t limit = task_generation(L)->limits.token_bytes;
    if (bytes <= limit)
        return true;
    reason_set(why, JWT_EINVALID, "the token has %zu bytes, the limit token_bytes is %" PRIu64,
               bytes, limit);
    return false;
}

static const char *kind_of(int error) {
    return error == JWT_EEXPIRED ? "expired" : error == JWT_EFORBIDDEN ? "forbidden" : "invalid";
}

/* policy:verify(token) -> claims, or nil, the reason, and "invalid", "expired" or "forbidden" */
static int l_verify(lua_State *L) {
    struct verifier *policy = luaL_checkudata(L, 1, POLICY);
    struct reason why;
    struct str token = state_check_str(L, 2);
    json_t *claims;
    int rc = JWT_EINVALID;

    luaL_checkstack(L, BIND_OBJECT_STACK, "claims");
    if (is_allowed(L, token.len, &why))
        rc = jwt_verify(policy->policy, token, &claims, &why);
    if (rc < 0) {
        state_push_failure(L, why.text);
        lua_pushstring(L, kind_of(rc));
        return 3;
    }
    size_t mark = state_lend(state_of(L));
    bind_push_object(L, claims);
    state_take_back(state_of(L), mark);
    json_decref(claims);
    return 1;
}

static int l_policy_gc(lua_State *L) {
    struct verifier *policy = lua_touserdata(L, 1);
    claims_rules_fini(&policy->rules);
    jwt_policy_free(policy->policy);
    policy->policy = NULL;
    return 0;
}

/* --- signers --- */

/* (kind, text, alg [, kid]) -> signer, or nil and the reason */
static int l_signer(lua_State *L) {
    struct reason why;
    size_t n;
    const char *kid = luaL_optlstring(L, 4, NULL, &n);
    struct signer *signer = class_new(L, SIGNER, sizeof *signer);
    signer->kid = kid ? mem_copy(kid, n) : NULL;
    signer->key = check_key(L, &why);
    if (signer->key && key_can_sign(signer->key))
        return 1;
    if (signer->key)
        reason_set(&why, KEY_EBAD, "a public key cannot sign; give the private key");
    return state_push_failure(L, why.text);
}

/* signer:sign(claims as JSON) -> token, or nil and the reason */
static int l_sign(lua_State *L) {
    struct signer *signer = luaL_checkudata(L, 1, SIGNER);
    struct str claims = state_check_str(L, 2), kid = str_of(signer->kid);
    struct reason why;
    struct buf token = {0};
    if (jwt_sign(signer->key, kid, claims, &token, &why) < 0 || !is_allowed(L, token.len, &why)) {
        buf_fini(&token);
        return state_push_failure(L, why.text);
    }
    size_t mark = state_lend(state_of(L));
    lua_pushlstring(L, token.data, token.len);
    state_take_back(state_of(L), mark);
    buf_fini(&token);
    return 1;
}

static int l_signer_gc(lua_State *L) {
    struct signer *signer = lua_touserdata(L, 1);
    key_free(signer->key);
    free(signer->kid);
    *signer = (struct signer){0};
    return 0;
}

void bind_jwt(lua_State *L) {
    static const luaL_Reg functions[] = {{"jwt_policy", l_policy},
                                         {"jwt_signer", l_signer},
                                         {"count_refused", l_count_refused},
                                         {NULL, NULL}};
    static const luaL_Reg policy[] = {{"verify", l_verify}, {NULL, NULL}};
    static const luaL_Reg signer[] = {{"sign", l_sign}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, POLICY, policy, l_policy_gc);
    class_define(L, SIGNER, signer, l_signer_gc);
    lua_pop(L, 2);
}
