/* Searching a log backward and reading it forward, drawn from numbers, against a model that has all
 * of its bytes, cuts them by the rules and asks the sift about each piece. */
#include "search/backward.h"
#include "search/forward.h"
#include "tail_rig.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define VOLUMES 3
#define SEEDS 1500

/* ---- chance -----------------------------------------------------------------------------------*/

static uint64_t dice;

static unsigned roll(unsigned n) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % n;
}

static struct str draw_text(void) {
    static const struct str texts[] = {
        STR("timed out"),
        STR("TIMED OUT"),
        STR("error "),
        STR("warn"),
        STR(" 500 "),
        STR("404"),
        STR("took 12 ms"),
        STR(" "),
        STR("\t"),
        STR("\r"),
        STR("\0"),
        STR("\xff"),
        STR("\xc3\xa9"),
        STR("\xe2\x84\xaa"),
        STR("\xe2\x82"),
        STR("k"),
        STR("\""),
        STR("{\"a\":1}"),
        STR("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        STR("\xf0\x9f\x98\x80"),
        STR("0"),
        STR("\\u0041"),
        STR("ab"),
        STR("\r\r"),
    };
    return texts[roll(sizeof texts / sizeof *texts)];
}

/* Atoms with quantifiers, which need not make a pattern that compiles. */
static struct str draw_pattern(void) {
    static const char *const atoms[] = {
        "a",      "x",       "k",         "0",        "o",      " ",     "\\s",   "\\S",
        "\\d",    "\\w",     "\\W",       "\\D",      ".",      "[^x]",  "[ab]",  "[^\\d\"]",
        "[\\s0]", "(?:a|b)", "(k|0|\\s)", "^",        "$",      "\\b",   "(?=0)", "(?!x)",
        "\\.",    "\"",      "\\r",       "\xc3\xa9", "[^\\s]", "(?>x)", "(?i)",  "\\0"};
    static const char *const quantifiers[] = {"",  "",    "",      "*",  "+",
                                              "?", "{2}", "{0,2}", "*?", "++"};
    static char text[64];
    text[0] = '\0';
    for (unsigned n = 1 + roll(4); n > 0; n--) {
        strcat(text, atoms[roll(sizeof atoms / sizeof *atoms)]);
        strcat(text, quantifiers[roll(sizeof quantifiers / sizeof *quantifiers)]);
        strcat(text, n > 1 && roll(5) == 0 ? "|" : "");
    }
    return str_of(text);
}

static void draw_rule(struct sift_rule *rule) {
    static const char *const found[] = {"timed out", "500", "k",  "x",         "ab",
                                        "\xc3\xa9",  "\r",  "xx", "took 12 ms"};
    static const char *const patterns[] = {
        "timed\\s+out", "\\d+ ms",     "[^x]+k",    "^error",       "out$",      "\\bab\\b",
        "(?<!x)ab",     "a*",          "\\x{212a}", "(?:4|5)0[04]", "[\"k]",     "\\W4",
        ".ab",          "x++a",        "\\s$",      "[^\\s]k",      "\\D\\d\\D", "(a|b){2,3}",
        "\\S+ \\S+",    "[^\"]*\"",    "k.+k",      "\\.",          "e?r{2}o",   "(?!x)0",
        "^$",           "[\\d\\s]{3}", ".",         "\\r",          "x{20}.",    "([^0]+0)+5",
        "\\Z",          "[[:space:]]", "\xc3\xa9+", "a|",
    };
    static const char *const levels[] = {"warn", "error", "info"};
    *rule = (struct sift_rule){.exclude = roll(4) == 0, .cased = roll(2)};
    switch (roll(8)) {
    case 0:
        rule->kind = SIFT_LEVEL;
        rule->text = str_of(levels[roll(3)]);
        return;
    case 1:
        rule->kind = SIFT_FIELD;
        rule->text = STR("a");
        rule->value = STR("1");
        return;
    case 2:
    case 3:
    case 4:
        rule->kind = SIFT_TEXT;
        rule->text = str_of(found[roll(sizeof found / sizeof *found)]);
        return;
    default:
        rule->kind = SIFT_PATTERN;
        rule->text =
            roll(2) ? draw_pattern() : str_of(patterns[roll(sizeof patterns / sizeof *patterns)]);
    }
}

/* ---- the model --------------------------------------------------------------------------------*/

struct piece {
    size_t volume, from, to;
    size_t text, len;
    bool cut;
};

struct log {
    char folder[64], path[96];
    struct buf bytes[VOLUMES]; /* the last one is under the path */
    size_t max_line, room;
    struct sift *sift;
    struct prefilter *prefilter;
    struct redact *redact; /* NULL: none */
    struct piece *wanted;
    size_t n;
    size_t n_read; /* and the pieces of a last line that goes on, for who reads forward */
};

static void want(struct log *log, size_t volume, size_t from, size_t to, struct str text,
                 bool cut) {
    /* PCRE2 10.42 looks for a \b behind the end of what is not UTF-8: there is an LF, as in a block. */
    char *alone = mem_alloc(text.len + 1);
    memcpy(alone, text.ptr, text.len);
    alone[text.len] = '\n';
    struct str shown = {alone, text.len};
    if (log->redact)
        shown = redact_line(log->redact, shown, cut);
    bool wanted = sift_wants(log->sift, shown);
    free(alone);
    if (!wanted)
        return;
    log->wanted = mem_resize(log->wanted, (log->n + 1) * sizeof *log->wanted);
    log->wanted[log->n++] = (struct piece){
        volume, from, to, (size_t)(text.ptr - log->bytes[volume].data), text.len, cut};
}

/* One line, `n` bytes of it content and `end` its end. */
static void cut_line(struct log *log, size_t volume, size_t from, size_t n, size_t end) {
    const char *bytes = log->bytes[volume].data;
    bool pieces = n > log->max_line;
    while (n > log->max_line) {
        size_t part = rig_piece(bytes + from, n, log->max_line);
        want(log, volume, from, from + part, (struct str){bytes + from, part}, true);
        from += part;
        n -= part;
    }
    want(log, volume, from, from + n + end, (struct str){bytes + from, n}, pieces);
}

static void cut_volume(struct log *log, size_t volume) {
    struct str all = buf_str(&log->bytes[volume]);
    size_t from = 0;
    for (size_t i = 0; i < all.len; i++) {
        if (all.ptr[i] != '\n')
            continue;
        size_t cr = i > from && all.ptr[i - 1] == '\r';
        cut_line(log, volume, from, i - from - cr, 1 + cr);
        from = i + 1;
    }
    if (from < all.len && volume < VOLUMES - 1)
        cut_line(log, volume, from, all.len - from, 0);
    size_t n = log->n;
    while (volume == VOLUMES - 1 &&
           all.len - from > log->max_line + (all.ptr[all.len - 1] == '\r')) {
        size_t part = rig_piece(all.ptr + from, all.len - from, log->max_line);
        want(log, volume, from, from + part, (struct str){all.ptr + from, part}, true);
        from += part;
    }
    log->n_read = log->n;
    log->n = volume == VOLUMES - 1 ? n : log->n;
}

/* ---- the log ----------------------------------------------------------------------------------*/

static void write_volume(const struct log *log, size_t i) {
    static const char *const names[][2] = {
        {"log.2", "log.2.gz"}, {"log.1", "log.1.gz"}, {"log", "log"}};
    bool packed = i < VOLUMES - 1 && roll(2);
    struct timespec times[2] = {{.tv_sec = 1000 + (time_t)i}, {.tv_sec = 1000 + (time_t)i}};
    char path[128];
    snprintf(path, sizeof path, "%s/%s", log->folder, names[i][packed]);
    if (packed) {
        gzFile file = gzopen(path, "wb1");
        gzwrite(file, log->bytes[i].data, (unsigned)log->bytes[i].len);
        gzclose(file);
    } else {
        FILE *file = fopen(path, "wb");
        fwrite(log->bytes[i].data, 1, log->bytes[i].len, file);
        fclose(file);
    }
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void draw_folder(struct log *log) {
    strcpy(log->folder, "/tmp/weir-search-XXXXXX");
    assert_non_null(mkdtemp(log->folder));
    snprintf(log->path, sizeof log->path, "%s/log", log->folder);
}

/* Whether a sift takes it; one that does not is not to be used any more. */
static bool is_rule(const struct sift_rule *rule) {
    struct sift *sift = sift_new();
    char why[256];
    int rc = sift_add(sift, rule, why, sizeof why);
    sift_free(sift);
    return rc == 0;
}

static struct redact *draw_redact(void) {
    static const struct {
        struct str pattern, with;
    } rules[] = {{STR("o"), STR("xx")}, {STR("\\d+"), STR("k")},  {STR("t"), STR("")},
                 {STR(" "), STR("ab")}, {STR("err"), STR("500")}, {STR("time"), STR("#")}};
    struct redact *redact = redact_new();
    char why[256];
    for (unsigned n = 1 + roll(2); n > 0; n--) {
        size_t i = roll(sizeof rules / sizeof *rules);
        assert_int_equal(redact_add(redact, rules[i].pattern, rules[i].with, why, sizeof why), 0);
    }
    return redact;
}

static void draw_log(struct log *log) {
    static const char *const begins[] = {"oldest\n", "older\n", "now\n"};
    *log = (struct log){.max_line = roll(4) ? 1 + roll(60) : 1 + roll(3)};
    log->room = 2 * log->max_line + 4 + roll(roll(2) ? 20 : 400);
    draw_folder(log);
    for (size_t i = 0; i < VOLUMES; i++) {
        buf_add(&log->bytes[i], str_of(begins[i]));
        for (unsigned n = roll(60); n > 0; n--)
            if (roll(3))
                buf_add(&log->bytes[i], draw_text());
            else
                buf_add(&log->bytes[i], roll(3) ? STR("\n") : STR("\r\n"));
        write_volume(log, i);
    }
    log->redact = roll(3) ? NULL : draw_redact();
    log->sift = sift_new();
    log->prefilter = prefilter_new();
    for (unsigned n = roll(3); n > 0; n--) {
        struct sift_rule rule;
        char why[256];
        do
            draw_rule(&rule);
        while (!is_rule(&rule));
        assert_int_equal(sift_add(log->sift, &rule, why, sizeof why), 0);
        if (log->redact == NULL ||
            (rule.kind == SIFT_TEXT && redact_only_hides(log->redact, rule.text)))
            prefilter_add(log->prefilter, &rule);
    }
    for (size_t i = 0; i < VOLUMES; i++)
        cut_volume(log, i);
}

static void drop_log(struct log *log) {
    static const char *const names[] = {"log", "log.1", "log.2", "log.1.gz", "log.2.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", log->folder, names[i]);
        unlink(path);
    }
    rmdir(log->folder);
    for (size_t i = 0; i < VOLUMES; i++)
        buf_fini(&log->bytes[i]);
    redact_free(log->redact);
    sift_free(log->sift);
    prefilter_free(log->prefilter);
    free(log->wanted);
}

static void open_log(struct log *log, struct reading *reading, size_t volumes) {
    *reading = (struct reading){.room = log->room, .most = 1 + roll(5)};
    reading->pick = (struct pick){.prefilter = roll(4) ? log->prefilter : NULL,
                                  .sift = log->sift,
                                  .redact = log->redact,
                                  .max_line = log->max_line,
                                  .since = STAMP_NONE,
                                  .before = STAMP_NONE};
    assert_int_equal(reading_open(reading, log->path), 0);
    assert_int_equal(reading->volumes.n, volumes);
}

static void check(const struct log *log, size_t at, const struct reading *reading,
                  const struct match *match, size_t volume) {
    if (at >= log->n_read)
        fail_msg("more than the %zu that are wanted: %.*s at %lu in volume %zu", log->n_read,
                 STR_ARG(matches_line(&reading->matches, match)), (unsigned long)match->from,
                 volume);
    const struct piece *wanted = &log->wanted[at];
    struct str text = {log->bytes[wanted->volume].data + wanted->text, wanted->len};
    if (log->redact)
        text = redact_line(log->redact, text, wanted->cut);
    if (!str_eq(matches_line(&reading->matches, match), text))
        fail_msg("%zu: got %.*s at %lu-%lu, want %.*s at %zu of %zu, pieces of %zu", at,
                 STR_ARG(matches_line(&reading->matches, match)), (unsigned long)match->from,
                 (unsigned long)match->to, STR_ARG(text), wanted->from, wanted->volume,
                 log->max_line);
    assert_int_equal(volume, wanted->volume);
    assert_int_equal(match->from, wanted->from);
    assert_int_equal(match->to, wanted->to);
    assert_int_equal(match->cut, wanted->cut);
}

/* ---- */

/* Backward, a few at a time, each time begun anew at the place where the last one ended. */
static void backward_all(struct log *log) {
    struct reading reading;
    struct backward backward;
    size_t left = log->n, volume = 0;
    uint64_t offset = 0;
    int begin = -1, rc = 1;

    while (rc > 0) {
        open_log(log, &reading, VOLUMES);
        backward_begin(&backward, &reading, begin, offset);
        for (unsigned some = 1 + roll(6); some > 0 && rc > 0; some--) {
            while (!backward_has(&backward) && (rc = backward_step(&backward)) > 0)
                ;
            assert_true(rc >= 0);
            if (!backward_has(&backward))
                break;
            assert_true(left > 0);
            check(log, --left, &reading, matches_newest(&reading.matches), backward.found_in);
            volume = backward.found_in;
            offset = matches_newest(&reading.matches)->from;
            matches_drop_newest(&reading.matches);
        }
        if (rc > 0 && !backward_has(&backward))
            assert_true(backward_place(&backward, &volume, &offset));
        begin = (int)volume;
        reading_close(&reading);
    }
    assert_int_equal(left, 0);
}

static void read_all(struct log *log) {
    struct reading reading;
    struct forward forward;
    size_t at = 0, volume = 0;
    uint64_t offset = 0;
    int begin = -1, rc = 1;

    while (rc > 0) {
        open_log(log, &reading, VOLUMES);
        forward_begin(&forward, &reading, begin, offset);
        for (unsigned some = 1 + roll(6); some > 0 && rc > 0; some--) {
            while (!forward_has(&forward) && (rc = forward_step(&forward)) > 0)
                ;
            assert_true(rc >= 0);
            if (!forward_has(&forward))
                break;
            check(log, at++, &reading, matches_oldest(&reading.matches), forward.found_in);
            volume = forward.found_in;
            offset = matches_oldest(&reading.matches)->to;
            matches_drop_oldest(&reading.matches);
        }
        begin = (int)volume;
        reading_close(&reading);
    }
    assert_int_equal(at, log->n_read);
}

static void test_drawn(void **state) {
    const char *one = getenv("SEARCH_SEED");
    (void)state;
    for (uint64_t seed = one ? strtoull(one, NULL, 10) : 1; seed <= (one ? seed : SEEDS); seed++) {
        struct log log;
        dice = seed * 1000003;
        if (one)
            print_message("seed %lu\n", (unsigned long)seed);
        draw_log(&log);
        backward_all(&log);
        read_all(&log);
        drop_log(&log);
        if (one)
            break;
    }
}

/* What redaction makes of a block is not kept all at once. */
static void test_much_of_little(void **state) {
    char why[256], with[1000];
    struct log log = {.max_line = 1000, .room = 262144};
    struct reading reading;
    struct forward forward;
    int n = 0, rc = 1;
    (void)state;
    draw_folder(&log);
    for (int i = 0; i < 20000; i++)
        buf_add(&log.bytes[VOLUMES - 1], STR("x\n"));
    write_volume(&log, VOLUMES - 1);
    memset(with, 'y', sizeof with);
    struct redact *redact = redact_new();
    assert_int_equal(redact_add(redact, STR("x"), (struct str){with, sizeof with}, why, sizeof why),
                     0);
    open_log(&log, &reading, 1);
    reading.pick.redact = redact;
    forward_begin(&forward, &reading, -1, 0);
    while (rc > 0) {
        while (!forward_has(&forward) && (rc = forward_step(&forward)) > 0)
            ;
        assert_true(reading.matches.text.len <= MATCHES_BYTES + sizeof with);
        for (; forward_has(&forward); n++)
            matches_drop_oldest(&reading.matches);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(n, 20000);
    reading_close(&reading);
    redact_free(redact);
    drop_log(&log);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn),
                                              cmocka_unit_test(test_much_of_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
