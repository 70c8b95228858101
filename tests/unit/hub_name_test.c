/* The tree of names: splits, order and release one by one, then at random against a sorted array;
 * and which names topics may have. */
#include "hub/name.h"

#include "hub/crowd.h"
#include "hub/hub.h"
#include "table.h"

#include <stdio.h>

/* The tree looks only at whether there is a topic. */
static char a_topic;

static struct name *root;

static int setup(void **state) {
    (void)state;
    root = name_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    int left = root->nchildren;
    free(root);
    return left;
}

static struct name *put(struct str text) {
    struct name *name = name_get(root, text);
    name->topic = (struct topic *)&a_topic;
    return name;
}

static void take(struct name *name) {
    name->topic = NULL;
    name_release(name);
}

static void assert_text(const struct name *name, struct str text) {
    char out[NAME_MAX_BYTES];
    size_t n = name_text(name, out);
    assert_true(str_eq((struct str){out, n}, text));
}

static void names_share_what_they_begin_with(void **state) {
    (void)state;
    struct name *a = put(STR("user/12")), *b = put(STR("user/13")), *c = put(STR("user/1"));
    struct name *d = put(STR("user/12/inbox"));
    assert_text(a, STR("user/12"));
    assert_text(b, STR("user/13"));
    assert_text(c, STR("user/1"));
    assert_text(d, STR("user/12/inbox"));
    assert_ptr_equal(a->parent, c);
    assert_ptr_equal(b->parent, c);
    assert_ptr_equal(d->parent, a);
    assert_ptr_equal(name_find(root, STR("user/12")), a);
    assert_ptr_equal(name_get(root, STR("user/12")), a);
    assert_ptr_equal(name_find(root, STR("")), root);
    assert_null(name_find(root, STR("user")));
    assert_null(name_find(root, STR("user/")));
    assert_null(name_find(root, STR("user/123")));
    assert_null(name_find(root, STR("user/12/")));
    take(c); /* others pass through it */
    assert_ptr_equal(name_find(root, STR("user/12")), a);
    take(a);
    take(d);
    assert_ptr_equal(name_find(root, STR("user/13")), b);
    take(b);
}

static void a_crowd_keeps_a_name_too(void **state) {
    (void)state;
    static struct crowd crowd;
    struct name *name = put(STR("a"));
    name->crowd = &crowd;
    take(name);
    assert_ptr_equal(name_find(root, STR("a")), name);
    name->crowd = NULL;
    name_release(name);
    assert_null(name_find(root, STR("a")));
}

static void a_prefix_steps_through_what_is_below(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b/1", "b/12", "b/2", "b0", "c"};
    struct name *names[COUNT(texts)];
    for (size_t i = COUNT(texts); i-- > 0;)
        names[i] = put(str_of(texts[i]));
    struct name *prefix = name_get(root, STR("b/"));
    assert_ptr_equal(name_next(prefix, NULL), prefix);
    assert_ptr_equal(name_next(prefix, prefix), names[1]);
    assert_ptr_equal(name_next(prefix, names[1]), names[2]);
    assert_ptr_equal(name_next(prefix, names[2]), names[3]);
    assert_null(name_next(prefix, names[3]));
    assert_null(name_next(names[5], names[5]));
    for (size_t i = 0; i < COUNT(texts); i++)
        take(names[i]);
}

static void every_byte_may_begin_a_label(void **state) {
    (void)state;
    struct name *names[256];
    for (int i = 0; i < 256; i++) {
        char text[2] = {'x', (char)(i * 37)};
        names[i] = put((struct str){text, 2});
    }
    int seen = -1;
    for (struct name *at = name_next(root, NULL); at; at = name_next(root, at)) {
        if (at->topic == NULL)
            continue;
        assert_int_equal((unsigned char)at->label[0], ++seen);
    }
    assert_int_equal(seen, 255);
    for (int i = 0; i < 256; i++)
        take(names[i]);
}

static void the_longest_name(void **state) {
    (void)state;
    char text[NAME_MAX_BYTES];
    memset(text, 'n', sizeof text);
    struct name *names[NAME_MAX_BYTES + 1];
    for (size_t n = NAME_MAX_BYTES; n > 0; n--)
        names[n] = put((struct str){text, n});
    for (size_t n = 1; n <= NAME_MAX_BYTES; n++)
        assert_text(names[n], (struct str){text, n});
    for (size_t n = 1; n <= NAME_MAX_BYTES; n++)
        take(names[n]);
}

/* --- against a model --- */

