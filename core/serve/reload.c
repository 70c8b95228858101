/* reload: a newer generation of an app takes over in all workers at once, or in none.
 *
 *     idle --> LOAD --> START --> the number is stored --> TAKE --> BEGIN --> idle
 *                \________\______ DROP, the one before goes on _______________^
 *
 * Each step is an order to all workers, and is over when all have reported. LOAD: the app file runs
 * beside what serves. START: its on_start functions return; both within START_MS. Storing the
 * number is the takeover, for topics' rules too: whoever reads it next, in any worker, is answered
 * by the newer one. TAKE: background tasks of older ones are cancelled and have ended. BEGIN: those
 * of the newer one, held so far, start. The first that fails before the takeover makes all DROP.
 *
 * The coordinator is a few functions on the first worker's loop; orders and reports are mail, so
 * nothing here needs a lock. A request that comes meanwhile is remembered. It must not know who
 * asks, nor why. */
#include "serve/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/loop.h"
#include "serve/host.h"
#include "vm/lineage.h"

#include <stdlib.h>

enum step { LOAD, START, TAKE, BEGIN, DROP, STEPS, IDLE = STEPS };

struct slip { /* an order, or the report on it */
    struct mail mail;
    struct station *station;
    enum step step;
};

struct station { /* a worker's part in the reloads of one app */
    struct reload *reload;
    struct member *member;
    char *error; /* of its last step; read by the coordinator once that is reported */
    struct slip orders[STEPS], reports[STEPS];
};

struct member { /* a worker */
    struct loop *loop;
    struct host *host; /* NULL: not here yet, or closing */
};

struct reload {
    struct reloads *all;
    int app;
    const char *name;
    struct lineage lineage;
    atomic_bool wanted, stale; /* asked for: a reload; that pages are reloaded */
    atomic_bool going_on;      /* `step` is another one than IDLE, for other threads */
    /* The coordinator's: */
    enum step step;
    int missing; /* reports */
    unsigned newest;
    char *error;
    uint64_t begun;
    struct timer limit;
    struct station *stations;
};

struct reloads {
    struct reload_events events;
    struct pages *pages;
    struct member *members;
    int workers, apps;
    atomic_bool open;
    struct mail kick;
    struct reload *list;
};

/* --- in each worker --- */

static void report(struct station *station, enum step step) {
    loop_post(station->reload->all->members[0].loop, &station->reports[step].mail);
}

static void on_started(char *error_take, void *arg) {
    struct station *station = arg;
    station->error = error_take;
    report(station, START);
}

static void on_retired(void *arg) {
    report(arg, TAKE);
}

static void on_order(struct mail *mail) {
    struct slip *slip = CONTAINER_OF(mail, struct slip, mail);
    struct station *station = slip->station;
    struct reload *reload = station->reload;
    struct host *host = station->member->host;
    if (host == NULL)
        return;
    switch (slip->step) {
    case LOAD:
        station->error = host_load_next(host, reload->app, reload->newest);
        break;
    case START:
        host_start_next(host, reload->app, station->member == reload->all->members, on_started,
                        station);
        return;
    case TAKE:
        host_retire(host, reload->app, on_retired, station);
        return;
    case BEGIN:
        host_begin(host, reload->app);
        break;
    default:
        host_drop_next(host, reload->app);
    }
    report(station, slip->step);
}

/* --- the coordinator --- */

static void set_step(struct reload *reload, enum step step) {
    reload->step = step;
    reload->missing = reload->all->workers;
    for (int i = 0; i < reload->all->workers; i++)
        loop_post(reload->all->members[i].loop, &reload->stations[i].orders[step].mail);
}

static void begin(struct reload *reload) {
    struct reload_events *events = &reload->all->events;
    struct loop *loop = reload->all->members[0].loop;
    reload->newest++;
    reload->begun = clock_mono_ms();
    if (events->began)
        events->began(events->arg, reload->app);
    loop_timer(loop, &reload->limit, START_MS);
    set_step(reload, LOAD);
}

