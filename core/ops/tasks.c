/* tasks: where all suspended tasks wait, for who operates the server.
 *
 *     each worker: the text of each task, those that are alike counted --survey--> counted again,
 *     the largest group first
 *
 * What a task is and where it waits is a text: who started it, what it waits for, its traceback
 * (serve/inspect). Tasks with the same text are one group, and a handler that leaks them makes a
 * large one, whose traceback says where. A worker writes texts for TURN_NS in one turn, and for at
 * most TASKS_LOOKED_AT of its tasks, so that looking does not hold up what it looks at; what is
 * beyond is counted, as are those that have ended before their turn. Belongs to one request. */
#include "ops/tasks.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "ops/survey.h"
#include "serve/crew.h"
#include "serve/host.h"
#include "serve/inspect.h"

#include <stdlib.h>

#define TURN_NS 2000000

struct group {
    struct map_node node;
    uint64_t count;
    size_t len;
    char text[];
};

struct groups {
    struct map map;
    uint64_t looked, tasks;
};

/* --- groups --- */

static void add_group(struct groups *groups, struct str text, uint64_t count) {
    struct map_node *node = map_find(&groups->map, text);
    if (node) {
        CONTAINER_OF(node, struct group, node)->count += count;
        return;
    }
    struct group *group = mem_alloc(sizeof *group + text.len);
    *group = (struct group){.count = count, .len = text.len};
    memcpy(group->text, text.ptr, text.len);
    map_insert(&groups->map, &group->node, (struct str){group->text, text.len});
}

static void free_groups(struct groups *groups) {
    struct map_node *node;
    while ((node = map_next(&groups->map, NULL)) != NULL) {
        map_remove(&groups->map, node);
        free(CONTAINER_OF(node, struct group, node));
    }
    map_fini(&groups->map);
}

/* --- in each worker --- */

/* How far a worker has come. */
struct way {
    bool begun;
    unsigned looked;
    int mount; /* the last one it looked at */
    unsigned generation;
    uint64_t serial;
};

struct asking {
    struct survey survey;
    struct way ways[]; /* each worker's */
};

struct turn {
    struct groups groups;
    struct way *way;
    int mount;
    uint64_t end; /* clock_mono_ns */
};

struct header { /* of a group in what is found; its text follows */
    uint64_t count;
    size_t len; /* 0: so many there are in all */
};

static void add_found(struct buf *out, uint64_t count, struct str text) {
    struct header header = {count, text.len};
    buf_append(out, &header, sizeof header);
    buf_add(out, text);
}

/* Whether a turn before has passed it. Those of one generation stand as they began, but for some
 * that begin while it is cancelled. */
static bool is_passed(const struct way *way, int mount, const struct task *task) {
    if (mount != way->mount)
        return mount < way->mount;
    if (task->gen->number != way->generation)
        return task->gen->number < way->generation;
    return task->serial <= way->serial;
}

static bool look_at(void *arg, struct task *task, const char *prefix) {
    struct turn *turn = arg;
    struct buf text = {0};
    if (is_passed(turn->way, turn->mount, task))
        return true;
    if (turn->way->looked == TASKS_LOOKED_AT || clock_mono_ns() >= turn->end)
        return false;
    inspect_describe(task, prefix, &text);
    add_group(&turn->groups, buf_str(&text), 1);
    buf_fini(&text);
    *turn->way = (struct way){.begun = true,
                              .looked = turn->way->looked + 1,
                              .mount = turn->mount,
                              .generation = task->gen->number,
                              .serial = task->serial};
    return true;
}

static void add_groups(struct buf *out, const struct groups *groups) {
    for (struct map_node *node = map_next(&groups->map, NULL); node;
         node = map_next(&groups->map, node)) {
        const struct group *group = CONTAINER_OF(node, struct group, node);
        add_found(out, group->count, (struct str){group->text, group->len});
    }
}

static bool look(struct survey *survey, struct host *host, int worker, struct buf *out) {
    struct way *way = &CONTAINER_OF(survey, struct asking, survey)->ways[worker];
    struct turn turn = {.way = way, .end = clock_mono_ns() + TURN_NS};
    if (!way->begun)
        add_found(out, counter_read(host_http(host)->tasks), STR(""));
    way->begun = true;
    bool all = true;
    for (; all && host_mount(host, turn.mount); turn.mount += all)
        all = mount_each_task(host_mount(host, turn.mount), look_at, &turn);
    add_groups(out, &turn.groups);
    free_groups(&turn.groups);
    return !all && way->looked < TASKS_LOOKED_AT;
}

/* --- back at home --- */

static void take_found(struct groups *groups, struct str found) {
    while (found.len > 0) {
        struct header header;
        memcpy(&header, found.ptr, sizeof header);
        struct str text = {found.ptr + sizeof header, header.len};
        if (header.len > 0) {
            groups->looked += header.count;
            add_group(groups, text, header.count);
        } else {
            groups->tasks += header.count;
        }
        found = (struct str){text.ptr + text.len, found.len - sizeof header - text.len};
    }
}

static int by_size(const void *a, const void *b) {
    const struct group *x = *(const struct group *const *)a, *y = *(const struct group *const *)b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, n);
    return order ? order : x->len < y->len ? -1 : x->len > y->len;
}

static void show(struct buf *out, const struct groups *groups) {
    size_t n = groups->map.count, i = 0;
    struct group **sorted = mem_alloc((n + 1) * sizeof *sorted);
    for (struct map_node *node = map_next(&groups->map, NULL); node;
         node = map_next(&groups->map, node))
        sorted[i++] = CONTAINER_OF(node, struct group, node);
    qsort(sorted, n, sizeof *sorted, by_size);
    buf_printf(out, "tasks: %llu\nplaces: %zu\n", (unsigned long long)groups->tasks, n);
    if (groups->tasks > groups->looked)
        buf_printf(out, "not looked at: %llu\n",
                   (unsigned long long)(groups->tasks - groups->looked));
    for (i = 0; i < n; i++)
        buf_printf(out, "\n%llu x %.*s\n", (unsigned long long)sorted[i]->count,
                   (int)sorted[i]->len, sorted[i]->text);
    free(sorted);
}

static void tell(struct survey *survey, struct stream *stream, struct str found) {
    struct groups groups = {0};
    struct buf out = {0};
    survey_add_silent(survey, &out, "", "\n");
    take_found(&groups, found);
    if (groups.tasks < groups.looked) /* more have begun meanwhile */
        groups.tasks = groups.looked;
    show(&out, &groups);
    stream_respond(stream, "text/plain; charset=utf-8", out.data, out.len);
    buf_fini(&out);
    free_groups(&groups);
}

static void free_survey(struct survey *survey) {
    free(CONTAINER_OF(survey, struct asking, survey));
}

void tasks_serve(struct stream *stream, struct loop *home, struct crew *crew) {
    static const struct survey_ops ops = {look, tell, free_survey, .late = false};
    size_t ways = (size_t)crew_count(crew) * sizeof(struct way);
    struct asking *asking = mem_zalloc(sizeof *asking + ways);
    survey_start(&asking->survey, &ops, home, crew, stream);
}