enum { MANY = 400, STEPS = 60000 };

struct model {
    struct str texts[MANY]; /* sorted */
    struct name *names[MANY];
    int count;
};

static uint32_t below(uint32_t n) {
    static uint32_t seed = 7;
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static int compare(struct str a, struct str b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, n);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the text is, or would be. */
static int place(const struct model *model, struct str text) {
    int at = 0;
    while (at < model->count && compare(model->texts[at], text) < 0)
        at++;
    return at;
}

static bool has(const struct model *model, int at, struct str text) {
    return at < model->count && compare(model->texts[at], text) == 0;
}

static struct str random_text(char *out) {
    size_t n = 1 + below(below(20) ? 6 : NAME_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        out[i] = "ab/\xff"[below(4)];
    return (struct str){out, n};
}

static void model_put(struct model *model, int at, struct str text) {
    memmove(model->texts + at + 1, model->texts + at, (size_t)(model->count - at) * sizeof text);
    memmove(model->names + at + 1, model->names + at,
            (size_t)(model->count - at) * sizeof *model->names);
    model->texts[at] = exact(text);
    model->names[at] = put(text);
    model->count++;
}

static void model_take(struct model *model, int at) {
    take(model->names[at]);
    exact_free(model->texts[at]);
    model->count--;
    memmove(model->texts + at, model->texts + at + 1,
            (size_t)(model->count - at) * sizeof *model->texts);
    memmove(model->names + at, model->names + at + 1,
            (size_t)(model->count - at) * sizeof *model->names);
}

/* What lies below the text, in order. */
static void check_below(const struct model *model, struct str prefix) {
    struct name *name = name_get(root, prefix);
    int at = place(model, prefix);
    for (struct name *one = name_next(name, NULL); one; one = name_next(name, one)) {
        if (one->topic == NULL)
            continue;
        assert_true(at < model->count);
        assert_ptr_equal(one, model->names[at]); /* and its address has not changed */
        assert_text(one, model->texts[at]);
        at++;
    }
    assert_false(at < model->count && str_starts(model->texts[at], prefix));
    name_release(name);
}

static void at_random(void **state) {
    (void)state;
    static struct model model;
    char out[NAME_MAX_BYTES];
    for (int step = 0; step < STEPS; step++) {
        struct str text = random_text(out);
        int at = place(&model, text);
        bool there = has(&model, at, text);
        struct name *found = name_find(root, text);
        assert_true(there ? found == model.names[at] : found == NULL || found->topic == NULL);
        if (there)
            model_take(&model, at);
        else if (model.count < MANY)
            model_put(&model, at, text);
        if (below(50) == 0)
            check_below(&model, random_text(out));
        if (below(5000) == 0)
            check_below(&model, STR(""));
    }
    while (model.count > 0)
        model_take(&model, (int)below((uint32_t)model.count));
}

/* --- what a topic may be called --- */

static void names_that_are_allowed(void **state) {
    (void)state;
    static const struct str rows[] = {
        STR("a"),        STR(" "),        STR("room/1"),
        STR("\xc3\xbc"), STR("\xc2\xa0"), STR("\xf0\x9f\x98\x80"),
        STR("?#%&+:"),   STR("/"),        STR("\xc3\x80"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        SAME_INT(rows[i], name_is_valid(text), true);
        exact_free(text);
    }
}

static void names_that_are_not(void **state) {
    (void)state;
    static const struct str rows[] = {
        STR(""),     STR("*"),     STR("a*"),           STR("a*b"),      STR("\n"),
        STR("a\0b"), STR("\x1f"),  STR("\x7f"),         STR("\xc2\x80"), STR("a\xc2\x9f"),
        STR("\xff"), STR("a\xc3"), STR("\xed\xa0\x80"), STR("\xc0\x80"), STR("\t"),
        STR("\xc2"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        SAME_INT(rows[i], name_is_valid(text), false);
        exact_free(text);
    }
}

static void names_have_255_bytes_at_most(void **state) {
    (void)state;
    char text[256];
    memset(text, 'n', sizeof text);
    assert_true(name_is_valid((struct str){text, 255}));
    assert_false(name_is_valid((struct str){text, 256}));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(names_share_what_they_begin_with),
        TEST(a_crowd_keeps_a_name_too),
        TEST(a_prefix_steps_through_what_is_below),
        TEST(every_byte_may_begin_a_label),
        TEST(the_longest_name),
        TEST(at_random),
        TEST(names_that_are_allowed),
        TEST(names_that_are_not),
        TEST(names_have_255_bytes_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
