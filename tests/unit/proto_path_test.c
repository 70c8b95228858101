/* The one reading of a path: what its segments are (RFC 3986 section 3.3), what is refused and why,
 * and that neither text nor address of two paths is ever the same. */
#include "proto/path.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void add_segments(struct path path, struct buf *out) {
    struct str segment;
    while (path_next(&path, &segment)) {
        buf_add(out, segment);
        buf_add_char(out, '|');
    }
}

/* `segments` are the decoded ones, each with a '|' after it. */
static void paths_are_read(void **state) {
    static const struct {
        struct str raw;
        const char *segments, *text, *address;
    } rows[] = {
        {S("/"), "|", "/", "/"},
        {S("/a"), "a|", "/a", "/a"},
        {S("/a/"), "a||", "/a/", "/a/"},
        {S("/a/b.txt"), "a|b.txt|", "/a/b.txt", "/a/b.txt"},
        {S("/hello%20w"), "hello w|", "/hello w", "/hello%20w"},
        {S("/%C3%bC"), "\xC3\xBC|", "/\xC3\xBC", "/%C3%BC"},
        {S("/%ff"), "\xFF|", "/\xFF", "/%FF"},
        {S("/a+b;c=d,e:f@g"), "a+b;c=d,e:f@g|", "/a+b;c=d,e:f@g", "/a+b;c=d,e:f@g"},
        {S("/-._~!$&'()*"), "-._~!$&'()*|", "/-._~!$&'()*", "/-._~!$&'()*"},
        {S("/%41%7a"), "Az|", "/Az", "/Az"},
        {S("/A/a"), "A|a|", "/A/a", "/A/a"}, /* case counts */
        /* an encoded slash stays inside its segment */
        {S("/a%2Fb/c"), "a/b|c|", "/a%2Fb/c", "/a%2Fb/c"},
        {S("/a%2fb"), "a/b|", "/a%2Fb", "/a%2Fb"},
        {S("/%2F"), "/|", "/%2F", "/%2F"},
        {S("/%2f%2F/"), "//||", "/%2F%2F/", "/%2F%2F/"},
        {S("/..%2f"), "../|", "/..%2F", "/..%2F"},
        {S("/%2e%2e%2fetc"), "../etc|", "/..%2Fetc", "/..%2Fetc"},
        /* decoded once */
        {S("/%252F"), "%2F|", "/%252F", "/%252F"},
        {S("/%252e%252e"), "%2e%2e|", "/%252e%252e", "/%252e%252e"},
        {S("/%2525"), "%25|", "/%2525", "/%2525"},
        {S("/100%25"), "100%|", "/100%25", "/100%25"},
        /* no dot segments */
        {S("/..."), "...|", "/...", "/..."},
        {S("/.a/..b/c../d."), ".a|..b|c..|d.|", "/.a/..b/c../d.", "/.a/..b/c../d."},
        {S("/a%5C.."), "a\\..|", "/a\\..", "/a%5C.."},
        {S("/a\\b"), "a\\b|", "/a\\b", "/a%5Cb"},
        {S("/..;/a"), "..;|a|", "/..;/a", "/..;/a"},
        {S("/.%20"), ". |", "/. ", "/.%20"},
        {S("/..%0D"), "..\r|", "/..\r", "/..%0D"},
        /* full width and overlong dots and slashes are bytes like others */
        {S("/%EF%BC%8E%EF%BC%8E"), "\xEF\xBC\x8E\xEF\xBC\x8E|", "/\xEF\xBC\x8E\xEF\xBC\x8E",
         "/%EF%BC%8E%EF%BC%8E"},
        {S("/%C0%AE%C0%AE%C0%AF"), "\xC0\xAE\xC0\xAE\xC0\xAF|", "/\xC0\xAE\xC0\xAE\xC0\xAF",
         "/%C0%AE%C0%AE%C0%AF"},
        {S("/%3Fa%23%22"), "?a#\"|", "/?a#\"", "/%3Fa%23%22"},
        {S("/%0A%7F"), "\n\x7F|", "/\n\x7F", "/%0A%7F"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = exact(rows[i].raw);
        struct buf bytes = {0}, segments = {0}, text = {0}, address = {0}, again = {0};
        buf_add(&bytes, STR("before"));
        int rc = path_read(raw, &bytes);
        assert_true(rc == 0 || rc == PATH_REWRITTEN);
        struct path path = {exact((struct str){bytes.data + 6, bytes.len - 6})};
        add_segments(path, &segments);
        path_text(path, &text);
        path_encode(path, &address);
        SAME_STR(raw, buf_str(&segments), str_of(rows[i].segments));
        SAME_STR(raw, buf_str(&text), str_of(rows[i].text));
        SAME_STR(raw, buf_str(&address), str_of(rows[i].address));
        if (rc == 0)
            SAME_STR(raw, buf_str(&address), raw);
        assert_true(path_read(buf_str(&address), &again) >= 0);
        SAME_STR(raw, buf_str(&again), path.bytes);
        exact_free(path.bytes);
        exact_free(raw);
        buf_fini(&bytes);
        buf_fini(&segments);
        buf_fini(&text);
        buf_fini(&address);
        buf_fini(&again);
    }
}

static void what_servers_read_differently_is_refused(void **state) {
    static const struct {
        struct str raw;
        int error;
    } rows[] = {
        {S(""), PATH_ESLASH},       {S("a"), PATH_ESLASH},         {S("a/b"), PATH_ESLASH},
        {S("*"), PATH_ESLASH},      {S("%2Fa"), PATH_ESLASH},      {S("/%"), PATH_EESCAPE},
        {S("/%4"), PATH_EESCAPE},   {S("/a/%zz"), PATH_EESCAPE},   {S("/%4g"), PATH_EESCAPE},
        {S("/%g4"), PATH_EESCAPE},  {S("/% 4"), PATH_EESCAPE},     {S("/%+4"), PATH_EESCAPE},
        {S("/%%41"), PATH_EESCAPE}, {S("/%u002e"), PATH_EESCAPE},  {S("/a%/b"), PATH_EESCAPE},
        {S("/%2/e"), PATH_EESCAPE}, /* an escape does not reach over a slash */
        {S("/%00"), PATH_ENUL},     {S("/a/b%00c"), PATH_ENUL},    {S("/a\0b"), PATH_ENUL},
        {S("/..%00"), PATH_ENUL},   {S("//"), PATH_EEMPTY},        {S("///"), PATH_EEMPTY},
        {S("//a"), PATH_EEMPTY},    {S("/a//"), PATH_EEMPTY},      {S("/a//b"), PATH_EEMPTY},
        {S("/."), PATH_EDOT},       {S("/./"), PATH_EDOT},         {S("/./a"), PATH_EDOT},
        {S("/a/."), PATH_EDOT},     {S("/.."), PATH_EDOT},         {S("/../"), PATH_EDOT},
        {S("/a/../b"), PATH_EDOT},  {S("/a/b/.."), PATH_EDOT},     {S("/%2e"), PATH_EDOT},
        {S("/%2E/a"), PATH_EDOT},   {S("/a/%2e%2E/b"), PATH_EDOT}, {S("/.%2e/b"), PATH_EDOT},
        {S("/a/%2E."), PATH_EDOT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = exact(rows[i].raw);
        struct buf out = {0};
        buf_add(&out, STR("before"));
        SAME_INT(raw, path_read(raw, &out), rows[i].error);
        SAME_STR(raw, buf_str(&out), STR("before"));
        assert_true(strncmp(path_error(rows[i].error), "the path ", 9) == 0);
        exact_free(raw);
        buf_fini(&out);
    }
}

static void read_into(struct buf *bytes, struct str raw) {
    bytes->len = 0;
    assert_true(path_read(raw, bytes) >= 0);
}

static void paths_are_compared_by_segments(void **state) {
    static const struct {
        struct str raw, text;
        bool same;
    } rows[] = {
        {S("/"), S("/"), true},         {S("/a"), S("/a"), true},
        {S("/a/"), S("/a/"), true},     {S("/a%62"), S("/ab"), true},
        {S("/a/b"), S("/a/b"), true},   {S("/a"), S("/"), false},
        {S("/"), S("/a"), false},       {S("/a/"), S("/a"), false},
        {S("/a"), S("/a/"), false},     {S("/a%2Fb"), S("/a/b"), false},
        {S("/a/bc"), S("/a/b"), false}, {S("/ab"), S("/a/b"), false},
        {S("/A"), S("/a"), false},      {S("/a/b"), S("/a"), false},
    };
    struct buf bytes = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        read_into(&bytes, rows[i].raw);
        SAME_INT(rows[i].raw, path_is((struct path){buf_str(&bytes)}, rows[i].text), rows[i].same);
    }
    assert_false(path_is((struct path){{NULL, 0}}, STR("/")));
    buf_fini(&bytes);
}

static void segments_are_left_out(void **state) {
    static const char *const left[] = {"a|b||", "b||", "|", "", ""};
    struct buf bytes = {0}, got = {0};
    (void)state;
    read_into(&bytes, STR("/a/b/"));
    for (size_t i = 0; i < COUNT(left); i++) {
        got.len = 0;
        add_segments(path_after((struct path){buf_str(&bytes)}, i), &got);
        SAME_STR(STR("/a/b/"), buf_str(&got), str_of(left[i]));
    }
    buf_fini(&bytes);
    buf_fini(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_read),
        cmocka_unit_test(what_servers_read_differently_is_refused),
        cmocka_unit_test(paths_are_compared_by_segments),
        cmocka_unit_test(segments_are_left_out),
    };
    return cmocka_run_group_tests_name("proto_path", tests, NULL, NULL);
}
