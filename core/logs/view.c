/* view: one who looks at several logs, from the last lines on, and gets what there is in events.
 *
 *     roster ---a file is found--> strand --lines--> merge --batch, gap--> view_next
 *        +-------state------------------------------------> source -------->
 *
 * It is pulled: what is not asked for stays in the files. So a viewer that is slow costs nothing
 * but its place in them, and when that is further behind their end than `behind` allows, it is
 * moved to the last lines, with a gap that says from where to where, so that it can fetch the rest.
 * That is for who was at the end before: who comes back after a day reads on at its own pace.
 *
 * Lines come in batches: the first after a rest at once, then at most one in VIEW_BATCH_MS unless
 * it is full. Meanwhile the followers tell of nothing but much (VIEW_NEED), so that each of a
 * hundred viewers is woken twenty times a second and not for each line.
 *
 * The id of a batch is where each file goes on, with commas in between; "KEY~" of one that is not
 * there yet, of which all is to come then. Who comes back with one goes on exactly there; a file
 * that is not in it begins with its last lines, one that was found later with its first.
 *
 * Owned by whoever called view_new, on the loop of its logs. It knows nothing of Lua. */
#include "logs/view_own.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "logs/count.h"

#include <stdlib.h>

#define VIEW_NEED 32768
#define KEPT_BYTES 65536 /* of who is moved to the end: what it is shown of the last lines */
#define SLOW_MS 1000     /* it is told no more often */

/* ---- news -------------------------------------------------------------------------------------*/

static void stir(struct view *view);

void view_on_lines(struct follow *follow, void *arg) {
    struct view *view = arg;
    (void)follow;
    view->stirred = true;
    stir(view);
}

static void on_look(struct roster_user *user) {
    struct view *view = CONTAINER_OF(user, struct view, user);
    view->news = view->stirred = true;
    if (view->opened)
        view_open_strands(view);
    else
        view_begin(view);
    stir(view);
}

/* ---- when a batch goes ------------------------------------------------------------------------*/

static uint64_t rested_ms(const struct view *view) {
    return view->was_sent ? loop_now(view->logs->loop) - view->sent_ms : VIEW_BATCH_MS;
}

/* Who is told of nothing but much is woken by this: it is set together with that, not when somebody
 * asks, who may come when the time is over. */
static void wait_for_batch(struct view *view) {
    if (!timer_is_set(&view->timer))
        loop_timer(view->logs->loop, &view->timer, VIEW_BATCH_MS - rested_ms(view));
}

/* Who is too far behind is moved to the last lines: they show where the log is by now. */
static void skip(struct view *view) {
    struct merge *merge = &view->merge;
    size_t keep = view->options.behind < KEPT_BYTES ? (size_t)view->options.behind : KEPT_BYTES;
    for (size_t i = 0; i < merge->n && !merge->gathering && merge->recent.n == 0; i++) {
        struct strand *strand = merge->strands[i];
        if (strand->live && follow_lag(strand->follow) > view->options.behind)
            strand_skip(strand, keep);
    }
}

/* Who is tired goes on in the next turn; if a filter is why, its viewer is told. */
static void rest(struct view *view) {
    const struct press *press = &view->merge.press;
    if (!press_is_tired(press))
        return;
    if (press->sift && press->spent_ns > view->slow_ns) {
        view->slow_ns = press->spent_ns;
        view->slow_lines = press->spent_lines;
    }
    loop_timer(view->logs->loop, &view->timer, 1);
}

static void fill(struct view *view) {
    struct merge *merge = &view->merge;
    bool rests = rested_ms(view) < VIEW_BATCH_MS;
    bool paced = rests || merge->batch.len > 0;

    view->stirred = false;
    merge->press.spent_ns = 0;
    merge->press.spent_lines = 0;
    for (size_t i = 0; i < merge->n; i++)
        follow_need(merge->strands[i]->follow, paced ? VIEW_NEED : 1);
    skip(view);
    merge_fill(merge);
    for (size_t i = 0; i < merge->n; i++)
        view->news |= merge->strands[i]->moved && merge->strands[i]->awaited;
    rest(view);
    if (rests)
        wait_for_batch(view);
    if (merge->batch.len == 0)
        buf_fini(&merge->batch);
}

static bool is_slow(const struct view *view) {
    return view->slow_ns > 0 &&
           (view->slow_told_ms == 0 || loop_now(view->logs->loop) - view->slow_told_ms >= SLOW_MS);
}

/* Whether the batch goes now. */
static bool is_due(const struct view *view) {
    const struct merge *merge = &view->merge;
    return merge->batch.len > 0 && (rested_ms(view) >= VIEW_BATCH_MS || merge->full || merge->gap);
}

/* ---- the events -------------------------------------------------------------------------------*/

static void write_id(struct view *view) {
    const struct merge *merge = &view->merge;
    char id[LINE_ID_MAX];
    for (size_t i = 0; i < merge->n; i++) {
        size_t n = strand_id(merge->strands[i], id);
        if (n > 0 && view->id.len > 0)
            buf_add_char(&view->id, ',');
        buf_append(&view->id, id, n);
    }
}

