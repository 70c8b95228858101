/* app: what weir.app() returned, compiled: its routes, middleware and folders of files. */
#ifndef EXCHANGE_APP_H
#define EXCHANGE_APP_H

#include "http/router.h"
#include "http/static.h"
#include "vm/generation.h"

struct route {
    char *name;                /* "GET /hello/:name" */
    char *base;                /* the mount prefix below the app, "" at the top */
    struct asked_route *asked; /* as what it is counted; NULL: nobody has asked yet */
    uint8_t method;            /* as traffic_method has it */
    struct static_dir *dir;    /* what is below a folder of files */
    bool slash; /* the folder itself: a slash is missing. Neither: a handler, in the app's table */
};

/* A userdata of Lua's; its environment table holds the functions: [id] handlers, [-id] middleware
 * and what answers for what is not there, app, router. */
struct app {
    struct router *router;
    struct router *missing; /* the prefixes of app:not_found, the inner ones last; NULL: none */
    struct route *routes;
    int nroutes, nuses, nmissing;
    struct generation *gen;
    int functions; /* reference to that table, which keeps it while it serves; LUA_NOREF: none */
};

/* Compiles the app value at the top of `L` (popped) and keeps it. NULL with the error on top of the
 * stack. */
struct app *app_compile(struct generation *gen, lua_State *L);
/* The app value and its router, which are on top of `L` (popped), as an app that serves. */
struct app *app_keep(struct generation *gen, lua_State *L);
/* Answers `stream`. The first `skip` segments of its path led here; `prefix` is their text. */
void app_serve(struct app *app, struct stream *stream, size_t skip, const char *prefix);
/* Pushes what answers a request, whose path below the app is `path`: the handler, then the
 * middleware before it. stack of L: + 1 and as many as these are */
void app_push_functions(struct app *app, lua_State *L, int functions, struct path path,
                        const struct route_match *match);
/* Answers what needs no handler: 404, 405, 501, OPTIONS, files. With `done` the 404 is the
 * caller's: false if it is due. A file, which is `*job` then, may show that later: see
 * static_serve. */
bool app_answer_plain(struct app *app, struct stream *stream, size_t skip, struct static_job **job,
                      void (*done)(void *arg, int error), void *arg);
/* Answers with /weir.js, which is nobody's. */
void app_serve_page_script(struct stream *stream);
/* Pushes the value that the app file returned. stack of L: +1 */
void app_push(struct app *app, lua_State *L);
/* Appends "METHOD pattern" lines, in order of registration. */
void app_list_routes(struct app *app, const char *prefix, struct buf *out);
/* The `struct app` at `index`; raises. */
struct app *app_check(lua_State *L, int index);
void bind_app(lua_State *L);

#endif
