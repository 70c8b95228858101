/* cli_token: `weir token`: a token on standard output, for trying an app and for scripts.
 *
 *     --sub, --claim, --exp --> claims as JSON --+
 *     --secret-env | --secret-file | --key-file --+--> auth/jwt signs --> one line
 *
 * A key comes from the environment or a file, never from the command line, where every user of the
 * machine could read it. A claim's value is JSON where it is one, else a string, so that
 * `admin=true` and `room=lobby` both mean what they say. A token lives an hour unless --exp says
 * otherwise: one without an end would be valid for ever, and cannot be taken back. */
#include "cli.h"

#include "auth/jwt.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX (64 * 1024)
#define EXP_S 3600

struct token {
    json_t *claims;
    int64_t exp; /* seconds from now; 0: not given */
    const char *alg;
    enum { FROM_NOWHERE, FROM_SECRET_ENV, FROM_SECRET_FILE, FROM_KEY_FILE } from;
    const char *name; /* of the variable or file */
};

/* --- options --- */

/* Of a claim that came twice nobody can say which was meant. */
static int refuse_twice(const char *option, const char *given, const char *name) {
    return cli_usage("token", "%s %s: the claim %s is given twice; give it once", option, given,
                     name);
}

/* Takes `value`; NULL: it is not UTF-8. */
static int set_claim(struct token *token, const char *option, const char *given, const char *name,
                     json_t *value) {
    if (value && json_object_get(token->claims, name)) {
        json_decref(value);
        return refuse_twice(option, given, name);
    }
    if (!value || json_object_set_new(token->claims, name, value) < 0)
        return cli_usage("token", "%s %s: it is not UTF-8", option, given);
    return 0;
}

static json_t *value_of(struct str name, struct str text) {
    json_error_t error;
    json_t *json = NULL;
    if (!str_eq(name, STR("sub"))) /* always a string (RFC 7519 section 4.1.2) */
        json = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    return json ? json : json_stringn(text.ptr, text.len);
}

static int add_claim(struct token *token, const char *given) {
    struct str rest = str_of(given), name = str_cut(&rest, '=');
    if (!rest.ptr || name.len == 0)
        return cli_usage("token", "--claim %s: expected NAME=VALUE, such as role=admin", given);
    char *key = mem_copy(name.ptr, name.len);
    int rc = set_claim(token, "--claim", given, key, value_of(name, rest));
    free(key);
    return rc;
}

static int set_sub(struct token *token, const char *given) {
    return set_claim(token, "--sub", given, "sub", json_string(given));
}

/* A number and its unit. */
static int set_exp(struct token *token, const char *value) {
    static const struct {
        char unit;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t n = strlen(value);
    uint64_t count;
    if (token->exp)
        return refuse_twice("--exp", value, "exp");
    for (size_t i = 0; n > 1 && i < sizeof units / sizeof *units; i++) {
        if (value[n - 1] != units[i].unit || str_to_u64((struct str){value, n - 1}, &count) < 0 ||
            count < 1 || count > 1000000000)
            continue;
        token->exp = (int64_t)count * units[i].seconds;
        return 0;
    }
    return cli_usage("token", "--exp %s: expected a span of time, such as 90s, 15m, 1h or 7d",
                     value);
}

static int set_alg(struct token *token, const char *value) {
    token->alg = value;
    return 0;
}

static int set_key(struct token *token, int from, const char *value) {
    if (token->from != FROM_NOWHERE)
        return cli_usage("token", "give one of --secret-env, --secret-file and --key-file");
    token->from = from;
    token->name = value;
    return 0;
}

static int set_secret_env(struct token *token, const char *value) {
    return set_key(token, FROM_SECRET_ENV, value);
}

static int set_secret_file(struct token *token, const char *value) {
    return set_key(token, FROM_SECRET_FILE, value);
}

static int set_key_file(struct token *token, const char *value) {
    return set_key(token, FROM_KEY_FILE, value);
}

static const struct option {
    const char *name;
    int (*set)(struct token *token, const char *value);
} options[] = {{"--sub", set_sub},
               {"--claim", add_claim},
               {"--exp", set_exp},
               {"--alg", set_alg},
               {"--secret-env", set_secret_env},
               {"--secret-file", set_secret_file},
               {"--key-file", set_key_file}};

/* One option, "--name value" or "--name=value"; `*at` moves on. */
static int parse_option(struct token *token, int argc, char **argv, int *at) {
    const char *given = argv[*at];
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        size_t n = strlen(options[i].name);
        if (strncmp(given, options[i].name, n) != 0 || (given[n] != '=' && given[n] != '\0'))
            continue;
        if (given[n] == '=')
            return options[i].set(token, given + n + 1);
        if (*at + 1 == argc)
            return cli_usage("token", "%s needs a value", given);
        return options[i].set(token, argv[++*at]);
    }
    return cli_usage("token", "unknown argument %s", given);
}

