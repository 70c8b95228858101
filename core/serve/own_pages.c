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
    "<link rel=\"icon\" href=\"data:,\">\n"                                                        \
    "<style>:root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;"              \
    "max-width:34rem;margin:4rem auto;padding:0 1rem}h1{line-height:1.2}li{margin:.4rem "          \
    "0}</style>\n"

void own_pages_not_started(struct stream *stream) {
    static const char page[] = PAGE_BEGIN
        "<title>Not started · Weir</title>\n<h1>This app could not be started</h1>\n"
        "<p>The reason is in the log, and below. Mend it, and the app comes up here.</p>\n";
    stream_set_status(stream, 503);
    stream_respond(stream, "text/html; charset=utf-8", page, sizeof page - 1);
}

void own_pages_index(struct stream *stream, const struct mount *apps, int count) {
    struct buf page = {0};
    buf_add(&page, STR(PAGE_BEGIN "<title>Apps · Weir</title>\n<h1>Apps</h1>\n<ul>\n"));
    for (int i = 0; i < count; i++) {
        const char *name = apps[i].prefix + 1;
        buf_printf(&page, "<li><a href=\"%s/\">%s</a></li>\n", name, name);
    }
    buf_add(&page, STR("</ul>\n</html>\n"));
    stream_respond(stream, "text/html; charset=utf-8", page.data, page.len);
    buf_fini(&page);
}
