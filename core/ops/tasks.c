/* tasks: where all suspended tasks wait, for who operates the server.
 *
 *     each worker: the text of each task, those that are alike counted --survey--> counted again,
 *     the largest group first
 *
 * What a task is and where it waits is a text: who started it, what it waits for, its traceback
 * (serve/inspect). Tasks with the same text are one group, and a handler that leaks them makes a
 * large one, whose traceback says where. A worker writes texts for at most TASKS_LOOKED_AT of its
 * tasks, so that looking does not hold up what it looks at; what is beyond is counted. Belongs to
 * one request. */
#include "ops/tasks.h"

#include "base/map.h"
#include "base/mem.h"
#include "ops/survey.h"
#include "serve/host.h"
#include "serve/inspect.h"

#include <stdlib.h>

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

struct header { /* of a group in what is found; its text follows */
    uint64_t count;
    size_t len; /* 0: these were not looked at */
};

static void add_found(struct buf *out, uint64_t count, struct str text) {
    struct header header = {count, text.len};
    buf_append(out, &header, sizeof header);
    buf_add(out, text);
}

static void look_at(void *arg, struct task *task, const char *prefix) {
    struct groups *groups = arg;
    struct buf text = {0};
    if (groups->tasks++ >= TASKS_LOOKED_AT)
        return;
    groups->looked++;
    inspect_describe(task, prefix, &text);
    add_group(groups, buf_str(&text), 1);
    buf_fini(&text);
}

static void look(struct survey *survey, struct host *host, struct loop *loop, struct buf *out) {
    struct groups groups = {0};
    (void)survey, (void)loop;
    for (int i = 0; host_mount(host, i); i++)
        mount_each_task(host_mount(host, i), look_at, &groups);
    for (struct map_node *node = map_next(&groups.map, NULL); node;
         node = map_next(&groups.map, node)) {
        const struct group *group = CONTAINER_OF(node, struct group, node);
        add_found(out, group->count, (struct str){group->text, group->len});
    }
    if (groups.tasks > groups.looked)
        add_found(out, groups.tasks - groups.looked, STR(""));
    free_groups(&groups);
}

/* --- back at home --- */

static void take_found(struct groups *groups, struct str found) {
    while (found.len > 0) {
        struct header header;
        memcpy(&header, found.ptr, sizeof header);
        struct str text = {found.ptr + sizeof header, header.len};
        groups->tasks += header.count;
        if (header.len > 0) {
            groups->looked += header.count;
            add_group(groups, text, header.count);
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
    show(&out, &groups);
    stream_respond(stream, "text/plain; charset=utf-8", out.data, out.len);
    buf_fini(&out);
    free_groups(&groups);
}

static void free_survey(struct survey *survey) {
    free(survey);
}

void tasks_serve(struct stream *stream, struct loop *home, struct crew *crew) {
    static const struct survey_ops ops = {look, tell, free_survey};
    survey_start(mem_alloc(sizeof(struct survey)), &ops, home, crew, stream);
}
