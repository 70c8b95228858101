/* own_pages: the pages that are the server's own, not an app's: the list of several apps, and that
 * one could not be started.
 *
 * They need nothing but themselves: no file, no script, an empty icon so that the browser asks for
 * none. That an app has not started is a page in watch mode only, where whoever mends it looks at
 * it; the line behind it (pages.h) brings the reason, and the app once it is there. */
#include "serve/own_pages.h"

#include "http/stream.h"

/* The title follows. */
#define PAGE_BEGIN                                                                                 \
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"                              \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                   \
    "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n"   \
    "<style>\n"                                                                                    \
    ":root{color-scheme:light dark;--paper:#f3f4f3;--card:#fcfcfb;--line:#dcdfde;--ink:#1b2326;"   \
    "--soft:#5b676b;--accent:#0b6b7d;--bad:#b3261e}\n"                                             \
    "@media(prefers-color-scheme:dark){:root{--paper:#0e1416;--card:#151d20;--line:#29343a;"       \
    "--ink:#d6dfe1;--soft:#91a0a5;--accent:#5cc4d6;--bad:#ff8a80}}\n"                              \
    "body{max-width:1240px;margin:0 auto;padding:40px 20px;background:var(--paper);"               \
    "color:var(--ink);font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\","    \
    "sans-serif}\n"                                                                                \
    "h1{margin:0;font-size:26px;letter-spacing:-.02em;line-height:1.2}p{color:var(--soft)}\n"      \
    "ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));"         \
    "gap:20px;margin:28px 0 0;padding:0;list-style:none}\n"                                        \
    "a{display:block;box-sizing:border-box;height:100%;padding:16px 20px;border:1px solid "        \
    "var(--line);border-radius:12px;background:var(--card);color:var(--soft);"                     \
    "overflow-wrap:anywhere;text-decoration:none}\n"                                               \
    "a:hover{border-color:var(--accent)}a:focus-visible{outline:2px solid var(--accent);"          \
    "outline-offset:2px}\n"                                                                        \
    "strong{display:block;margin-bottom:4px;color:var(--accent);font-size:16px}em{color:"          \
    "var(--bad);font-style:normal}\n"                                                              \
    "@media(max-width:480px){body{padding:24px 12px}ul{gap:12px;margin-top:16px}}\n"               \
    "</style>\n"

void own_pages_not_started(struct stream *stream) {
    static const char page[] = PAGE_BEGIN
        "<title>Not started · Weir</title>\n<h1>This app could not be started</h1>\n"
        "<p>The reason is in the log, and below. Mend it, and the app comes up here.</p>\n";
    stream_set_status(stream, 503);
    stream_respond(stream, "text/html; charset=utf-8", page, sizeof page - 1);
}

static void add_escaped(struct buf *page, struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            buf_add(page, STR("&amp;"));
            break;
        case '<':
            buf_add(page, STR("&lt;"));
            break;
        case '>':
            buf_add(page, STR("&gt;"));
            break;
        default:
            buf_add_char(page, text.ptr[i]);
        }
    }
}

/* Its name needs no escape (serve/source). */
static void add_app(struct buf *page, const struct mount *mount) {
    const char *name = mount->prefix + 1;
    buf_printf(page, "<li><a href=\"%s/\"><strong>%s</strong> ", name, name);
    if (mount->app)
        add_escaped(page, buf_str(&mount->summary));
    else
        buf_add(page, STR("<em>could not be started; the log says why</em>"));
    buf_add(page, STR("</a>\n"));
}

void own_pages_index(struct stream *stream, const struct mount *apps, int count) {
    struct buf page = {0};
    buf_add(&page, STR(PAGE_BEGIN "<title>Apps · Weir</title>\n<h1>Apps</h1>\n<ul>\n"));
    for (int i = 0; i < count; i++)
        add_app(&page, &apps[i]);
    buf_add(&page, STR("</ul>\n</html>\n"));
    stream_respond(stream, "text/html; charset=utf-8", page.data, page.len);
    buf_fini(&page);
}