/* Who asks whether something goes on meanwhile sees the one or the other. */
static void look_for_work(struct reload *reload) {
    if (reload->step != IDLE || reload->all->members[0].host == NULL)
        return;
    atomic_store(&reload->going_on, true);
    if (atomic_exchange(&reload->wanted, false))
        begin(reload);
    else
        atomic_store(&reload->going_on, false);
}

static void tell_pages(struct reload *reload, const char *error) {
    struct reloads *all = reload->all;
    if (all->pages)
        pages_tell(all->pages, host_reader(all->members[0].host), reload->app, error);
}

static void tell_end(struct reload *reload) {
    struct reload_events *events = &reload->all->events;
    timer_clear(&reload->limit);
    if (events->ended)
        events->ended(events->arg, reload->app, reload->error);
    tell_pages(reload, reload->error);
}

static void give_up(struct reload *reload, char *error_take) {
    struct buf text = {0};
    unsigned current = lineage_current(&reload->lineage);
    buf_printf(&text, "the app %s was not reloaded, ", reload->name);
    if (current)
        buf_printf(&text, "generation %u goes on: %s", current, error_take);
    else
        buf_printf(&text, "none answers yet: %s", error_take);
    log_text(LOG_ERROR, buf_str(&text));
    buf_fini(&text);
    reload->error = error_take;
    atomic_fetch_add(&lineage_counters.failures, 1);
    tell_end(reload);
    set_step(reload, DROP);
}

static void on_limit(struct timer *timer) {
    struct reload *reload = CONTAINER_OF(timer, struct reload, limit);
    give_up(reload, mem_strdup(reload->step == START ? START_LATE
                                                     : "the app file did not return within 10 s"));
}

static void take_over(struct reload *reload) {
    host_apply_rules(reload->all->members[0].host, reload->app);
    atomic_store(&reload->lineage.current, reload->newest);
    log_info("the app %s was reloaded: generation %u answers after %llu ms", reload->name,
             reload->newest, (unsigned long long)(clock_mono_ms() - reload->begun));
    atomic_fetch_add(&lineage_counters.reloads, 1);
    tell_end(reload);
    set_step(reload, TAKE);
}

static void forget_errors(struct reload *reload) {
    free(reload->error);
    reload->error = NULL;
    for (int i = 0; i < reload->all->workers; i++) {
        free(reload->stations[i].error);
        reload->stations[i].error = NULL;
    }
}

static void go_on(struct reload *reload) {
    switch (reload->step) {
    case LOAD:
        set_step(reload, START);
        break;
    case START:
        take_over(reload);
        break;
    case TAKE:
        set_step(reload, BEGIN);
        break;
    default:
        forget_errors(reload);
        reload->step = IDLE;
        look_for_work(reload);
    }
}

static void on_report(struct mail *mail) {
    struct slip *slip = CONTAINER_OF(mail, struct slip, mail);
    struct station *station = slip->station;
    struct reload *reload = station->reload;
    MUST(loop_is_mine(reload->all->members[0].loop));
    if (slip->step != reload->step || reload->all->members[0].host == NULL)
        return; /* on a step that was given up: what it says is forgotten with the DROP */
    if (station->error && reload->step < TAKE) {
        char *error = station->error;
        station->error = NULL;
        give_up(reload, error);
    } else if (--reload->missing == 0) {
        go_on(reload);
    }
}

static void on_kick(struct mail *mail) {
    struct reloads *reloads = CONTAINER_OF(mail, struct reloads, kick);
    struct host *host = reloads->members[0].host;
    for (int i = 0; host && i < reloads->apps; i++) {
        if (atomic_exchange(&reloads->list[i].stale, false) && reloads->pages)
            pages_refresh(reloads->pages, host_reader(host), i);
        look_for_work(&reloads->list[i]);
    }
}

