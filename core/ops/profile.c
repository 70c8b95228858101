/* profile: where the Lua of a worker spends its time, for who operates the server.
 *
 *     LOOKING --CHOOSE_MS: the worker that computed most--> SAMPLING --seconds--> told
 *
 * LuaJIT has one profiler in a process, so one state is sampled at a time, and the guard goes
 * before: what is over its time is stopped, and sampling ends early if another state has to be. It
 * begins and ends on the worker's own thread, between two stretches of Lua; the end is a survey, so
 * that a worker that does not come back from a call is named instead. One that has not come to the
 * beginning by the end is asked for neither any more. Whatever becomes of the client, the profiler
 * is given back.
 *
 * Two questions to the workers are under way, and the last that is over frees it. */
#include "ops/profile.h"

#include "base/mem.h"
#include "net/loops.h"
#include "ops/survey.h"
#include "serve/crew.h"
#include "serve/host.h"
#include "serve/mount.h"
#include "vm/guard.h"
#include "vm/profile.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CHOOSE_MS 100
#define PREFIX_MAX 256

struct profiling {
    struct survey survey; /* the end */
    struct profile profile;
    struct sampling sampling;
    struct mail wanted;       /* the guard wants the profiler back */
    struct loop *home, *loop; /* ours, and the worker's: its thread's */
    struct crew *crew;
    struct stream *stream;
    struct timer timer;
    struct question *begin; /* home's: it is under way; NULL: it is not */
    atomic_flag claimed;    /* by the worker that begins, or at home: it is not to */
    uint64_t seconds;
    int worker;         /* -1: not chosen yet */
    uint64_t *computed; /* CPU time of each worker when it was asked */
    char app[PREFIX_MAX];
    const char *refused; /* why it is not sampled; NULL: it is */
    atomic_int refs;
};

static atomic_flag under_way = ATOMIC_FLAG_INIT;

static void let_go(struct profiling *profiling) {
    if (atomic_fetch_sub(&profiling->refs, 1) > 1)
        return;
    if (profiling->loop) /* a worker that has ended may not have come to it; its loop is there */
        loop_take_back(profiling->loop, &profiling->wanted);
    profile_fini(&profiling->profile);
    free(profiling->computed);
    free(profiling);
    atomic_flag_clear(&under_way);
}

/* --- on the worker's thread --- */

static void on_wanted(struct mail *mail) {
    guard_unsample(&CONTAINER_OF(mail, struct profiling, wanted)->sampling);
}

static void want(struct sampling *sampling) {
    struct profiling *profiling = CONTAINER_OF(sampling, struct profiling, sampling);
    loop_post(profiling->loop, &profiling->wanted);
}

/* Of the app at that prefix, or of the only one, whose prefix may be left out; NULL: there is none.
 */
static struct state *find_state(struct host *host, struct str prefix) {
    bool alone = host_mount(host, 1) == NULL;
    for (int i = 0; host_mount(host, i); i++) {
        struct mount *mount = host_mount(host, i);
        bool named = str_eq(prefix, str_of(mount->prefix)) || (alone && prefix.len == 0);
        if (mount->gen && named)
            return &mount->gen->state;
    }
    return NULL;
}

static const char *begin(struct profiling *profiling, struct host *host) {
    struct state *state = host ? find_state(host, str_of(profiling->app)) : NULL;
    if (state == NULL)
        return "there is no such app: say ?app=/NAME, as its path begins";
    profiling->sampling.state = state;
    return guard_sample(&profiling->sampling)
               ? NULL
               : "LuaJIT's profiler is in use, by the guard that stops what is over cpu_time";
}

static bool visit_begin(struct loop *loop, void *arg) {
    struct profiling *profiling = arg;
    bool ours = crew_find(profiling->crew, loop) == profiling->worker;
    if (ours && !atomic_flag_test_and_set(&profiling->claimed)) {
        profiling->loop = loop;
        profiling->refused = begin(profiling, crew_host(profiling->crew, profiling->worker));
    }
    return false;
}

/* At home, unless that has left. */
static void begun(void *arg) {
    struct profiling *profiling = arg;
    profiling->begin = NULL;
    let_go(profiling);
}

static void end_here(struct profiling *profiling, struct buf *out) {
    bool to_the_end = guard_unsample(&profiling->sampling);
    if (profiling->loop)
        loop_retract(profiling->loop, &profiling->wanted);
    if (profiling->refused) {
        buf_printf(out, "%s\n", profiling->refused);
        return;
    }
    if (!to_the_end)
        buf_add(out, STR("# ended early: another app was over its cpu_time, or this one was "
                         "reloaded\n"));
    profile_add_folded(&profiling->profile, out);
}

/* Those that began earlier are over, so what they left is seen here. */
static bool look(struct survey *survey, struct host *host, int worker, struct buf *out) {
    struct profiling *profiling = CONTAINER_OF(survey, struct profiling, survey);
    (void)host;
    if (worker == profiling->worker) {
        end_here(profiling, out);
        survey_enough(survey);
    }
    return false;
}

/* --- back at home --- */

static void tell(struct survey *survey, struct stream *stream, struct str found) {
    struct profiling *profiling = CONTAINER_OF(survey, struct profiling, survey);
    struct buf out = {0};
    if (!survey->replied[profiling->worker]) {
        if (survey_add_silent(survey, &out, "", "\n") == 0)
            buf_add(&out, STR("the worker has ended\n"));
        stream_set_status(stream, 503);
    } else if (profiling->refused) {
        stream_set_status(stream, 409);
    }
    buf_add(&out, found);
    stream_respond(stream, "text/plain; charset=utf-8", out.data, out.len);
    buf_fini(&out);
}

