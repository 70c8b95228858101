/* inquiry: a search through some logs at once, or a reading of them, in slices.
 *
 *     inquiry_next --nothing is there--> slot --> slice, in the pool --> events --> inquiry_next
 *                                          ^        |  none, and not over
 *                                          +--------+
 *     slice: each log has its next line, or is over --> the newest of them (forward: the oldest)
 *            --> the batch, as JSON --64 KiB, or the slice is over--> a "lines" event
 *
 * A slice takes 16 MiB or 50 ms. So a search of a terabyte holds neither a loop nor a thread for
 * long, and the first lines of it come after a slice, whatever is still to be read. Nothing is read
 * before somebody asks for it: who does not take an event has no slice.
 *
 * Logs are merged by the time of their lines. What stands in a file stands in the order of the
 * file, whatever it says; a line of which nobody knows the time comes before the others are looked
 * at. Backward a batch is turned round, so that in each event lines stand in their order, while the
 * events come the newest first.
 *
 * What cannot be read is a "gap" without a number, and the inquiry goes on with what can be.
 *
 * Owned by who made it, on that loop. Only the slice touches what it reads with, and only between
 * slices the loop does. It knows nothing of Lua. */
#include "search/inquiry.h"

#include "base/clock.h"
#include "base/mem.h"
#include "logs/record.h"
#include "net/work.h"
#include "search/input.h"
#include "search/slot.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SLICE_BYTES (16u << 20)
#define SLICE_NS 50000000u
#define BATCH_BYTES 65536
#define PROGRESS_NS 200000000u

struct event {
    const char *name;
    struct buf id, data;
};

struct inquiry {
    struct loop *loop;
    void (*on_ready)(struct inquiry *, void *);
    void *arg;
    struct slot slot;
    struct work work;
    bool asked; /* for a slot, for a slice */
    bool starved;
    atomic_bool freed;
    /* The slice's: */
    bool backward, plain;
    size_t left; /* lines that may be given */
    struct sift *sift;
    struct prefilter *prefilter;
    struct redact *redact;
    struct input *inputs;
    size_t n;
    struct buf batch; /* records, */
    struct part {
        size_t from, to;
    } * parts; /* each of them */
    size_t n_parts, parts_cap;
    struct event *events; /* those before `at` are taken */
    size_t at, n_events, events_cap;
    uint64_t bytes;   /* read so far */
    uint64_t told_ns; /* the last progress */
    bool over;
};

/* ---- events -----------------------------------------------------------------------------------*/

static struct event *add_event(struct inquiry *inquiry, const char *name) {
    if (inquiry->n_events == inquiry->events_cap) {
        inquiry->events_cap = inquiry->events_cap ? 2 * inquiry->events_cap : 4;
        inquiry->events =
            mem_resize(inquiry->events, inquiry->events_cap * sizeof *inquiry->events);
    }
    struct event *event = &inquiry->events[inquiry->n_events++];
    *event = (struct event){.name = name};
    return event;
}

static void drop_events(struct inquiry *inquiry) {
    for (size_t i = 0; i < inquiry->n_events; i++) {
        buf_fini(&inquiry->events[i].id);
        buf_fini(&inquiry->events[i].data);
    }
    inquiry->at = inquiry->n_events = 0;
}

/* Where all of them go on. */
static void add_places(const struct inquiry *inquiry, struct buf *out) {
    char id[LINE_ID_MAX];
    struct place place;

    for (size_t i = 0; i < inquiry->n; i++) {
        const struct input *input = &inquiry->inputs[i];
        if (input->left_out || !input_place(input, &place))
            continue;
        if (out->len > 0)
            buf_add_char(out, ',');
        buf_append(out, id, line_id_write(id, input->key, &place));
    }
}

static void tell_batch(struct inquiry *inquiry) {
    size_t n = inquiry->n_parts;
    if (n == 0)
        return;
    struct event *event = add_event(inquiry, "lines");
    add_places(inquiry, &event->id);
    buf_reserve(&event->data, inquiry->batch.len + n);
    for (size_t i = 0; i < n; i++) {
        const struct part *part = &inquiry->parts[inquiry->backward ? n - 1 - i : i];
        if (i > 0)
            buf_add_char(&event->data, '\n');
        buf_append(&event->data, inquiry->batch.data + part->from, part->to - part->from);
    }
    inquiry->n_parts = 0;
    inquiry->batch.len = 0;
}

static void tell_gap(struct inquiry *inquiry, const struct input *input) {
    tell_batch(inquiry);
    buf_printf(&add_event(inquiry, "gap")->data, "{\"source\":\"%s\"}", input->key);
}

