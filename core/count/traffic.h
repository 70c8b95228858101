/* traffic: what a server is asked, counted by route. */
#ifndef COUNT_TRAFFIC_H
#define COUNT_TRAFFIC_H

#include "base/histogram.h"
#include "base/list.h"
#include "base/str.h"
#include "net/loop.h"

#define TRAFFIC_ROUTES_MAX 1000 /* of the process; further ones are counted as one, "other" */
#define TRAFFIC_NONE "none"     /* what matches no route */
#define TRAFFIC_OTHER "other"
#define TRAFFIC_PENDING 64

/* What streams are counted as, while they are that; others, which end soon, are not. */
enum traffic_kind {
    TRAFFIC_WAITING, /* the head of its answer is not out */
    TRAFFIC_STREAM,  /* its answer has no end that is known */
    TRAFFIC_SSE,
    TRAFFIC_KINDS
};
extern const char *const traffic_kind_names[TRAFFIC_KINDS];

#define TRAFFIC_METHODS 9 /* the last one is any other */
#define TRAFFIC_HEAD 2
extern const char *const traffic_method_names[TRAFFIC_METHODS];
#define TRAFFIC_CLASSES 5 /* of status: no answer at all, 2xx to 5xx */
extern const char *const traffic_class_names[TRAFFIC_CLASSES];
#define TRAFFIC_CELLS (TRAFFIC_METHODS * TRAFFIC_CLASSES)

struct label;

/* One route as one server sees it. */
struct asked_route {
    struct list in_traffic, in_label; /* in_label unlinked: it is nobody's business */
    struct label *label;
    uint64_t asked;               /* requests so far: what waits is what has no latency yet */
    uint64_t open[TRAFFIC_KINDS]; /* of the kinds behind TRAFFIC_WAITING */
    struct histogram *latency[TRAFFIC_CELLS]; /* method by method; NULL: none yet */
};

/* A server's. */
struct traffic {
    struct asked_route *none; /* what matches no route; NULL: there was nothing yet */
    struct list routes;       /* struct asked_route */
    struct turn_end end;
    unsigned npending; /* answers of this turn, which leave with its end */
    struct leaving {
        struct histogram *latency;
        uint64_t started;
    } pending[TRAFFIC_PENDING];
};

/* A stream's part. */
struct asked {
    struct asked_route *route; /* NULL: not known yet */
    uint8_t method;            /* as traffic_method has it */
    uint8_t kind;              /* enum traffic_kind, once it is not waiting; else 0 */
};

void traffic_init(struct traffic *traffic, struct loop *loop);
/* What it counts is nobody's business; before it has. */
void traffic_set_apart(struct traffic *traffic);
/* Keeps what it has counted. */
void traffic_fini(struct traffic *traffic);
/* The route of that pattern, the same each time; as long as the server. */
struct asked_route *traffic_route(struct traffic *traffic, struct str pattern);
/* What matches none. */
struct asked_route *traffic_none(struct traffic *traffic);
/* Its place in traffic_method_names. */
uint8_t traffic_method(struct str method);

/* "" for one that is nobody's business. */
struct str traffic_pattern(const struct asked_route *route);

/* A request is the route's. Once. Inline, as is the next: of what a request costs it is to be
 * nearly nothing. */
static inline void traffic_routed(struct asked *asked, struct asked_route *route, uint8_t method) {
    MUST(asked->route == NULL);
    asked->route = route;
    asked->method = method;
    counter_add(&route->asked, 1);
}

/* For traffic_answered: the table is made; there is no room for more of this turn. */
void traffic_make(struct histogram **latency);
void traffic_settle(struct traffic *traffic);

/* The head of an answer goes out, or with class 0 it is over without one. It has a route, and
 * waited since `started`, by the loop's clock. */
static inline void traffic_answered(struct traffic *traffic, struct asked *asked, unsigned class,
                                    uint64_t started) {
    struct histogram **at = &asked->route->latency[asked->method * TRAFFIC_CLASSES + class];
    if (__builtin_expect(*at == NULL, 0))
        traffic_make(at);
    unsigned i = traffic->npending++;
    traffic->pending[i] = (struct leaving){*at, started};
    if (__builtin_expect(i + 1 == TRAFFIC_PENDING, 0))
        traffic_settle(traffic);
}

/* The answer is a stream, of one of the kinds that are counted; and that is over. */
void traffic_opened(struct asked *asked, enum traffic_kind kind);
void traffic_closed(struct asked *asked);

/* Of all servers of the process, those that are gone included. */
struct traffic_total {
    struct str pattern;
    uint64_t open[TRAFFIC_KINDS];
    bool asked[TRAFFIC_METHODS][TRAFFIC_CLASSES]; /* whether there is any; then */
    struct histogram latency[TRAFFIC_METHODS][TRAFFIC_CLASSES];
};
/* Calls `each` for every route that was asked for; from any thread. Workers wait for none of it. */
void traffic_each(void (*each)(void *arg, const struct traffic_total *total), void *arg);

#endif
