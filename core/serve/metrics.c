/* metrics: what the process counts, as Prometheus reads it, from the admin endpoint or an app.
 *
 *     # HELP weir_reloads_total Reloads, by whether the newer version took over.
 *     # TYPE weir_reloads_total counter
 *     weir_reloads_total{result="done"} 3
 *
 * The text format, version 0.0.4. Names are those of the tables that weir.stats reads (bind/stats),
 * between "weir_" and, of what only grows, "_total"; rows of one metric stand together, wherever
 * their tables are. Labels are chosen by whoever writes apps and by us, never by clients.
 *
 * Each worker counts in memory of its own; here it is read, from another thread, while it counts.
 * So the numbers of one answer are not of one moment, and each is right. A thousand routes make
 * megabytes of text: weir.metrics has the pool make it, for no worker is to stand still for it. */
#include "serve/metrics.h"

#include "base/mem.h"
#include "base/version.h"
#include "bind/stats.h"
#include "count/traffic.h"
#include "hub/hub.h"
#include "net/loops.h"
#include "net/work.h"
#include "serve/crew.h"
#include "store/store.h"
#include "vm/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- the tables --- */

static const char *metric_of(const struct counter_row *row) {
    return row->metric ? row->metric : row->name;
}

static bool is_same_metric(const struct counter_row *a, const struct counter_row *b) {
    return strcmp(metric_of(a), metric_of(b)) == 0;
}

static const char *suffix_of(const struct counter_row *row) {
    return row->kind == COUNTER ? "_total" : "";
}

static void add_head(struct buf *out, const char *name, const char *suffix, const char *type,
                     const char *help) {
    buf_printf(out, "# HELP weir_%s%s %s\n# TYPE weir_%s%s %s\n", name, suffix, help, name, suffix,
               type);
}

static void add_value(struct buf *out, const struct counter_row *row) {
    bool labelled = row->label != NULL;
    buf_printf(out, "weir_%s%s%s%s%s %llu\n", metric_of(row), suffix_of(row), labelled ? "{" : "",
               labelled ? row->label : "", labelled ? "}" : "",
               (unsigned long long)row->read(row->at));
}

/* The first row of that metric, in all tables. */
static const struct counter_row *first_of(const struct counter_row *of) {
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            if (is_same_metric(row, of))
                return row;
    return of;
}

static void add_all_of(struct buf *out, const struct counter_row *first) {
    add_head(out, metric_of(first), suffix_of(first), first->kind == COUNTER ? "counter" : "gauge",
             first->help);
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            if (is_same_metric(row, first))
                add_value(out, row);
}

static void add_tables(struct buf *out) {
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            if (first_of(row) == row)
                add_all_of(out, row);
}

/* --- histograms --- */

/* `labels` is "" or `name="value",`, with the comma. */
static void add_histogram(struct buf *out, const char *name, const char *labels,
                          const struct histogram *histogram) {
    uint64_t count = 0;
    for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->counts[i];
        buf_printf(out, "weir_%s_bucket{%sle=\"%g\"} %llu\n", name, labels,
                   histogram_bounds[i] / 1000.0, (unsigned long long)count);
    }
    count += histogram->counts[HISTOGRAM_BOUNDS];
    buf_printf(out, "weir_%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels,
               (unsigned long long)count);
    size_t n = strlen(labels);
    struct str alone = {labels, n > 0 ? n - 1 : 0};
    const char *open = n > 0 ? "{" : "", *close = n > 0 ? "}" : "";
    buf_printf(out, "weir_%s_sum%s%.*s%s %.3f\n", name, open, STR_ARG(alone), close,
               (double)histogram->sum / 1000);
    buf_printf(out, "weir_%s_count%s%.*s%s %llu\n", name, open, STR_ARG(alone), close,
               (unsigned long long)count);
}

static void add_time(struct buf *out, const char *name, void (*read)(struct histogram *),
                     const char *help) {
    struct histogram histogram;
    read(&histogram);
    add_head(out, name, "", "histogram", help);
    add_histogram(out, name, "", &histogram);
}

static void add_times(struct buf *out) {
    add_time(out, "turn_seconds", loops_turns,
             "How long turns of event loops lasted, for which all else there waits.");
    add_time(out, "publish_wait_seconds", hub_waits,
             "How long those took who publish to durable topics, or wait for subscribers.");
    add_time(out, "commit_seconds", store_commits, "How long the store's transactions took.");
}

/* --- by route --- */

#define LATENCY "route_latency_seconds"

static void add_valid(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n')
            buf_add(out, STR("\\n"));
        else if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_printf(out, "\\%c", text.ptr[i]);
        else
            buf_add_char(out, text.ptr[i]);
}

/* As a label's value has it: what scripts write into patterns may be anything. One that is not
 * UTF-8 would have the reader refuse all that there is, so such bytes are shown as "\xff". */
static void add_escaped(struct buf *out, struct str text) {
    size_t valid;
    while ((valid = str_utf8_valid(text)) < text.len) {
        add_valid(out, (struct str){text.ptr, valid});
        buf_printf(out, "\\\\x%02x", (unsigned char)text.ptr[valid]);
        text = (struct str){text.ptr + valid + 1, text.len - valid - 1};
    }
    add_valid(out, text);
}

