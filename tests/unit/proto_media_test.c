/* Content types by extension. */
#include "proto/media.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define UNKNOWN "application/octet-stream"

static void types(void **state) {
    static const struct {
        struct str path;
        const char *want;
    } rows[] = {
        /* what the bundled pages need */
        {S("index.html"), "text/html; charset=utf-8"},
        {S("/a/style.css"), "text/css; charset=utf-8"},
        {S("app.js"), "text/javascript; charset=utf-8"}, /* RFC 9239 */
        {S("m.mjs"), "text/javascript; charset=utf-8"},
        {S("data.json"), "application/json"},
        {S("logo.svg"), "image/svg+xml"},
        {S("logo.png"), "image/png"},
        {S("photo.jpg"), "image/jpeg"},
        {S("photo.jpeg"), "image/jpeg"},
        {S("favicon.ico"), "image/vnd.microsoft.icon"},
        {S("font.woff2"), "font/woff2"}, /* RFC 8081 */
        {S("prog.wasm"), "application/wasm"},
        {S("README.md"), "text/markdown; charset=utf-8"}, /* RFC 7763 */
        {S("notes.txt"), "text/plain; charset=utf-8"},
        {S("access.log"), "text/plain; charset=utf-8"},
        {S("feed.xml"), "text/xml; charset=utf-8"},
        {S("data.zip"), "application/zip"},
        {S("film.mp4"), "video/mp4"},
        /* the last entry of the table, and case */
        {S("x.zst"), "application/zstd"},
        {S("INDEX.HTML"), "text/html; charset=utf-8"},
        {S("a.HtM"), "text/html; charset=utf-8"},
        /* the last extension counts */
        {S("a.tar.gz"), "application/gzip"},
        {S("a.html.xyz"), UNKNOWN},
        {S("/dir.css/a.html"), "text/html; charset=utf-8"},
        /* none */
        {S(""), UNKNOWN},
        {{NULL, 0}, UNKNOWN},
        {S("html"), UNKNOWN},
        {S("/html"), UNKNOWN},
        {S("a."), UNKNOWN},
        {S("."), UNKNOWN},
        {S("/dir.html/file"), UNKNOWN},
        {S("/dir.html/"), UNKNOWN},
        {S(".html"), UNKNOWN}, /* hidden, not HTML */
        {S("/a/.css"), UNKNOWN},
        {S(".hidden.css"), "text/css; charset=utf-8"},
        {S("a.htmlx"), UNKNOWN},
        {S("a.ht"), UNKNOWN},
        {S("a.html\0"), UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str path = exact(rows[i].path);
        SAME_STR(path, str_of(media_type_of(path)), str_of(rows[i].want));
        exact_free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests_name("proto_media", tests, NULL, NULL);
}
