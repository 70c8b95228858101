/* strand: a follow, and the page of lines that is being taken from it.
 *
 *     look:  on a page --> LINE ... --over--> in step?  a page from the shelf --> LINE
 *                                        |--> else what follow_next gives, as a page of its own
 *                                        |--> nothing: LATER while it is read, END
 *
 * It knows how far the viewer has got (`sent`), which is not how far the follow has: an id that
 * goes out must not stand behind lines that have not. A gap of the follow's ends a page, so that it
 * is told where it is.
 *
 * Owned by a view. It knows nothing of other files. */
#include "logs/strand.h"

#include "base/mem.h"
#include "base/must.h"
#include "logs/stamp.h"

int strand_open(struct strand *strand, struct loop *loop, const char *path,
                const struct follow_options *options, void (*on_ready)(struct follow *, void *),
                void *arg) {
    strand->time = STAMP_NONE;
    strand->left = options->lines;
    return follow_new(loop, path, options, on_ready, arg, &strand->follow);
}

void strand_close(struct strand *strand) {
    page_unref(strand->page);
    strand->page = NULL;
    if (strand->follow)
        follow_free(strand->follow);
    strand->follow = NULL;
}

/* ---- pages ------------------------------------------------------------------------------------*/

static void leave_page(struct strand *strand) {
    struct page *page = strand->page;
    if (page->time != STAMP_NONE)
        strand->time = page->time;
    strand->place = page->end;
    strand->left -= page->ended < strand->left ? page->ended : strand->left;
    page_unref(page);
    strand->page = NULL;
}

static void enter_page(struct strand *strand, struct page *page, struct press *press) {
    strand->page = page;
    strand->at = 0;
    strand->nothing = false;
    strand->moved = true;
    if (strand->place.ino == 0)
        strand->place = strand->sent = page->begin;
    press->spent_ns += page->took_ns;
    press->spent_lines += page->looked;
}

/* The next line of the follow's, if it may stand on this page. */
static bool next_input(struct strand *strand, const struct page *page) {
    if (strand->carries)
        return true;
    if (!follow_next(strand->follow, &strand->carried.line))
        return false;
    strand->carries = true;
    strand->carried.begin = follow_begin(strand->follow);
    strand->carried.end = follow_place(strand->follow);
    strand->carried.cut = follow_cut(strand->follow);
    strand->carried.ended = follow_ended(strand->follow);
    strand->has_gap = follow_gap(strand->follow, &strand->gap_lines);
    strand->gap_first = page->looked == 0;
    return !strand->has_gap || strand->gap_first;
}

/* NULL: there is no line. */
static struct page *own_page(struct strand *strand, const struct press *press) {
    struct page *page = page_new(press);
    while (next_input(strand, page) && page_add(page, press, strand->key, &strand->carried)) {
        strand->carries = false;
        if (strand->has_gap)
            break;
    }
    page_close(page);
    if (page->looked > 0)
        return page;
    page_unref(page);
    return NULL;
}

static struct page *next_page(struct strand *strand, struct shelf *shelf,
                              const struct press *press) {
    struct follow_run run;
    enum follow_at_hand found = FOLLOW_NEXT;

    if (!strand->carries)
        found = follow_run(strand->follow, &run);
    if (found == FOLLOW_WAITS)
        return NULL;
    struct page *page = NULL;
    if (found == FOLLOW_RUN)
        page = shelf_page(shelf, press, strand->key, strand->follow, &run);
    if (page) {
        follow_pass(strand->follow, page->end.offset - run.place.offset, page->ended,
                    (struct str){page->tail, page->tail_len});
        return page;
    }
    page = own_page(strand, press);
    if (page == NULL)
        follow_run(strand->follow, &run); /* from now on in step, perhaps */
    return page;
}

/* ---- for the view -----------------------------------------------------------------------------*/

enum strand_next strand_look(struct strand *strand, struct shelf *shelf, struct press *press) {
    for (;;) {
        if (strand->has_gap && (strand->gap_first || strand->page == NULL))
            return STRAND_GAP;
        if (strand_has_line(strand))
            return STRAND_LINE;
        if (strand->page) {
            leave_page(strand);
            continue;
        }
        if (press_is_tired(press))
            return STRAND_LATER;
        struct page *page = next_page(strand, shelf, press);
        if (page == NULL)
            break;
        enter_page(strand, page, press);
    }
    if (!follow_at_end(strand->follow))
        return STRAND_LATER;
    strand->live = true;
    strand->left = 0;
    return STRAND_END;
}

const struct page_line *strand_line(const struct strand *strand) {
    MUST(strand_has_line(strand));
    return &strand->page->lines[strand->at];
}

int64_t strand_time(const struct strand *strand) {
    int64_t time = strand_line(strand)->time;
    return time != STAMP_NONE ? time : strand->time;
}

void strand_pass(struct strand *strand) {
    strand->place = strand_line(strand)->place;
    strand->at++;
}

struct str strand_rest(const struct strand *strand) {
    const struct buf *text = &strand->page->text;
    uint32_t from = strand_line(strand)->from;
    return (struct str){text->data + from, text->len - from};
}

void strand_pass_rest(struct strand *strand) {
    strand->at = strand->page->n - 1;
    strand_pass(strand);
}

/* Lines of the page that the viewer has not got. */
static int64_t lines_left(const struct strand *strand) {
    const struct page *page = strand->page;
    if (page == NULL)
        return 0;
    return page->ended - (strand->at > 0 ? page->lines[strand->at - 1].ended : 0);
}

void strand_skip(struct strand *strand, size_t keep) {
    int64_t more = lines_left(strand) + (strand->carries && strand->carried.ended);
    if (strand->has_gap || !follow_skip(strand->follow, keep, &strand->gap_lines))
        return;
    if (strand->gap_lines >= 0)
        strand->gap_lines += more;
    if (strand->page)
        leave_page(strand);
    strand->carries = false;
    strand->has_gap = strand->gap_first = strand->skipped = true;
    strand->from = strand->sent;
    strand->to = strand->place = strand->sent = follow_place(strand->follow);
}

static void learn_place(struct strand *strand) {
    if (strand->place.ino != 0 || strand->page || strand->carries || !follow_at_end(strand->follow))
        return;
    strand->place = strand->sent = follow_place(strand->follow);
    strand->nothing = strand->sent.ino == 0;
}

size_t strand_id(struct strand *strand, char out[LINE_ID_MAX]) {
    learn_place(strand);
    if (strand->sent.ino != 0)
        return line_id_write(out, strand->key, &strand->sent);
    return strand->nothing ? line_id_write(out, strand->key, NULL) : 0;
}

void strand_write_gap(const struct strand *strand, struct buf *out) {
    char from[LINE_ID_MAX], to[LINE_ID_MAX];
    buf_printf(out, "{\"source\":\"%s\"", strand->key);
    if (strand->gap_lines >= 0)
        buf_printf(out, ",\"lines\":%lld", (long long)strand->gap_lines);
    if (strand->skipped)
        buf_printf(out, ",\"from\":\"%.*s\",\"to\":\"%.*s\"",
                   (int)line_id_write(from, strand->key, &strand->from), from,
                   (int)line_id_write(to, strand->key, &strand->to), to);
    buf_add_char(out, '}');
}