static void add_open(void *arg, const struct traffic_total *total) {
    struct buf *out = arg, route = {0};
    add_escaped(&route, total->pattern);
    for (int kind = 0; kind < TRAFFIC_KINDS; kind++)
        buf_printf(out, "weir_route_streams{route=\"%.*s\",kind=\"%s\"} %llu\n",
                   STR_ARG(buf_str(&route)), traffic_kind_names[kind],
                   (unsigned long long)total->open[kind]);
    buf_fini(&route);
}

static void add_cell(struct buf *out, struct str route, const char *method, const char *status,
                     const struct histogram *latency) {
    struct buf labels = {0};
    buf_printf(&labels, "route=\"%.*s\",method=\"%s\",status=\"%s\",", STR_ARG(route), method,
               status);
    buf_add_char(&labels, '\0');
    add_histogram(out, LATENCY, labels.data, latency);
    buf_fini(&labels);
}

static void add_latency(void *arg, const struct traffic_total *total) {
    struct buf *out = arg, route = {0};
    add_escaped(&route, total->pattern);
    for (int i = 0; i < TRAFFIC_METHODS; i++)
        for (int j = 0; j < TRAFFIC_CLASSES; j++)
            if (total->asked[i][j])
                add_cell(out, buf_str(&route), traffic_method_names[i], traffic_class_names[j],
                         &total->latency[i][j]);
    buf_fini(&route);
}

static void add_routes(struct buf *out) {
    add_head(out, "route_streams", "", "gauge",
             "Streams that go on, by route and what they are at.");
    traffic_each(add_open, out);
    add_head(out, LATENCY, "", "histogram",
             "For how long requests waited for the head of their answer.");
    traffic_each(add_latency, out);
}

/* --- the workers, and who this is --- */

static void add_workers(struct buf *out, struct crew *crew) {
    add_head(out, "worker_busy_seconds", "", "gauge",
             "For how long a worker has been in one turn of its loop.");
    for (int i = 0; i < crew_count(crew); i++)
        buf_printf(out, "weir_worker_busy_seconds{worker=\"%d\"} %.3f\n", i,
                   (double)crew_busy_ms(crew, i) / 1000);
    add_head(out, "worker_cpu_seconds", "_total", "counter", "CPU time of a worker's thread.");
    for (int i = 0; i < crew_count(crew); i++)
        buf_printf(out, "weir_worker_cpu_seconds_total{worker=\"%d\"} %.3f\n", i,
                   (double)crew_cpu_ns(crew, i) / 1e9);
}

/* Bytes of the process that are in memory; 0: the system does not tell. */
static uint64_t resident(void) {
    unsigned long long all, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re"); /* which waits for no disk */
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &all, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* By the names that all programs have for it. */
static void add_process(struct buf *out) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    buf_printf(out,
               "# HELP process_cpu_seconds_total CPU time of the process.\n"
               "# TYPE process_cpu_seconds_total counter\n"
               "process_cpu_seconds_total %.3f\n"
               "# HELP process_resident_memory_bytes Memory of the process.\n"
               "# TYPE process_resident_memory_bytes gauge\n"
               "process_resident_memory_bytes %llu\n",
               seconds(used.ru_utime) + seconds(used.ru_stime), (unsigned long long)resident());
}

void metrics_add(struct buf *out) {
    struct crew *crew = crew_serving();
    add_head(out, "build_info", "", "gauge", "The version that runs.");
    buf_printf(out, "weir_build_info{version=\"%s\"} 1\n", weir_version);
    add_process(out);
    add_tables(out);
    add_times(out);
    add_routes(out);
    if (crew)
        add_workers(out, crew);
}

/* --- for scripts --- */

struct making {
    struct work work;
    struct task *task; /* that waits; NULL: nobody does any more */
    struct buf text;
};

static void make(struct work *work) {
    metrics_add(&CONTAINER_OF(work, struct making, work)->text);
}

static void done(struct work *work) {
    struct making *making = CONTAINER_OF(work, struct making, work);
    if (making->task)
        state_push_str(task_wake(making->task), buf_str(&making->text));
    buf_fini(&making->text);
    free(making);
}

static void lose(struct task *task) {
    ((struct making *)task->armed)->task = NULL;
}

/* metrics() -> nil, text */
static int l_metrics(lua_State *L) {
    static const struct wait awaiting = {.what = "weir.metrics", .disarm = lose, .elsewhere = true};
    struct task *task = task_enter(L, "weir.metrics");
    if (task == NULL)
        return task_refuse(L);
    struct making *making = task->armed = mem_zalloc(sizeof *making);
    making->work = (struct work){.run = make, .done = done};
    making->task = task;
    work_submit(task->gen->scheduler->loop, &making->work);
    return task_wait(task, &awaiting, WHEEL_NEVER);
}

void bind_metrics(lua_State *L) {
    static const luaL_Reg functions[] = {{"metrics", l_metrics}, {NULL, NULL}};
    state_set(L, functions);
}
