/* The store against a model: topics with retentions, appends, trims, faults, restarts, in
 * any order; after each step some reader's next page holds just what the model says it must. */
#include "store/store.h"

#include "base/fault.h"
#include "net/loop.h"
#include "append_one.h"
#include "store_rig.h"
#include "table.h"

#include <stdio.h>
#include <unistd.h>

#define TOPICS 6
#define EVENTS 4000

struct model_event {
    uint64_t id;
    int topic;
    size_t len;
    bool lives;
};

struct model {
    struct model_event events[EVENTS];
    int count;
    uint64_t last_id;
    struct retention keep[TOPICS];
    uint64_t floor[TOPICS];
};

static const char *const names[TOPICS] = {"a", "b", "c", "d", "a longer name", "f"};
static uint32_t seed;

static uint32_t random_below(uint32_t n) {
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static void model_trim(struct model *model, int topic) {
    const struct retention *keep = &model->keep[topic];
    uint64_t count = 0, bytes = 0;
    for (int i = model->count; i-- > 0;) {
        struct model_event *event = &model->events[i];
        if (event->topic != topic || !event->lives)
            continue;
        bytes += event->len;
        event->lives = ++count <= keep->count && (bytes <= keep->bytes || count == 1) &&
                       event->id > keep->after;
        if (!event->lives && event->id > model->floor[topic])
            model->floor[topic] = event->id;
    }
}

/* `len` bytes that depend on the id. */
static const char *text_of(uint64_t id, size_t len) {
    static char text[256];
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + (id + i) % 26);
    text[len] = '\0';
    return text;
}

static void append(struct store_rig *rig, struct model *model, bool fails) {
    int topic = (int)random_below(TOPICS);
    uint64_t id = model->last_id + 1 + random_below(1000);
    size_t len = random_below(200);
    if (random_below(50) == 0) /* what came some ids ago is too old from now on */
        model->keep[topic].after = id > 5000 ? id - 5000 : 0;
    srig_put(rig, id, names[topic], "", text_of(id, len), model->keep[topic]);
    if (fails)
        return;
    model->last_id = id;
    model->events[model->count++] = (struct model_event){id, topic, len, true};
    model_trim(model, topic);
}

static void append_some(struct store_rig *rig, struct model *model) {
    int n = 1 + (int)random_below(20);
    bool fails = random_below(10) == 0;
    srig_hold(rig);
    rig->count = 0;
    if (fails)
        fault_arm(random_below(2) ? "store_commit" : "store_write", UV_EIO, 0, 1);
    struct retention before[TOPICS];
    memcpy(before, model->keep, sizeof before);
    for (int i = 0; i < n && model->count < EVENTS; i++)
        append(rig, model, fails);
    if (fails)
        memcpy(model->keep, before, sizeof before);
    fails = fails && model->count < EVENTS;
    srig_release(rig);
    srig_wait(rig);
    for (size_t i = 0; i < rig->count; i++)
        assert_int_equal(rig->errors[i], fails ? UV_EIO : 0);
    fault_reset();
}

static void trim_one(struct store_rig *rig, struct model *model) {
    int topic = (int)random_below(TOPICS);
    if (random_below(4) == 0 && model->last_id > 20000)
        model->keep[topic].after = model->last_id - 20000;
    store_trim(rig->store, str_of(names[topic]), model->keep[topic]);
    model_trim(model, topic);
}

static void restart(struct store_rig *rig, struct model *model) {
    srig_reopen(rig);
    assert_int_equal(store_last_id(rig->store), model->last_id);
    for (int i = 0; i < TOPICS; i++)
        store_trim(rig->store, str_of(names[i]), model->keep[i]);
}

/* Queued behind all that was queued so far: when it is done, so is that. Its topic keeps nothing.
 */
static void settle(struct store_rig *rig) {
    srig_hold(rig);
    srig_release(rig);
}

static void check_page(struct model *model, const struct page *page, const int *chosen) {
    size_t at = 0, bytes = 0;
    uint64_t floor = 0;
    for (size_t t = 0; t < page->ntopics && page->after < page->upto; t++) {
        int topic = chosen[t];
        uint64_t one = model->floor[topic];
        if (one <= page->after)
            one = 0;
        assert_int_equal(page->floors[t], one);
        if (one > floor)
            floor = one;
    }
    assert_int_equal(page->floor, floor);
    for (int i = 0; i < model->count; i++) {
        const struct model_event *event = &model->events[i];
        size_t t = 0;
        while (t < page->ntopics && chosen[t] != event->topic)
            t++;
        if (!event->lives || t == page->ntopics || event->id <= page->after ||
            event->id > page->upto)
            continue;
        if (at > 0 && bytes + event->len > page->bytes_max) {
            assert_true(page->more);
            break;
        }
        assert_true(at < page->count);
        assert_int_equal(page->entries[at].id, event->id);
        assert_int_equal(page->entries[at].topic, t);
        assert_true(
            str_eq(page_text(page, at), (struct str){text_of(event->id, event->len), event->len}));
        bytes += event->len;
        at++;
    }
    assert_int_equal(page->count, at);
}