static void free_end(struct survey *survey) {
    let_go(CONTAINER_OF(survey, struct profiling, survey));
}

/* Whether the worker has not begun, and will not. */
static bool is_prevented(struct profiling *profiling) {
    if (atomic_flag_test_and_set(&profiling->claimed))
        return false;
    profiling->refused = "the worker has been inside one call all the time";
    return true;
}

/* Told to `stream`, NULL: to nobody. */
static void end(struct profiling *profiling, struct stream *stream) {
    static const struct survey_ops begun_ops = {look, tell, free_end, .late = true};
    static const struct survey_ops prevented_ops = {look, tell, free_end, .late = false};
    bool prevented = is_prevented(profiling);
    if (profiling->begin) /* workers of which nothing is wanted, and one may be stuck */
        loops_withdraw(profiling->begin);
    timer_clear(&profiling->timer);
    profiling->stream = NULL;
    if (prevented && stream == NULL)
        let_go(profiling);
    else
        survey_start(&profiling->survey, prevented ? &prevented_ops : &begun_ops, profiling->home,
                     profiling->crew, stream);
}

static int busiest(const struct profiling *profiling) {
    int most = 0;
    uint64_t ns = 0;
    for (int i = 0; i < crew_count(profiling->crew); i++) {
        uint64_t more = crew_cpu_ns(profiling->crew, i) - profiling->computed[i];
        if (more > ns) {
            most = i;
            ns = more;
        }
    }
    return most;
}

static void start(struct profiling *profiling) {
    loop_timer(profiling->home, &profiling->timer, profiling->seconds * 1000);
    profiling->begin = loops_visit(profiling->home, visit_begin, begun, profiling);
}

static void on_timer(struct timer *timer) {
    struct profiling *profiling = CONTAINER_OF(timer, struct profiling, timer);
    if (profiling->worker < 0) {
        profiling->worker = busiest(profiling);
        start(profiling);
        return;
    }
    end(profiling, profiling->stream);
}

/* The client has left. */
static void on_close(struct stream *stream) {
    struct profiling *profiling = stream->owner;
    stream_own(stream, NULL, NULL);
    if (profiling->worker >= 0) {
        end(profiling, NULL);
        return;
    }
    timer_clear(&profiling->timer); /* nothing has begun */
    let_go(profiling);
    let_go(profiling);
}

/* --- being asked --- */

static bool take_pair(struct profiling *profiling, struct str name, struct str value) {
    uint64_t n = 0;
    bool is_number = str_to_u64(value, &n) == 0;
    if (str_eq(name, STR("seconds")) && is_number && n >= 1 && n <= PROFILE_SECONDS_MAX)
        profiling->seconds = n;
    else if (str_eq(name, STR("worker")) && is_number && n < (uint64_t)crew_count(profiling->crew))
        profiling->worker = (int)n;
    else if (str_eq(name, STR("app")) && value.len < PREFIX_MAX)
        snprintf(profiling->app, PREFIX_MAX, "%.*s", STR_ARG(value));
    else
        return false;
    return true;
}

static bool take_query(struct profiling *profiling, struct str query) {
    struct str name, value;
    while (url_query_next(&query, &name, &value)) {
        struct buf decoded = {0};
        url_decode_lenient(value, true, &decoded);
        bool taken = take_pair(profiling, name, buf_str(&decoded));
        buf_fini(&decoded);
        if (!taken)
            return false;
    }
    return true;
}

static struct profiling *new_profiling(struct stream *stream, struct loop *home,
                                       struct crew *crew) {
    struct profiling *profiling = mem_zalloc(sizeof *profiling);
    profile_init(&profiling->profile);
    profiling->sampling = (struct sampling){.profile = &profiling->profile, .wanted = want};
    profiling->wanted.run = on_wanted;
    profiling->home = home;
    profiling->crew = crew;
    profiling->stream = stream;
    profiling->seconds = PROFILE_SECONDS;
    profiling->worker = -1;
    profiling->computed = mem_zalloc((size_t)crew_count(crew) * sizeof *profiling->computed);
    atomic_init(&profiling->refs, 2);
    atomic_flag_clear(&profiling->claimed);
    timer_init(&profiling->timer, on_timer);
    return profiling;
}

void profile_serve(struct stream *stream, struct loop *home, struct crew *crew) {
    static const struct stream_events events = {.on_close = on_close};
    if (atomic_flag_test_and_set(&under_way)) {
        stream_fail(stream, 409, "another profile is under way, and there is one profiler");
        return;
    }
    struct profiling *profiling = new_profiling(stream, home, crew);
    if (!take_query(profiling, request_query(stream->request))) {
        let_go(profiling);
        let_go(profiling);
        stream_fail(stream, 400,
                    "expected seconds=1 to 60, worker=, a number from 0 on, app=/NAME");
        return;
    }
    stream_own(stream, &events, profiling);
    for (int i = 0; i < crew_count(crew); i++)
        profiling->computed[i] = crew_cpu_ns(crew, i);
    if (profiling->worker >= 0)
        start(profiling);
    else
        loop_timer(home, &profiling->timer, CHOOSE_MS);
}
