/* traffic: what a server is asked, counted by route.
 *
 *     pattern ("/rooms/:id") --one--> label --one for each server--> asked_route
 *
 * How many streams of a route there are, by what they are at; and how long requests waited for the
 * head of their answer, by method and class of status: that says what a client sees, of a stream
 * that never ends as well. Labels are the patterns of apps' routes, at most TRAFFIC_ROUTES_MAX of
 * them, with one for all that match none: what clients send makes no labels.
 *
 * An answer leaves at the end of the turn, and what is written before does too, so that is when the
 * wait ends: the turn's answers are kept until then, and the clock is read once for all.
 *
 * A server counts in memory of its own, without a lock; tables of latencies are made when they are
 * first needed and published by their address. The lock is that of labels, and of who reads. What
 * servers have counted stays with the label when they go. */
#include "count/traffic.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"

#include <pthread.h>
#include <stdlib.h>

const char *const traffic_kind_names[TRAFFIC_KINDS] = {"waiting", "stream", "sse"};
const char *const traffic_class_names[TRAFFIC_CLASSES] = {"none", "2xx", "3xx", "4xx", "5xx"};
const char *const traffic_method_names[TRAFFIC_METHODS] = {
    "GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "other"};

struct label {
    struct map_node node;
    struct list routes;                    /* struct asked_route */
    struct histogram *gone[TRAFFIC_CELLS]; /* of servers that are; NULL: none */
    char pattern[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all labels */
static struct map labels;
static unsigned patterns; /* of them, `none` and `other` not counted */

/* --- labels --- */

static struct label *label_of(struct str pattern) {
    struct map_node *node = map_find(&labels, pattern);
    bool counts = node == NULL && pattern.ptr[0] == '/';
    if (counts && patterns == TRAFFIC_ROUTES_MAX)
        return label_of(STR(TRAFFIC_OTHER));
    if (node)
        return CONTAINER_OF(node, struct label, node);
    patterns += counts;
    struct label *label = mem_zalloc(sizeof *label + pattern.len + 1);
    memcpy(label->pattern, pattern.ptr, pattern.len);
    list_init(&label->routes);
    map_insert(&labels, &label->node, str_of(label->pattern));
    return label;
}

static struct asked_route *new_route(struct traffic *traffic, struct label *label) {
    struct asked_route *route = mem_zalloc(sizeof *route);
    route->label = label;
    list_init(&route->in_label);
    list_push(&traffic->routes, &route->in_traffic);
    if (label)
        list_push(&label->routes, &route->in_label);
    return route;
}

static struct asked_route *find(const struct traffic *traffic, const struct label *label) {
    for (struct list *at = traffic->routes.next; at != &traffic->routes; at = at->next) {
        struct asked_route *route = CONTAINER_OF(at, struct asked_route, in_traffic);
        if (route->label == label)
            return route;
    }
    return NULL;
}

struct asked_route *traffic_route(struct traffic *traffic, struct str pattern) {
    pthread_mutex_lock(&lock);
    struct label *label = label_of(pattern);
    struct asked_route *route = find(traffic, label);
    if (route == NULL)
        route = new_route(traffic, label);
    pthread_mutex_unlock(&lock);
    return route;
}

struct asked_route *traffic_none(struct traffic *traffic) {
    if (traffic->none == NULL)
        traffic->none = traffic_route(traffic, STR(TRAFFIC_NONE));
    return traffic->none;
}

struct str traffic_pattern(const struct asked_route *route) {
    return str_of(route->label ? route->label->pattern : "");
}

/* --- counting --- */

uint8_t traffic_method(struct str method) {
    uint8_t i = 0;
    while (i < TRAFFIC_METHODS - 1 && !str_eq(method, str_of(traffic_method_names[i])))
        i++;
    return i;
}

void traffic_make(struct histogram **latency) {
    __atomic_store_n(latency, mem_zalloc(sizeof **latency), __ATOMIC_RELEASE);
}

static void settle(struct traffic *traffic, uint64_t now) {
    for (unsigned i = 0; i < traffic->npending; i++)
        histogram_add(traffic->pending[i].latency, now - traffic->pending[i].started);
    traffic->npending = 0;
}

void traffic_settle(struct traffic *traffic) {
    settle(traffic, clock_mono_ms());
}

static void on_turn_end(struct turn_end *end, uint64_t now) {
    settle(CONTAINER_OF(end, struct traffic, end), now);
}

void traffic_opened(struct asked *asked, enum traffic_kind kind) {
    asked->kind = (uint8_t)kind;
    counter_add(&asked->route->open[kind], 1);
}

void traffic_closed(struct asked *asked) {
    counter_add(&asked->route->open[asked->kind], (uint64_t)-1);
}

/* --- life --- */

void traffic_init(struct traffic *traffic, struct loop *loop) {
    *traffic = (struct traffic){0};
    list_init(&traffic->routes);
    loop_at_end(loop, &traffic->end, on_turn_end);
}

void traffic_set_apart(struct traffic *traffic) {
    traffic->none = new_route(traffic, NULL);
}

/* Latencies become those of the label, which may have some. */
static void keep(struct label *label, struct histogram **from) {
    for (int i = 0; i < TRAFFIC_CELLS; i++) {
        struct histogram **to = &label->gone[i], *gone = from[i];
        if (*to == NULL) {
            *to = gone;
        } else if (gone) {
            histogram_merge(*to, gone);
            free(gone);
        }
    }
}

static void free_latencies(struct histogram **all) {
    for (int i = 0; i < TRAFFIC_CELLS; i++)
        free(all[i]);
}

void traffic_fini(struct traffic *traffic) {
    struct list *node;
    traffic_settle(traffic);
    list_remove(&traffic->end.link);
    pthread_mutex_lock(&lock);
    while ((node = list_pop(&traffic->routes)) != NULL) {
        struct asked_route *route = CONTAINER_OF(node, struct asked_route, in_traffic);
        list_remove(&route->in_label);
        if (route->label)
            keep(route->label, route->latency);
        else
            free_latencies(route->latency);
        free(route);
    }
    pthread_mutex_unlock(&lock);
}

/* --- for who shows it --- */

static void add_latencies(struct traffic_total *total, struct histogram *const *from) {
    for (int i = 0; i < TRAFFIC_CELLS; i++) {
        const struct histogram *latency = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
        int method = i / TRAFFIC_CLASSES, class = i % TRAFFIC_CLASSES;
        if (latency == NULL)
            continue;
        total->asked[method][class] = true;
        histogram_merge(&total->latency[method][class], latency);
    }
}

/* Those that were asked and have not been answered; what is answered meanwhile may still count. */
static uint64_t waiting_at(const struct asked_route *route) {
    uint64_t answered = 0;
    for (int i = 0; i < TRAFFIC_CELLS; i++) {
        const struct histogram *latency = __atomic_load_n(&route->latency[i], __ATOMIC_ACQUIRE);
        for (int j = 0; latency && j <= HISTOGRAM_BOUNDS; j++)
            answered += counter_read(&latency->counts[j]);
    }
    uint64_t asked = counter_read(&route->asked);
    return asked > answered ? asked - answered : 0;
}

static void add_label(struct traffic_total *total, const struct label *label) {
    *total = (struct traffic_total){.pattern = str_of(label->pattern)};
    add_latencies(total, label->gone);
    for (struct list *at = label->routes.next; at != &label->routes; at = at->next) {
        const struct asked_route *route = CONTAINER_OF(at, struct asked_route, in_label);
        counters_sum(total->open, route->open, TRAFFIC_KINDS);
        total->open[TRAFFIC_WAITING] += waiting_at(route);
        add_latencies(total, route->latency);
    }
}

/* All that there are, to be freed: the list, for labels stay. */
static struct label **list_labels(size_t *count) {
    pthread_mutex_lock(&lock);
    struct label **list = mem_alloc((labels.count + 1) * sizeof *list);
    *count = 0;
    for (struct map_node *node = map_next(&labels, NULL); node; node = map_next(&labels, node))
        list[(*count)++] = CONTAINER_OF(node, struct label, node);
    pthread_mutex_unlock(&lock);
    return list;
}

void traffic_each(void (*each)(void *arg, const struct traffic_total *total), void *arg) {
    size_t count;
    struct label **list = list_labels(&count);
    struct traffic_total *total = mem_alloc(sizeof *total);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&lock);
        add_label(total, list[i]);
        pthread_mutex_unlock(&lock);
        each(arg, total);
    }
    free(total);
    free(list);
}