static void read_some(struct store_rig *rig, struct model *model) {
    int chosen[TOPICS];
    struct str topics[TOPICS];
    size_t n = 0;
    for (int i = 0; i < TOPICS; i++) {
        if (random_below(2) == 0)
            continue;
        topics[n] = str_of(names[i]);
        chosen[n++] = i;
    }
    struct page page = {.topics = topics, .ntopics = n, .bytes_max = random_below(3000)};
    page.after = random_below((uint32_t)model->last_id + 1);
    page.upto = random_below(3) ? UINT64_MAX : random_below((uint32_t)model->last_id + 1);
    do {
        srig_read(rig, &page);
        assert_int_equal(page.error, 0);
        check_page(model, &page, chosen);
        if (page.more)
            page.after = page.entries[page.count - 1].id;
    } while (page.more);
    page_fini(&page);
}

static void it_does_what_the_model_does(void **state) {
    struct store_rig *rig = *state;
    struct model *model = test_calloc(1, sizeof *model);
    for (seed = 1; seed < 4; seed++) {
        uint32_t this = seed;
        memset(model, 0, sizeof *model);
        for (int i = 0; i < TOPICS; i++)
            model->keep[i] = (struct retention){1u << random_below(9), 50 + random_below(5000), 0};
        while (model->count < EVENTS) {
            switch (random_below(12)) {
            case 0:
                trim_one(rig, model);
                break;
            case 1:
                if (random_below(5) == 0)
                    restart(rig, model);
                break;
            default:
                append_some(rig, model);
            }
            settle(rig);
            read_some(rig, model);
        }
        /* the next seed's ids begin at 0 again: in a folder of its own */
        srig_close(rig);
        unlink(srig_path(rig, "weir.db"));
        srig_open(rig);
        seed = this;
    }
    test_free(model);
}

/* 1,000 topics, of which each event goes to another: the merge over all of them. */
static void a_thousand_topics_are_merged(void **state) {
    struct store_rig *rig = *state;
    static char text[1000][16];
    static struct str topics[1000];
    for (int i = 0; i < 1000; i++)
        topics[i] = (struct str){text[i], (size_t)snprintf(text[i], sizeof text[i], "t/%d", i)};
    seed = 7;
    for (uint64_t id = 1; id <= 5000; id++)
        srig_put(rig, id, text[random_below(1000)], "", "x", RETENTION_ALL);
    srig_wait(rig);
    struct page page = {.topics = topics, .ntopics = 1000, .upto = UINT64_MAX, .bytes_max = 700};
    uint64_t next = 1;
    do {
        srig_read(rig, &page);
        assert_int_equal(page.count, next > 4900 ? 100 : 700);
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.entries[i].id, next++);
        page.after = next - 1;
    } while (page.more);
    assert_int_equal(next, 5001);
    page_fini(&page);
}

/* --- reading while it is written and trimmed --- */

#define STREAM_EVENTS 20000
#define OUTSTANDING 32

static struct {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t next, newest; /* to be sent, done */
    int outstanding;
} flow = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void send_next(struct stored_event *event) {
    event->id = ++flow.next;
    event->topic = event->id % 2 ? STR("odd") : STR("even");
    append_one(flow.store, event);
}

static void sent(struct stored_event *event, int error) {
    pthread_mutex_lock(&flow.lock);
    flow.newest = error ? UINT64_MAX : event->id;
    if (flow.next < STREAM_EVENTS)
        send_next(event);
    else
        flow.outstanding--;
    pthread_cond_signal(&flow.changed);
    pthread_mutex_unlock(&flow.lock);
}

/* Every id above the position and the floor that was told is there, up to the last one. */
static uint64_t check_run(const struct page *page) {
    uint64_t next = (page->floor > page->after ? page->floor : page->after) + 1, last = next - 1;
    for (size_t i = 0; i < page->count; i++) {
        last = page->entries[i].id;
        if (last < next)
            continue;
        assert_int_equal(last, next++);
    }
    return last;
}

static void nothing_is_lost_without_a_word(void **state) {
    struct store_rig *rig = *state;
    static struct stored_event events[OUTSTANDING];
    struct str topics[] = {STR("odd"), STR("even")};
    struct page page = {.topics = topics, .ntopics = 2, .upto = UINT64_MAX, .bytes_max = 300};
    int gaps = 0, whole = 0;
    flow.store = rig->store;
    pthread_mutex_lock(&flow.lock);
    flow.outstanding = OUTSTANDING;
    for (int i = 0; i < OUTSTANDING; i++) {
        events[i] = (struct stored_event){
            .text = STR("0123456789"), .keep = {40, UINT64_MAX, 0}, .done = sent};
        send_next(&events[i]);
    }
    while (page.after < STREAM_EVENTS) {
        /* More or less near the floor, which moves on meanwhile: 40 of each are kept. */
        for (uint64_t lag = random_below(80);
             flow.newest <= page.after + lag && flow.newest < STREAM_EVENTS;)
            pthread_cond_wait(&flow.changed, &flow.lock);
        pthread_mutex_unlock(&flow.lock);
        srig_read(rig, &page);
        assert_int_equal(page.error, 0);
        *(page.floor ? &gaps : &whole) += 1;
        page.after = check_run(&page);
        pthread_mutex_lock(&flow.lock);
    }
    while (flow.outstanding > 0)
        pthread_cond_wait(&flow.changed, &flow.lock);
    pthread_mutex_unlock(&flow.lock);
    assert_true(whole > 0);
    print_message("%d pages with a gap, %d without\n", gaps, whole);
    page_fini(&page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_does_what_the_model_does, store_rig_setup,
                                        store_rig_teardown),
        cmocka_unit_test_setup_teardown(a_thousand_topics_are_merged, store_rig_setup,
                                        store_rig_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_lost_without_a_word, store_rig_setup,
                                        store_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
