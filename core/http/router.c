/* router: patterns as a tree of segments.
 *
 *   GET /hello/:name, POST /hello/:who, GET /hello/world, and GET /files/ with *rest:
 *
 *   root ─ "hello" ─┬ "world"  GET
 *        │          └ :        GET [name@1], POST [who@1]
 *        └ "files" ── *        GET [rest@1]
 *
 * A node stands for the segments on the way to it; the names of params are the route's, because two
 * routes may share a node and call the same segment differently. A route also keeps which segments
 * its params are, so the walk records nothing and a way that led nowhere leaves no traces.
 *
 * A node at depth n is compared with segment n only. So however often the walk turns back, it meets
 * each node once: no path makes it slower than a look at all patterns.
 *
 * A router belongs to one generation of an app and does not change once the app is loaded. It knows
 * neither Lua nor streams: ids in, ids out.
 */
#include "http/router.h"

#include "base/mem.h"
#include "proto/methods.h"

#include <stdlib.h>
#include <string.h>

struct route {
    struct route *next; /* at the same node: another method */
    struct str method, pattern;
    int id;
    bool has_rest; /* the last param is the rest */
    size_t nparams;
    struct {
        struct str name;
        size_t at; /* which segment */
    } params[];
};

struct node {
    struct str literal;     /* borrowed from the pattern of the route that made the node */
    struct node **children; /* literals, sorted by compare() */
    size_t nchildren;
    struct node *param, *rest;
    struct route *routes; /* that end here */
};

struct use {
    char *prefix;
    struct str *segments; /* borrowed from prefix */
    size_t count;
    int id;
};

struct router {
    struct node root;
    struct route **routes;
    size_t nroutes;
    struct use *uses;
    size_t nuses;
};

/* A pattern taken apart. */
struct parts {
    struct str segments[ROUTER_SEGMENTS_MAX];
    size_t count;
    size_t params[ROUTER_PARAMS_MAX]; /* which segments are params or the rest */
    size_t nparams;
};

/* --- patterns --- */

static bool is_name(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return s.len > 0;
}

static bool is_variable(struct str segment) {
    return segment.len > 0 && (segment.ptr[0] == ':' || segment.ptr[0] == '*');
}

static struct str name_of(struct str segment) {
    return (struct str){segment.ptr + 1, segment.len - 1};
}

/* No path has such a segment, see proto/path. A guard that never holds would be worse than none. */
static bool never_matches(struct str segment, bool last) {
    if (segment.len == 0)
        return !last;
    return str_eq(segment, STR(".")) || str_eq(segment, STR("..")) ||
           memchr(segment.ptr, 0, segment.len) != NULL;
}

static int split(struct str pattern, struct parts *out) {
    out->count = out->nparams = 0;
    if (pattern.len == 0 || pattern.ptr[0] != '/')
        return ROUTER_ESLASH;
    struct str rest = {pattern.ptr + 1, pattern.len - 1};
    while (rest.ptr) {
        struct str segment = str_cut(&rest, '/');
        if (never_matches(segment, rest.ptr == NULL))
            return ROUTER_EDOT;
        if (out->count == ROUTER_SEGMENTS_MAX)
            return ROUTER_ELIMIT;
        out->segments[out->count++] = segment;
    }
    return 0;
}

static int find_params(struct parts *parts) {
    for (size_t i = 0; i < parts->count; i++) {
        struct str segment = parts->segments[i];
        if (!is_variable(segment))
            continue;
        if (!is_name(name_of(segment)))
            return ROUTER_ENAME;
        if (segment.ptr[0] == '*' && i + 1 < parts->count)
            return ROUTER_EREST;
        for (size_t k = 0; k < parts->nparams; k++)
            if (str_eq(name_of(parts->segments[parts->params[k]]), name_of(segment)))
                return ROUTER_ETWICE;
        if (parts->nparams == ROUTER_PARAMS_MAX)
            return ROUTER_ELIMIT;
        parts->params[parts->nparams++] = i;
    }
    return 0;
}

const char *router_error(int error) {
    switch (error) {
    case ROUTER_ESLASH:
        return "it must start with '/'";
    case ROUTER_ENAME:
        return "a param needs a name of letters, digits and '_' after its ':' or '*'";
    case ROUTER_ETWICE:
        return "two of its params have the same name";
    case ROUTER_EREST:
        return "'*' and its name must be the last segment";
    case ROUTER_EDOT:
        return "no path has a segment '.' or '..', an empty one that is not the last, or a NUL, so "
               "it would never match";
    case ROUTER_EPREFIX:
        return "a prefix cannot have params";
    case ROUTER_EMETHOD:
        return "the method is not a token, or has more than 64 letters";
    case ROUTER_ETAKEN:
        return "a route with this method already matches the same paths";
    case ROUTER_ELIMIT:
        return "it has more than 64 segments or 32 params";
    default:
        return "unknown error";
    }
}

