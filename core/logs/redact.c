/* redact: the rules by which secrets are taken out of a line, before anybody or anything sees it:
 * who filters by a text that was taken out finds nothing, or else could guess it letter by letter.
 *
 *     GET /?token=abc1 by ann@example.org   ->   GET /?token=*** by ***
 *
 * The presets know what is a secret wherever it stands:
 *
 *     tokens      JSON Web Tokens; what follows Bearer, or an Authorization; the values of names
 *                 that contain password, secret, token, api_key and the like, in key=value, key:
 *                 value, JSON and queries; who logs in by a URL; what begins as services' keys do
 *     addresses   e-mail, IPv4, IPv6
 *
 * Rules are asked in their order, each of what the one before has left. It is a line that they are
 * sure of: where a pattern reaches its limit (pattern.c), where what it leaves would be larger than
 * OUT_MOST, and where the line is too long to be seen as a whole, nobody knows what else there is,
 * and all of it is withheld.
 *
 * Nearly no line has a secret, so each preset first looks for a character without which there can
 * be none. Owned by a weir.logs, used on its thread. */
#include "logs/redact.h"

#include "base/mem.h"
#include "base/must.h"
#include "logs/needle.h"
#include "logs/pattern.h"

#include <stdio.h>

#define PRESET_RULES 8
#define OUT_MOST (4u << 20)

#define NAME "(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key)[\\w-]*+"

/* Where what began like a secret is none, nothing that begins within it is one either: else a line
 * full of beginnings would be read from each of them to its end. */
#define GIVE_UP "|(*SKIP)(*FAIL)"

static const struct preset {
    const char *name;
    const char *needle; /* the line has this, or nothing to take out */
    const char *pattern;
} presets[] = {
    {"tokens", "eyJ", "(?-i)eyJ[\\w-]++(?:(?:\\.[\\w-]++|\\.(?=\\.)){1,4}" GIVE_UP ")"},
    {"tokens", " ", "\\bbearer\\s++\\K[\\w.~+/=-]++"},
    {"tokens", " ", "\\bauthorization[\"']?\\s*+[:=]\\s*+[\"']?\\w++\\s++\\K[^\\s\"',]++"},
    {"tokens", "=",
     NAME "(?:=(?:\"\\K(?:[^\"\\\\]|\\\\.)*+|'\\K[^']*+|\\K[^\\s&;,\"'<>#})\\]\\\\]++)" GIVE_UP
          ")"},
    {"tokens", ":",
     NAME
     "(?:(?:\\\\*+[\"'])?\\s*+:\\s*+(?:\"\\K(?:[^\"\\\\]|\\\\.)*+|'\\K[^']*+|\\\\++[\"']\\K[^\"'"
     "\\\\]++|"
     "\\K[^\\s&;,\"'<>})\\]\\\\\\[{]++)" GIVE_UP ")"},
    {"tokens", "://", "://\\K[^\\s/?#\"'<>]*(?=@)"},
    {"tokens", "",
     "(?-i)\\b(?:A[KS]IA[A-Z0-9]{16}|gh[opsur]_\\w{20,}+|github_pat_\\w{20,}+|glpat-[\\w-]{20,}+|"
     "xox[a-z]-[\\w-]{10,}+|[sr]k_live_\\w{10,}+)"},
    {"addresses", "@", "(?<![\\w.%+-])[\\w.%+-]++@[a-z0-9-]++(?:\\.[a-z0-9-]++)*+"},
    {"addresses", ".", "(?<!\\d)(?<!\\d\\.)(?:\\d{1,3}+\\.){3}\\d{1,3}+(?!\\.?\\d)"},
    {"addresses", ":",
     "(?<![\\w:])(?=[0-9a-f:]*?(?:::|(?::[0-9a-f]{1,4}+){7}))[0-9a-f]{0,4}+(?::[0-9a-f]{0,4}+){2,8}"
     "(?:%\\w++)?"},
};

struct rule {
    struct pattern *pattern;
    const char *needle;
    char *with;
    size_t with_len;
};

struct redact {
    struct rule rules[REDACT_RULES + sizeof presets / sizeof *presets];
    size_t n, own;      /* of all, of those that are not presets */
    struct buf room[2]; /* what a rule has left, what the one before has */
};

struct redact *redact_new(void) {
    return mem_zalloc(sizeof(struct redact));
}

void redact_free(struct redact *redact) {
    if (redact == NULL)
        return;
    for (size_t i = 0; i < redact->n; i++) {
        pattern_free(redact->rules[i].pattern);
        free(redact->rules[i].with);
    }
    buf_fini(&redact->room[0]);
    buf_fini(&redact->room[1]);
    free(redact);
}