static void tell_progress(struct inquiry *inquiry) {
    uint64_t bytes = inquiry->bytes, of = 0, now = clock_mono_ns();

    if (now - inquiry->told_ns < PROGRESS_NS)
        return;
    inquiry->told_ns = now;
    for (size_t i = 0; i < inquiry->n; i++)
        of += reading_size(&inquiry->inputs[i].reading);
    buf_printf(&add_event(inquiry, "progress")->data, "{\"bytes\":%llu,\"of\":%llu}",
               (unsigned long long)(bytes < of ? bytes : of), (unsigned long long)of);
}

/* `more`: there may be. */
static void tell_end(struct inquiry *inquiry, bool more) {
    struct buf id = {0};

    tell_batch(inquiry);
    struct event *event = add_event(inquiry, "end");
    if (more)
        add_places(inquiry, &id);
    if (id.len > 0)
        buf_printf(&event->data, "{\"%s\":\"%.*s\"}", inquiry->backward ? "older" : "newer",
                   STR_ARG(buf_str(&id)));
    else
        buf_add(&event->data, STR("{}"));
    buf_fini(&id);
    inquiry->over = true;
}

/* ---- a slice ----------------------------------------------------------------------------------*/

static void take_line(struct inquiry *inquiry, struct input *input) {
    char id[LINE_ID_MAX];
    const struct match *match = input_match(input);
    struct str text = input_text(input, match);

    if (inquiry->n_parts == inquiry->parts_cap) {
        inquiry->parts_cap = inquiry->parts_cap ? 2 * inquiry->parts_cap : 64;
        inquiry->parts = mem_resize(inquiry->parts, inquiry->parts_cap * sizeof *inquiry->parts);
    }
    struct part *part = &inquiry->parts[inquiry->n_parts++];
    part->from = inquiry->batch.len;
    if (inquiry->plain) {
        buf_add(&inquiry->batch, text);
    } else {
        struct place behind = input_behind(input, match);
        record_write(&inquiry->batch,
                     &(struct record){.id = {id, line_id_write(id, input->key, &behind)},
                                      .tells = match->tells,
                                      .line = text,
                                      .cut = match->cut});
    }
    part->to = inquiry->batch.len;
    input_pass(input);
    inquiry->left--;
}

static int64_t time_of(const struct inquiry *inquiry, const struct input *input) {
    int64_t time = input_match(input)->time;
    return time == STAMP_NONE && inquiry->backward ? INT64_MAX : time;
}

/* A block more of a log that has no line, and is not over. */
static void read_block(struct inquiry *inquiry, struct input *input) {
    uint64_t before = input->reading.bytes;

    input->reading.most = inquiry->left;
    if (input_step(input) < 0)
        tell_gap(inquiry, input);
    inquiry->bytes += input->reading.bytes - before;
}

enum advance { NOTHING, LINE, BLOCK };

/* One more line, or a block of a log that has none; NOTHING: there is neither. */
static enum advance advance(struct inquiry *inquiry) {
    struct input *best = NULL;
    int64_t best_time = 0;

    for (size_t i = 0; i < inquiry->n; i++) {
        struct input *input = &inquiry->inputs[i];
        if (!input_has(input)) {
            if (input->left_out || input->over)
                continue;
            read_block(inquiry, input);
            return BLOCK;
        }
        int64_t time = time_of(inquiry, input);
        if (best == NULL || (inquiry->backward ? time >= best_time : time < best_time)) {
            best = input;
            best_time = time;
        }
    }
    if (best)
        take_line(inquiry, best);
    return best ? LINE : NOTHING;
}

/* On a pool thread. */
static void run(struct work *work) {
    struct inquiry *inquiry = CONTAINER_OF(work, struct inquiry, work);
    uint64_t until = clock_mono_ns() + SLICE_NS, most = inquiry->bytes + SLICE_BYTES;
    enum advance step = LINE;

    while (!atomic_load_explicit(&inquiry->freed, memory_order_relaxed)) {
        if (inquiry->left == 0 || (step = advance(inquiry)) == NOTHING) {
            tell_end(inquiry, inquiry->left == 0);
            return;
        }
        if (inquiry->batch.len >= BATCH_BYTES ||
            (step == BLOCK && (inquiry->bytes >= most || clock_mono_ns() >= until)))
            break;
    }
    tell_batch(inquiry);
    tell_progress(inquiry);
}

/* ---- its life ---------------------------------------------------------------------------------*/

static void destroy(struct inquiry *inquiry) {
    for (size_t i = 0; i < inquiry->n; i++)
        input_fini(&inquiry->inputs[i]);
    free(inquiry->inputs);
    drop_events(inquiry);
    free(inquiry->events);
    buf_fini(&inquiry->batch);
    free(inquiry->parts);
    sift_free(inquiry->sift);
    prefilter_free(inquiry->prefilter);
    redact_free(inquiry->redact);
    free(inquiry);
}