static int parse_options(struct token *token, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        int rc = parse_option(token, argc, argv, &i);
        if (rc != 0)
            return rc;
    }
    if (token->exp && json_object_get(token->claims, "exp"))
        return cli_usage("token",
                         "the claim exp is given twice, by --exp and --claim; give it once");
    if (token->from == FROM_NOWHERE)
        return cli_usage("token", "which key? --secret-env NAME, --secret-file FILE or "
                                  "--key-file FILE");
    if (token->from == FROM_KEY_FILE && !token->alg)
        return cli_usage("token", "--key-file needs the algorithm: --alg RS256, say, or ES256");
    return 0;
}

/* --- the key --- */

/* Without the newline that an editor or `echo` leaves at the end: an environment variable with the
 * same secret has none. */
static struct str without_newline(struct str s) {
    if (s.len > 0 && s.ptr[s.len - 1] == '\n')
        s.len--;
    if (s.len > 0 && s.ptr[s.len - 1] == '\r')
        s.len--;
    return s;
}

static struct key *key_of_secret(const struct alg *alg, struct str secret, struct reason *why) {
    struct reason advice;
    if (key_secret_is_short(alg, secret.len, &advice))
        fprintf(stderr, "weir: %s\n", advice.text);
    return key_from_secret(alg, secret, why);
}

static struct key *read_key(const struct token *token, const struct alg *alg, struct reason *why) {
    struct buf bytes = {0};
    if (token->from == FROM_SECRET_ENV) {
        const char *value = getenv(token->name);
        if (value)
            return key_of_secret(alg, str_of(value), why);
        reason_set(why, -1, "there is no environment variable of that name");
        return NULL;
    }
    int rc = file_read_all(token->name, KEY_BYTES_MAX, &bytes);
    if (rc < 0) {
        reason_set(why, rc, "%s", file_why(rc));
        return NULL;
    }
    struct str text = buf_str(&bytes);
    struct key *key = token->from == FROM_KEY_FILE ? key_from_pem(alg, text, why)
                                                   : key_of_secret(alg, without_newline(text), why);
    if (bytes.len > 0)
        explicit_bzero(bytes.data, bytes.len);
    buf_fini(&bytes);
    return key;
}

/* --- the token --- */

/* What --claim set stays. */
static void add_times(struct token *token) {
    json_t *claims = token->claims;
    int64_t now = clock_wall_s();
    if (!json_object_get(claims, "iat"))
        json_object_set_new(claims, "iat", json_integer(now));
    if (!json_object_get(claims, "exp"))
        json_object_set_new(claims, "exp", json_integer(now + (token->exp ? token->exp : EXP_S)));
}

static int print_token(const struct token *token, const struct key *key) {
    char *claims = json_dumps(token->claims, JSON_COMPACT);
    struct buf text = {0};
    struct reason why;
    int rc = jwt_sign(key, STR(""), str_of(claims), &text, &why);
    if (rc == 0)
        printf("%.*s\n", STR_ARG(buf_str(&text)));
    else
        rc = cli_fail("%s", why.text);
    buf_fini(&text);
    free(claims);
    return rc;
}

static int make_token(struct token *token) {
    struct reason why;
    const struct alg *alg = alg_find(str_of(token->alg ? token->alg : "HS256"));
    if (!alg)
        return cli_usage("token", "--alg %s: expected one of %s", token->alg, alg_names());
    struct key *key = read_key(token, alg, &why);
    if (!key)
        return cli_fail("%s: %s", token->name, why.text);
    add_times(token);
    int rc = print_token(token, key);
    key_free(key);
    return rc;
}

int cli_token(int argc, char **argv) {
    struct token token = {.claims = json_object()};
    int rc = parse_options(&token, argc, argv);
    if (rc == 0)
        rc = make_token(&token);
    json_decref(token.claims);
    return rc;
}