static void request(struct reload *reload) {
    atomic_store(&reload->wanted, true);
    if (atomic_load(&reload->all->open))
        loop_post(reload->all->members[0].loop, &reload->all->kick);
}

void reloads_request(struct reloads *reloads, int app) {
    request(&reloads->list[app]);
}

bool reloads_go_on(const struct reloads *reloads) {
    for (int i = 0; i < reloads->apps; i++)
        if (atomic_load(&reloads->list[i].wanted) || atomic_load(&reloads->list[i].going_on))
            return true;
    return false;
}

void reloads_refresh(struct reloads *reloads, int app) {
    atomic_store(&reloads->list[app].stale, true);
    if (atomic_load(&reloads->open))
        loop_post(reloads->members[0].loop, &reloads->kick);
}

/* --- for its generations --- */

static void on_request(struct lineage *lineage) {
    request(CONTAINER_OF(lineage, struct reload, lineage));
}

static void on_looked(struct lineage *lineage, const char *path) {
    const struct reload *reload = CONTAINER_OF(lineage, struct reload, lineage);
    const struct reload_events *events = &reload->all->events;
    events->looked(events->arg, reload->app, path);
}

static const struct lineage_ops lineage_ops = {on_request, on_looked};

struct lineage *reloads_lineage(struct reloads *reloads, int app) {
    return &reloads->list[app].lineage;
}

/* --- life --- */

static void init_station(struct reload *reload, int worker) {
    struct station *station = &reload->stations[worker];
    station->reload = reload;
    station->member = &reload->all->members[worker];
    for (enum step step = LOAD; step < STEPS; step++) {
        station->orders[step] =
            (struct slip){.mail = {.run = on_order}, .station = station, .step = step};
        station->reports[step] =
            (struct slip){.mail = {.run = on_report}, .station = station, .step = step};
    }
}

struct reloads *reloads_new(const struct sources *sources, int workers,
                            const struct reload_events *events, struct pages *pages) {
    struct reloads *reloads = mem_zalloc(sizeof *reloads);
    reloads->pages = pages;
    if (events)
        reloads->events = *events;
    reloads->workers = workers;
    reloads->apps = sources->count;
    reloads->members = mem_zalloc((size_t)workers * sizeof *reloads->members);
    reloads->list = mem_zalloc((size_t)sources->count * sizeof *reloads->list);
    reloads->kick.run = on_kick;
    for (int i = 0; i < sources->count; i++) {
        struct reload *reload = &reloads->list[i];
        reload->all = reloads;
        reload->lineage.ops = &lineage_ops;
        reload->lineage.watched = reloads->events.looked != NULL;
        reload->app = i;
        reload->name = sources->list[i].name;
        reload->step = IDLE;
        reload->newest = 1;
        timer_init(&reload->limit, on_limit);
        reload->stations = mem_zalloc((size_t)workers * sizeof *reload->stations);
        for (int j = 0; j < workers; j++)
            init_station(reload, j);
    }
    return reloads;
}

void reloads_free(struct reloads *reloads) {
    for (int i = 0; i < reloads->apps; i++) {
        forget_errors(&reloads->list[i]);
        free(reloads->list[i].stations);
    }
    free(reloads->list);
    free(reloads->members);
    free(reloads);
}

void reloads_join(struct reloads *reloads, int worker, struct loop *loop, struct host *host) {
    reloads->members[worker] = (struct member){loop, host};
}

void reloads_leave(struct reloads *reloads, int worker) {
    reloads->members[worker].host = NULL;
    for (int i = 0; worker == 0 && i < reloads->apps; i++)
        timer_clear(&reloads->list[i].limit);
}

void reloads_open(struct reloads *reloads, char *const *errors) {
    for (int i = 0; i < reloads->apps; i++)
        atomic_store(&reloads->list[i].lineage.current, errors[i] ? 0 : 1);
    atomic_store(&reloads->open, true);
    loop_post(reloads->members[0].loop, &reloads->kick);
}
