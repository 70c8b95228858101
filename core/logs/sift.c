/* sift: the rules by which lines are wanted or not, asked for each line before it costs more.
 *
 *     include: all of them hold     text | level or worse | field of JSON is | pattern matches
 *     exclude: none of them holds
 *
 * Of a line that says no level (level.c), no rule about levels holds.
 *
 * A pattern that reaches its limit (pattern.c) does not match.
 *
 * Owned by a reader, used on its thread. It knows of no files. */
#include "logs/sift.h"

#include "base/log.h"
#include "base/mem.h"
#include "logs/json_field.h"
#include "logs/needle.h"
#include "logs/pattern.h"
#include "logs/tells.h"

#include <stdio.h>
#include <stdlib.h>

struct rule {
    enum sift_kind kind;
    bool exclude;
    char *text, *value;
    size_t text_len, value_len;
    enum level level;
    struct needle needle; /* of SIFT_TEXT */
    struct pattern *pattern;
};

struct sift {
    struct rule rules[SIFT_RULES];
    size_t n;
    struct buf room;
    struct buf key;
    bool said_limit;
};

/* ---- the rules --------------------------------------------------------------------------------*/

static struct log_kind slow = LOG_KIND("patterns that take too many steps");

static bool matches(struct sift *sift, const struct rule *rule, struct str line) {
    size_t start, end;
    enum pattern_found found = pattern_find(rule->pattern, line, 0, &start, &end);
    if (found == PATTERN_LIMIT_REACHED && !sift->said_limit) {
        sift->said_limit = true;
        if (log_admits(&slow, LOG_WARN))
            log_warn("logs: the pattern %s takes too many steps for some lines, which it does not "
                     "match therefore",
                     rule->text);
    }
    return found == PATTERN_FOUND;
}

static bool holds(struct sift *sift, const struct rule *rule, struct str line) {
    struct str value;
    switch (rule->kind) {
    case SIFT_TEXT:
        return needle_find(&rule->needle, line) != NULL;
    case SIFT_LEVEL:
        return tells_level(line) >= rule->level;
    case SIFT_FIELD:
        return json_field(line, (struct str){rule->text, rule->text_len}, &sift->room, &value) &&
               str_eq(value, (struct str){rule->value, rule->value_len});
    default:
        return matches(sift, rule, line);
    }
}

bool sift_wants(struct sift *sift, struct str line) {
    for (size_t i = 0; i < sift->n; i++)
        if (holds(sift, &sift->rules[i], line) == sift->rules[i].exclude)
            return false;
    return true;
}

/* ---- its life ---------------------------------------------------------------------------------*/

struct str sift_key(const struct sift *sift) {
    return buf_str(&sift->key);
}

struct sift *sift_new(void) {
    return mem_zalloc(sizeof(struct sift));
}

void sift_free(struct sift *sift) {
    if (sift == NULL)
        return;
    for (size_t i = 0; i < sift->n; i++) {
        free(sift->rules[i].text);
        free(sift->rules[i].value);
        needle_fini(&sift->rules[i].needle);
        pattern_free(sift->rules[i].pattern);
    }
    buf_fini(&sift->room);
    buf_fini(&sift->key);
    free(sift);
}

static int refuse(char *why, size_t n, const char *what) {
    snprintf(why, n, "%s", what);
    return -1;
}

int sift_add(struct sift *sift, const struct sift_rule *asked, char *why, size_t n) {
    if (sift->n == SIFT_RULES)
        return refuse(why, n, "there are 32 rules at most");
    if (asked->text.len == 0 || asked->text.len > SIFT_TEXT_BYTES ||
        asked->value.len > SIFT_TEXT_BYTES)
        return refuse(why, n, "a rule's texts have 1 to 1024 bytes");
    enum level level = asked->kind == SIFT_LEVEL ? level_of_word(asked->text) : LEVEL_NONE;
    if (asked->kind == SIFT_LEVEL && level == LEVEL_NONE)
        return refuse(why, n, "the levels are trace, debug, info, warn, error and fatal");
    struct rule *rule = &sift->rules[sift->n++];
    *rule = (struct rule){
        .kind = asked->kind,
        .exclude = asked->exclude,
        .text = mem_copy(asked->text.ptr, asked->text.len),
        .text_len = asked->text.len,
        .value = mem_copy(asked->value.len ? asked->value.ptr : "", asked->value.len),
        .value_len = asked->value.len,
        .level = level,
    };
    buf_printf(&sift->key, "%d%d%d %zu %zu ", asked->kind, asked->exclude, asked->cased,
               asked->text.len, asked->value.len);
    buf_add(&sift->key, asked->text);
    buf_add(&sift->key, asked->value);
    if (asked->kind == SIFT_TEXT)
        needle_init(&rule->needle, asked->text, asked->cased);
    if (asked->kind == SIFT_PATTERN)
        rule->pattern = pattern_new(asked->text, asked->cased, why, n);
    return asked->kind == SIFT_PATTERN && rule->pattern == NULL ? -1 : 0;
}