static void add(struct redact *redact, struct pattern *pattern, const char *needle,
                struct str with) {
    redact->rules[redact->n++] = (struct rule){.pattern = pattern,
                                               .needle = needle,
                                               .with = mem_copy(with.len ? with.ptr : "", with.len),
                                               .with_len = with.len};
}

bool redact_preset(struct redact *redact, struct str name) {
    char why[256];
    bool known = false;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        const struct preset *preset = &presets[i];
        if (!str_eq(name, str_of(preset->name)))
            continue;
        struct pattern *pattern = pattern_new(str_of(preset->pattern), false, why, sizeof why);
        MUST(pattern);
        pattern_trust(pattern);
        known = true;
        add(redact, pattern, preset->needle, STR("***"));
    }
    return known;
}

static int refuse(char *why, size_t n, const char *what) {
    snprintf(why, n, "%s", what);
    return -1;
}

int redact_add(struct redact *redact, struct str text, struct str with, char *why, size_t n) {
    size_t start, end;
    if (redact->own == REDACT_RULES)
        return refuse(why, n, "there are 32 patterns at most");
    if (text.len == 0 || text.len > REDACT_TEXT_BYTES || with.len > REDACT_TEXT_BYTES)
        return refuse(why, n, "a pattern has 1 to 1024 bytes, and what replaces it 1024 at most");
    struct pattern *pattern = pattern_new(text, true, why, n);
    if (pattern == NULL)
        return -1;
    if (pattern_find(pattern, STR(""), 0, &start, &end) == PATTERN_FOUND) {
        pattern_free(pattern);
        return refuse(why, n, "the pattern matches nothing at all, too, which is everywhere");
    }
    redact->own++;
    add(redact, pattern, "", with);
    return 0;
}

/* Behind the character at `at`. */
static size_t behind(struct str line, size_t at) {
    do
        at++;
    while (at < line.len && ((unsigned char)line.ptr[at] & 0xc0) == 0x80);
    return at;
}

/* Has `line` without what the rule takes out, in `out` if that is anything. False: nobody knows. */
static bool apply(const struct rule *rule, struct str *line, struct buf *out) {
    size_t copied = 0, from = 0, start, end;
    enum pattern_found found = PATTERN_NONE;

    out->len = 0;
    while (from <= line->len && out->len <= OUT_MOST &&
           (found = pattern_find(rule->pattern, *line, from, &start, &end)) == PATTERN_FOUND) {
        if (start < copied || start > end) /* \K in a place where it has no sense */
            return false;
        buf_append(out, line->ptr + copied, start - copied);
        buf_append(out, rule->with, rule->with_len);
        copied = end;
        from = end > start ? end : behind(*line, end);
    }
    if (found == PATTERN_LIMIT_REACHED || out->len > OUT_MOST)
        return false;
    if (copied == 0 && out->len == 0)
        return true;
    buf_append(out, line->ptr + copied, line->len - copied);
    *line = buf_str(out);
    return true;
}

static struct str withhold(bool cut) {
    return cut ? STR("[withheld: a piece of a line that is too long to be redacted]")
               : STR("[withheld: a rule of redaction takes too many steps for this line]");
}

/* Whether they have a byte in common, the case of letters apart. */
static bool share(struct str a, struct str b) {
    for (size_t i = 0; i < a.len; i++)
        for (size_t k = 0; k < b.len; k++)
            if (str_ieq((struct str){a.ptr + i, 1}, (struct str){b.ptr + k, 1}))
                return true;
    return false;
}

/* What stands in a redacted line stands in a piece that is left of it, as long as between two
 * pieces there is something, and nothing of that is in the text. */
bool redact_only_hides(const struct redact *redact, struct str text) {
    struct needle needle;
    needle_init(&needle, text, false);
    bool hides = !needle_find(&needle, withhold(true)) && !needle_find(&needle, withhold(false));
    needle_fini(&needle);
    for (size_t i = 0; hides && i < redact->n; i++) {
        struct str with = {redact->rules[i].with, redact->rules[i].with_len};
        hides = with.len > 0 && !share(text, with);
    }
    return hides;
}

struct str redact_line(struct redact *redact, struct str line, bool cut) {
    unsigned room = 0;

    if (cut && redact->n > 0)
        return withhold(true);
    for (size_t i = 0; i < redact->n; i++) {
        const struct rule *rule = &redact->rules[i];
        const char *before = line.ptr;
        if (line.len == 0 || !memmem(line.ptr, line.len, rule->needle, strlen(rule->needle)))
            continue;
        if (!apply(rule, &line, &redact->room[room]))
            return withhold(false);
        if (line.ptr != before)
            room ^= 1;
    }
    return line;
}
