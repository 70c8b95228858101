/* store_load: events through core/store, as a hub with GROUP publishers would send them.
 *
 *   store_load FOLDER EVENTS GROUP BYTES [KEEP]
 *
 * GROUP events are outstanding: each is sent again, with the next id, when it is done, so that the
 * store makes groups of about that size by itself. KEEP is how many events the topic keeps: with it
 * trimming is in the figure. Prints the microseconds per event, wall clock, and the events per
 * second.
 */
#include "base/clock.h"
#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store *store;
static uint64_t next_id, most;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the hub's, as it were */
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static long outstanding;

static void send(struct stored_event *event) {
    struct list one;
    list_init(&one);
    list_push(&one, &event->op.link);
    event->id = ++next_id;
    store_append(store, &one);
}

static void on_done(struct stored_event *event, int error) {
    if (error < 0)
        exit(1);
    pthread_mutex_lock(&lock);
    if (next_id < most)
        send(event);
    else if (--outstanding == 0)
        pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    static char text[65536];
    char why[STORE_WHY_BYTES];
    if (argc < 5 || atoi(argv[4]) > (int)sizeof text)
        return 2;
    memset(text, 'x', sizeof text);
    most = strtoull(argv[2], NULL, 10);
    outstanding = atol(argv[3]);
    struct stored_event like = {.topic = STR("topic"),
                                .text = {text, strtoull(argv[4], NULL, 10)},
                                .keep = RETENTION_ALL,
                                .done = on_done};
    if (argc > 5)
        like.keep.count = strtoull(argv[5], NULL, 10);
    struct stored_event *events = calloc((size_t)outstanding, sizeof *events);
    if (events == NULL || store_open(argv[1], &store, why, sizeof why) < 0) {
        fprintf(stderr, "store_load: %s\n", why);
        return 1;
    }
    long n = outstanding;
    uint64_t begun = clock_mono_ns();
    pthread_mutex_lock(&lock);
    for (long i = 0; i < n; i++) {
        events[i] = like;
        send(&events[i]);
    }
    while (outstanding > 0)
        pthread_cond_wait(&ended, &lock);
    pthread_mutex_unlock(&lock);
    double took = (double)(clock_mono_ns() - begun);
    printf("%.3f %.0f\n", took / 1e3 / (double)most, (double)most * 1e9 / took);
    store_close(store);
    free(events);
    return 0;
}