/* --- the tree --- */

struct router *router_new(void) {
    return mem_zalloc(sizeof(struct router));
}

static void empty_node(struct node *node);

static void free_node(struct node *node) {
    if (!node)
        return;
    empty_node(node);
    free(node);
}

static void empty_node(struct node *node) {
    for (size_t i = 0; i < node->nchildren; i++)
        free_node(node->children[i]);
    free(node->children);
    free_node(node->param);
    free_node(node->rest);
}

static void free_route(struct route *route) {
    free((char *)route->method.ptr);
    free((char *)route->pattern.ptr);
    free(route);
}

void router_free(struct router *router) {
    if (!router)
        return;
    empty_node(&router->root);
    for (size_t i = 0; i < router->nroutes; i++)
        free_route(router->routes[i]);
    free(router->routes);
    for (size_t i = 0; i < router->nuses; i++) {
        free(router->uses[i].prefix);
        free(router->uses[i].segments);
    }
    free(router->uses);
    free(router);
}

/* Any total order will do; by length first is the cheapest. */
static int compare(struct str a, struct str b) {
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

/* The child of that literal, or NULL with `*at` where it would stand. */
static struct node *find(const struct node *node, struct str literal, size_t *at) {
    size_t low = 0, high = node->nchildren;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(literal, node->children[middle]->literal);
        if (order == 0)
            return node->children[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *at = low;
    return NULL;
}

static struct node *child(struct node *node, struct str literal) {
    size_t at;
    struct node *found = find(node, literal, &at);
    if (found)
        return found;
    node->children = mem_resize(node->children, (node->nchildren + 1) * sizeof(struct node *));
    memmove(node->children + at + 1, node->children + at,
            (node->nchildren - at) * sizeof(struct node *));
    node->nchildren++;
    found = node->children[at] = mem_zalloc(sizeof(struct node));
    found->literal = literal;
    return found;
}

static struct node *step(struct node *node, struct str segment) {
    if (!is_variable(segment))
        return child(node, segment);
    struct node **slot = segment.ptr[0] == ':' ? &node->param : &node->rest;
    if (!*slot)
        *slot = mem_zalloc(sizeof(struct node));
    return *slot;
}

/* The node where a pattern ends, or NULL if it has not been made. */
static const struct node *look(const struct node *node, const struct parts *parts) {
    for (size_t i = 0; node && i < parts->count; i++) {
        struct str segment = parts->segments[i];
        size_t at;
        if (!is_variable(segment))
            node = find(node, segment, &at);
        else
            node = segment.ptr[0] == ':' ? node->param : node->rest;
    }
    return node;
}

static const struct route *route_with(const struct node *node, struct str method) {
    const struct route *route = node->routes;
    while (route && !str_eq(route->method, method))
        route = route->next;
    return route;
}

static struct str copy(struct str s) {
    return (struct str){mem_copy(s.ptr, s.len), s.len};
}

/* `pattern` has been checked. */
static struct route *make_route(struct str method, struct str pattern, int id,
                                struct parts *parts) {
    struct route *route = mem_zalloc(sizeof(*route) + parts->nparams * sizeof(route->params[0]));
    *route = (struct route){
        .method = copy(method), .pattern = copy(pattern), .id = id, .nparams = parts->nparams};
    /* The same parts again, now of the copy, which lives as long as the tree. */
    split(route->pattern, parts);
    for (size_t i = 0; i < route->nparams; i++) {
        struct str segment = parts->segments[parts->params[i]];
        route->params[i].name = name_of(segment);
        route->params[i].at = parts->params[i];
        route->has_rest = segment.ptr[0] == '*';
    }
    return route;
}

int router_add(struct router *router, struct str method, struct str pattern, int id) {
    struct parts parts;
    int rc = split(pattern, &parts);
    if (rc == 0)
        rc = find_params(&parts);
    if (rc < 0)
        return rc;
    if (!method_is_valid(method))
        return ROUTER_EMETHOD;
    const struct node *same = look(&router->root, &parts);
    if (same && route_with(same, method))
        return ROUTER_ETAKEN;

    struct route *route = make_route(method, pattern, id, &parts);
    struct node *node = &router->root;
    for (size_t i = 0; i < parts.count; i++)
        node = step(node, parts.segments[i]);
    struct route **last = &node->routes;
    while (*last)
        last = &(*last)->next;
    *last = route;
    router->routes = mem_resize(router->routes, (router->nroutes + 1) * sizeof(route));
    router->routes[router->nroutes++] = route;
    return 0;
}

/* --- matching --- */

struct search {
    struct str method;
    struct buf *allow;
    /* Asked at each node where a pattern that matches ends; a route ends the walk. */
    const struct route *(*at_end)(struct search *search, const struct node *node);
};

static const struct route *walk(struct search *search, const struct node *node, struct path path) {
    struct str segment;
    struct path after = path;
    if (!path_next(&after, &segment))
        return search->at_end(search, node);
    const struct route *found = NULL;
    size_t at;
    const struct node *literal = find(node, segment, &at);
    if (literal)
        found = walk(search, literal, after);
    if (!found && node->param && segment.len > 0)
        found = walk(search, node->param, after);
    if (!found && node->rest)
        found = search->at_end(search, node->rest);
    return found;
}

static const struct route *pick(struct search *search, const struct node *node) {
    const struct route *route = route_with(node, search->method);
    if (!route && str_eq(search->method, STR("HEAD")))
        route = route_with(node, STR("GET"));
    return route;
}

static void allow(struct buf *list, struct str method) {
    struct str rest = buf_str(list);
    while (rest.len > 0)
        if (str_eq(str_trim(str_cut(&rest, ',')), method))
            return;
    if (list->len > 0)
        buf_add(list, STR(", "));
    buf_add(list, method);
}

static const struct route *gather(struct search *search, const struct node *node) {
    for (const struct route *route = node->routes; route; route = route->next) {
        allow(search->allow, route->method);
        if (str_eq(route->method, STR("GET")))
            allow(search->allow, STR("HEAD"));
    }
    return NULL;
}

/* `route` matches, so each of its params has its segment. */
static void fill(const struct route *route, struct path path, struct buf *scratch,
                 struct route_match *out) {
    struct str segment = STR("");
    size_t at = 0;
    out->id = route->id;
    out->nparams = route->nparams;
    out->rest = (struct path){{NULL, 0}};
    for (size_t i = 0; i < route->nparams; i++) {
        struct route_param *param = &out->params[i];
        path = path_after(path, route->params[i].at - at);
        at = route->params[i].at + 1;
        param->name = route->params[i].name;
        if (route->has_rest && i + 1 == route->nparams) {
            out->rest = path;
            path_rest_text(path, scratch);
            param->value = scratch->len > 0 ? buf_str(scratch) : STR("");
        } else {
            path_next(&path, &segment);
            param->value = segment;
        }
    }
}

void router_match(const struct router *router, struct str method, struct path path,
                  struct buf *scratch, struct route_match *out) {
    struct search search = {.method = method, .allow = scratch, .at_end = pick};
    scratch->len = 0;
    const struct route *route = walk(&search, &router->root, path);
    if (route) {
        out->verdict = ROUTE_FOUND;
        fill(route, path, scratch, out);
        return;
    }
    search.at_end = gather;
    walk(&search, &router->root, path);
    if (scratch->len == 0) {
        out->verdict = ROUTE_NONE;
        return;
    }
    allow(scratch, STR("OPTIONS"));
    out->verdict = str_eq(method, STR("OPTIONS")) ? ROUTE_OPTIONS : ROUTE_METHOD;
    out->allow = buf_str(scratch);
}

/* --- middleware --- */

int router_use(struct router *router, struct str prefix, int id) {
    struct parts parts = {.count = 0};
    if (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    int rc = prefix.len > 0 ? split(prefix, &parts) : 0;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < parts.count; i++)
        if (is_variable(parts.segments[i]) || never_matches(parts.segments[i], false))
            return is_variable(parts.segments[i]) ? ROUTER_EPREFIX : ROUTER_EDOT;

    struct use use = {.prefix = mem_copy(prefix.ptr, prefix.len), .count = parts.count, .id = id};
    if (parts.count > 0)
        split((struct str){use.prefix, prefix.len}, &parts);
    use.segments = mem_alloc(parts.count * sizeof(struct str));
    memcpy(use.segments, parts.segments, parts.count * sizeof(struct str));
    router->uses = mem_resize(router->uses, (router->nuses + 1) * sizeof(use));
    router->uses[router->nuses++] = use;
    return 0;
}

static bool holds(const struct use *use, struct path path) {
    struct str segment;
    for (size_t i = 0; i < use->count; i++)
        if (!path_next(&path, &segment) || !str_eq(use->segments[i], segment))
            return false;
    return true;
}

bool router_use_next(const struct router *router, struct path path, size_t *cursor, int *id) {
    while (*cursor < router->nuses) {
        const struct use *use = &router->uses[(*cursor)++];
        if (holds(use, path)) {
            *id = use->id;
            return true;
        }
    }
    return false;
}

/* --- listing --- */

bool router_has_method(const struct router *router, struct str method) {
    for (size_t i = 0; i < router->nroutes; i++)
        if (str_eq(router->routes[i]->method, method))
            return true;
    return false;
}

size_t router_count(const struct router *router) {
    return router->nroutes;
}

void router_route(const struct router *router, size_t index, struct str *method,
                  struct str *pattern, int *id) {
    const struct route *route = router->routes[index];
    *method = route->method;
    *pattern = route->pattern;
    *id = route->id;
}