static void ask(struct inquiry *inquiry) {
    inquiry->asked = true;
    slot_ask(&inquiry->slot);
}

static void done(struct work *work) {
    struct inquiry *inquiry = CONTAINER_OF(work, struct inquiry, work);

    inquiry->asked = false;
    slot_end(&inquiry->slot);
    if (inquiry->freed) {
        destroy(inquiry);
    } else if (inquiry->n_events == 0) {
        ask(inquiry);
    } else if (inquiry->starved) {
        inquiry->starved = false;
        inquiry->on_ready(inquiry, inquiry->arg);
    }
}

static void go(struct slot *slot) {
    struct inquiry *inquiry = CONTAINER_OF(slot, struct inquiry, slot);
    work_submit(inquiry->loop, &inquiry->work);
}

static struct input *input_named(struct inquiry *inquiry, struct str key) {
    for (size_t i = 0; i < inquiry->n; i++)
        if (str_eq(str_of(inquiry->inputs[i].key), key))
            return &inquiry->inputs[i];
    return NULL;
}

/* With an id that has a single place only that log is asked. */
static int take_id(struct inquiry *inquiry, struct str id, bool upto) {
    struct input *input = NULL;
    struct place place;
    size_t n = 0;

    for (struct str rest = id; rest.ptr; n++) {
        struct str key, text = line_id_cut(&rest, &key);
        if (text.ptr == NULL || place_parse(text, &place) < 0)
            return -1;
        if ((input = input_named(inquiry, key)) == NULL)
            continue;
        *(upto ? &input->has_upto : &input->has_from) = true;
        *(upto ? &input->upto : &input->from) = place;
    }
    for (size_t i = 0; n == 1 && i < inquiry->n; i++)
        inquiry->inputs[i].left_out |= &inquiry->inputs[i] != input;
    return 0;
}

static void add_input(struct inquiry *inquiry, const struct inquiry_options *options,
                      const struct inquiry_file *file) {
    struct input *input = &inquiry->inputs[inquiry->n++];
    *input = (struct input){.path = mem_strdup(file->path), .is_backward = options->backward};
    MUST(strlen(file->key) <= LINE_ID_KEY);
    strcpy(input->key, file->key);
    input->reading.pick = (struct pick){.prefilter = options->prefilter,
                                        .sift = options->sift,
                                        .redact = options->redact,
                                        .max_line = options->max_line,
                                        .since = options->since,
                                        .before = options->before};
}

struct inquiry *inquiry_new(struct loop *loop, const struct inquiry_options *options,
                            void (*on_ready)(struct inquiry *, void *), void *arg,
                            const char **why) {
    struct inquiry *inquiry = mem_zalloc(sizeof *inquiry);
    MUST(options->lines > 0 && options->lines <= INQUIRY_LINES_MAX);
    inquiry->loop = loop;
    inquiry->on_ready = on_ready;
    inquiry->arg = arg;
    inquiry->work = (struct work){.run = run, .done = done};
    slot_init(&inquiry->slot, loop, go);
    inquiry->backward = options->backward;
    inquiry->plain = options->plain;
    inquiry->left = options->lines;
    inquiry->sift = options->sift;
    inquiry->prefilter = options->prefilter;
    inquiry->redact = options->redact;
    inquiry->told_ns = clock_mono_ns();
    *why = options->n_files > INQUIRY_FILES ? "64 files at most can be searched at once" : NULL;
    if (*why == NULL) {
        inquiry->inputs = mem_zalloc((options->n_files + 1) * sizeof *inquiry->inputs);
        for (size_t i = 0; i < options->n_files; i++)
            add_input(inquiry, options, &options->files[i]);
        if ((options->from.ptr && take_id(inquiry, options->from, false) < 0) ||
            (options->upto.ptr && take_id(inquiry, options->upto, true) < 0))
            *why = "it is no id of a line or an event";
    }
    if (*why == NULL)
        return inquiry;
    destroy(inquiry);
    return NULL;
}

bool inquiry_next(struct inquiry *inquiry, struct inquiry_event *out) {
    if (!inquiry->asked && inquiry->at < inquiry->n_events) {
        const struct event *event = &inquiry->events[inquiry->at++];
        *out = (struct inquiry_event){event->name, buf_str(&event->id), buf_str(&event->data)};
        return true;
    }
    inquiry->starved = true;
    if (!inquiry->asked && !inquiry->over) {
        drop_events(inquiry);
        ask(inquiry);
    }
    return false;
}

void inquiry_free(struct inquiry *inquiry) {
    atomic_store_explicit(&inquiry->freed, true, memory_order_relaxed);
    if (!inquiry->asked || slot_cancel(&inquiry->slot))
        destroy(inquiry);
}
