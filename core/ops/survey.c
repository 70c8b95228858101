/* survey: one question to all workers, of which some may not reply.
 *
 *     admin --loops_visit--> each worker: look --the last one, or SURVEY_MS--> tell --> the answer
 *
 * A worker answers between two turns. One that is inside a call for long does not, so the answer
 * does not wait for all, and the question is withdrawn from who has not come to it: whoever asks
 * once a second meanwhile leaves nothing behind there. The survey is freed when the last visit is
 * over, whoever makes that. What a worker finds when the answer has gone is dropped. The client may
 * leave before; then nobody is told. Who has much to tell does so in several turns, and as long as
 * somebody waits for it. It must not know what is asked. */
#include "ops/survey.h"

#include "base/mem.h"
#include "net/loops.h"
#include "serve/crew.h"

#include <stdlib.h>

/* On a worker's thread, or at home, which is none. */
static bool visit(struct loop *loop, void *arg) {
    struct survey *survey = arg;
    int worker = crew_find(survey->crew, loop);
    struct host *host = worker < 0 ? NULL : crew_host(survey->crew, worker);
    struct buf found = {0};
    if (worker < 0)
        return false;
    bool more = host && survey->ops->look(survey, host, worker, &found);
    pthread_mutex_lock(&survey->lock);
    more = more && !survey->over;
    if (!survey->over) {
        survey->replied[worker] = true;
        buf_add(&survey->found, buf_str(&found));
    }
    pthread_mutex_unlock(&survey->lock);
    buf_fini(&found);
    return more;
}

static void tell(struct survey *survey) {
    struct stream *stream = survey->stream;
    survey->stream = NULL;
    timer_clear(&survey->patience);
    pthread_mutex_lock(&survey->lock);
    survey->over = true;
    pthread_mutex_unlock(&survey->lock);
    if (stream == NULL)
        return;
    stream_own(stream, NULL, NULL);
    if (stream->state == STREAM_OPEN)
        survey->ops->tell(survey, stream, buf_str(&survey->found));
    stream_unref(stream);
}

static void give_up(struct survey *survey) {
    if (!survey->ops->late)
        loops_withdraw(survey->question);
    tell(survey);
}

static void on_patience(struct timer *timer) {
    give_up(CONTAINER_OF(timer, struct survey, patience));
}

/* The client has left, or the endpoint closes. */
static void on_close(struct stream *stream) {
    give_up(stream->owner);
}

/* At home; if that has left, its streams are closed, and on any thread. */
static void done(void *arg) {
    struct survey *survey = arg;
    if (survey->stream)
        tell(survey);
    pthread_mutex_destroy(&survey->lock);
    buf_fini(&survey->found);
    free(survey->replied);
    survey->ops->free(survey);
}

void survey_start(struct survey *survey, const struct survey_ops *ops, struct loop *home,
                  struct crew *crew, struct stream *stream) {
    static const struct stream_events events = {.on_close = on_close};
    *survey = (struct survey){.ops = ops, .crew = crew};
    survey->replied = mem_zalloc((size_t)crew_count(crew));
    pthread_mutex_init(&survey->lock, NULL);
    timer_init(&survey->patience, on_patience);
    if (stream) {
        survey->stream = stream_ref(stream);
        loop_timer(home, &survey->patience, SURVEY_MS);
        stream_own(stream, &events, survey);
    }
    pthread_mutex_lock(&survey->lock); /* for survey_enough */
    survey->question = loops_visit(home, visit, done, survey);
    pthread_mutex_unlock(&survey->lock);
}

void survey_enough(struct survey *survey) {
    pthread_mutex_lock(&survey->lock);
    struct question *question = survey->question;
    pthread_mutex_unlock(&survey->lock);
    loops_withdraw(question);
}

int survey_add_silent(const struct survey *survey, struct buf *out, const char *begin,
                      const char *end) {
    int silent = 0;
    for (int i = 0; i < crew_count(survey->crew); i++) {
        char what[CREW_WHAT];
        if (survey->replied[i] || crew_busy_ms(survey->crew, i) == 0)
            continue;
        crew_running(survey->crew, i, what);
        buf_printf(out, "%sworker %d does not reply: it runs %s%s", begin, i, what, end);
        silent++;
    }
    return silent;
}