static void send_batch(struct view *view, struct view_event *event) {
    write_id(view);
    view->was_sent = view->stirred = true;
    view->sent_ms = loop_now(view->logs->loop);
    timer_clear(&view->timer);
    struct str text = buf_str(&view->merge.batch);
    *event = (struct view_event){"lines", buf_str(&view->id), {text.ptr, text.len - 1}};
    logs_count(LOGS_BATCHES, 1);
    logs_count(LOGS_BYTES, (int64_t)text.len);
    merge_sent(&view->merge);
}

static void write_gap(struct view *view) {
    struct strand *strand = view->merge.gap;
    strand_write_gap(strand, &view->data);
    logs_count(LOGS_SKIPPED, strand->skipped && strand->gap_lines > 0 ? strand->gap_lines : 0);
    strand->has_gap = strand->skipped = false;
    view->merge.gap = NULL;
    view->stirred = true;
}

static void write_slow(struct view *view) {
    buf_printf(&view->data, "{\"ms\":%.1f,\"lines\":%u}", (double)view->slow_ns / 1e6,
               view->slow_lines);
    view->slow_ns = 0;
    view->slow_told_ms = loop_now(view->logs->loop);
}

/* The name of an event that is no batch, with its data; NULL: there is none. */
static const char *next_notice(struct view *view) {
    if (view->news && view_next_source(view))
        return "source";
    if (view->lost_id) {
        view->lost_id = false;
        buf_add(&view->data, STR("{}"));
        return "gap";
    }
    if (view->merge.gap && view->merge.batch.len == 0) {
        write_gap(view);
        return "gap";
    }
    if (is_slow(view)) {
        write_slow(view);
        return "slow";
    }
    return NULL;
}

bool view_next(struct view *view, struct view_event *event) {
    view->id.len = view->data.len = 0;
    view->starved = true;
    if (!view->opened)
        return false;
    if (view->stirred)
        fill(view);
    const char *name = next_notice(view);
    if (name)
        *event = (struct view_event){.name = name, .data = buf_str(&view->data)};
    else if (is_due(view))
        send_batch(view, event);
    else
        return false;
    view->starved = false;
    return true;
}

/* There may be an event now: it is looked for when it is asked for, unless only time is missing. */
static void stir(struct view *view) {
    if (!view->starved)
        return;
    if (view->opened && view->stirred)
        fill(view);
    bool ready = view->news || view->lost_id || view->merge.gap || is_slow(view);
    if (!ready && !is_due(view))
        return;
    view->starved = false;
    view->on_ready(view, view->arg);
}

static void on_timer(struct timer *timer) {
    struct view *view = CONTAINER_OF(timer, struct view, timer);
    view->stirred = true;
    stir(view);
}

/* ---- its life ---------------------------------------------------------------------------------*/

static uint64_t form_of(const struct view_options *options) {
    static const uint64_t key[2] = {0x7765697276696577, 0x666f726d6f667074};
    struct buf text = {0};
    buf_printf(&text, "%zu %d ", options->max_line, options->plain);
    if (options->sift)
        buf_add(&text, sift_key(options->sift));
    uint64_t form = siphash13(key, buf_str(&text));
    buf_fini(&text);
    return form;
}

static const char *check(const struct view_options *options) {
    if (options->lines > VIEW_LINES_MAX)
        return "lines must be 100000 at most";
    if (options->max_line == 0 || options->max_line > FOLLOW_LINE_BYTES_MAX)
        return "max_line must be 1 byte to 1MB";
    return NULL;
}

struct view *view_new(struct logs *logs, const struct view_options *options,
                      void (*on_ready)(struct view *, void *), void *arg, const char **why) {
    *why = check(options);
    if (*why)
        return NULL;
    struct view *view = mem_zalloc(sizeof *view);
    view->logs = logs_ref(logs);
    view->on_ready = on_ready;
    view->arg = arg;
    view->options = *options;
    view->user.on_look = on_look;
    timer_init(&view->timer, on_timer);
    if (options->after.ptr) /* what is too long is no id */
        view->after = mem_copy(options->after.ptr,
                               options->after.len <= VIEW_ID_MAX ? options->after.len : 0);
    if (options->only.len > 0)
        view->only = mem_copy(options->only.ptr, options->only.len);
    view->merge.shelf = &logs->shelf;
    view->merge.press = (struct press){.redact = logs->redact,
                                       .sift = options->sift,
                                       .max_line = options->max_line,
                                       .plain = options->plain,
                                       .form = form_of(options)};
    logs_count(LOGS_VIEWERS, 1);
    view->news = view->stirred = true;
    if (roster_join(logs->roster, &view->user))
        view_begin(view);
    return view;
}

void view_free(struct view *view) {
    roster_leave(view->logs->roster, &view->user);
    timer_clear(&view->timer);
    view_close_strands(view);
    merge_fini(&view->merge);
    buf_fini(&view->id);
    buf_fini(&view->data);
    free(view->after);
    free(view->only);
    logs_unref(view->logs);
    free(view);
    logs_count(LOGS_VIEWERS, -1);
}
