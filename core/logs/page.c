/* page: what becomes of some lines of a file, once for all who want the same.
 *
 *     bytes --lines--> redact --> sift --> tells --> record --> text, and where each line ends
 *
 * A viewer that is in step with a file asks the shelf for the page that begins where it stands; the
 * first one to come has it made, the others take it. It is the same for all whose press has the
 * same form: rules, format, longest line. Who is behind has pages of its own made from what it
 * reads.
 *
 * A page ends when its text is full, or when its filter has taken more than PAGE_TIRED_NS of the
 * thread's time: what a pattern costs is for its author to choose, and others have their turn.
 *
 *     shelf:   [oldest] ... [newest]        a few megabytes; who holds an older one keeps it
 *
 * Owned by a weir.logs of one worker. It knows no viewers. */
#include "logs/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "logs/line_id.h"
#include "logs/record.h"
#include "tail/lines.h"

#include <stdlib.h>

/* ---- one page ---------------------------------------------------------------------------------*/

static uint64_t cpu_ns(void) {
    return clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}

struct page *page_new(const struct press *press) {
    struct page *page = mem_zalloc(sizeof *page);
    list_init(&page->link);
    page->refs = 1;
    page->form = press->form;
    page->time = STAMP_NONE;
    page->began_ns = clock_mono_ns();
    page->began_cpu_ns = cpu_ns();
    return page;
}

struct page *page_ref(struct page *page) {
    page->refs++;
    return page;
}

void page_unref(struct page *page) {
    if (page == NULL || --page->refs > 0)
        return;
    buf_fini(&page->text);
    free(page->lines);
    free(page);
}

/* The clock costs nothing, the thread's own is asked when that says that it might be so. */
static bool is_slow(const struct page *page, const struct press *press) {
    return press->sift && page->looked > 0 && clock_mono_ns() - page->began_ns > PAGE_TIRED_NS &&
           cpu_ns() - page->began_cpu_ns > PAGE_TIRED_NS;
}

void page_close(struct page *page) {
    page->took_ns = cpu_ns() - page->began_cpu_ns;
}

static void write_line(struct page *page, const struct press *press, const char *key,
                       const struct page_input *input, const struct record *shown) {
    char id[LINE_ID_MAX];
    if (press->plain) {
        buf_add(&page->text, shown->line);
    } else {
        struct record record = *shown;
        record.id = (struct str){id, line_id_write(id, key, &input->end)};
        record_write(&page->text, &record);
    }
    buf_add_char(&page->text, '\n');
}

static void note(struct page *page, const struct page_input *input, const struct record *shown,
                 size_t from) {
    if (page->n == page->cap) {
        page->cap = page->cap ? 2 * page->cap : 16;
        page->lines = mem_resize(page->lines, page->cap * sizeof *page->lines);
    }
    page->lines[page->n++] = (struct page_line){.from = (uint32_t)from,
                                                .to = (uint32_t)page->text.len,
                                                .ended = page->ended + input->ended,
                                                .stamped = shown->tells.time != STAMP_NONE,
                                                .time = page->time,
                                                .place = input->end};
}

bool page_add(struct page *page, const struct press *press, const char *key,
              const struct page_input *input) {
    if (is_slow(page, press))
        return false;
    struct record shown = {.line = redact_line(press->redact, input->line, input->cut),
                           .cut = input->cut};
    shown.tells = tells_of(shown.line);
    int64_t before = page->time;
    if (shown.tells.time != STAMP_NONE)
        page->time = shown.tells.time;
    if (press->sift == NULL || sift_wants(press->sift, shown.line)) {
        size_t from = page->text.len;
        write_line(page, press, key, input, &shown);
        if (page->text.len > PAGE_BYTES && page->n > 0) {
            page->text.len = from;
            page->time = before;
            return false;
        }
        note(page, input, &shown, from);
    }
    if (page->looked++ == 0)
        page->begin = input->begin;
    page->end = input->end;
    page->ended += input->ended;
    return true;
}

/* ---- those that are shared --------------------------------------------------------------------*/

void shelf_init(struct shelf *shelf) {
    *shelf = (struct shelf){0};
    list_init(&shelf->pages);
}

static void drop_oldest(struct shelf *shelf) {
    struct page *page = CONTAINER_OF(list_pop(&shelf->pages), struct page, link);
    shelf->n--;
    shelf->bytes -= page->text.cap;
    page_unref(page);
}

void shelf_fini(struct shelf *shelf) {
    while (shelf->n > 0)
        drop_oldest(shelf);
}

static void put(struct shelf *shelf, struct page *page) {
    list_push(&shelf->pages, &page_ref(page)->link);
    shelf->n++;
    shelf->bytes += page->text.cap;
    while (shelf->n > SHELF_PAGES || (shelf->bytes > SHELF_BYTES && shelf->n > 1))
        drop_oldest(shelf);
}

static struct page *find(struct shelf *shelf, const struct follow_run *run, uint64_t form) {
    for (struct list *at = shelf->pages.prev; at != &shelf->pages; at = at->prev) {
        struct page *page = CONTAINER_OF(at, struct page, link);
        if (page->position == run->position && page->follower == run->follower &&
            page->form == form)
            return page;
    }
    return NULL;
}

/* The lines of `bytes`, which are whole, as many as fit. */
static void print(struct page *page, const struct press *press, const char *key, struct place place,
                  struct str bytes) {
    struct page_input input = {.begin = place, .end = place};
    struct lines lines;

    lines_init(&lines, press->max_line);
    lines_add(&lines, bytes.ptr, bytes.len);
    while (lines_next(&lines, &input.line)) {
        input.end.offset += lines.raw;
        input.cut = lines.cut;
        input.ended = lines.ended;
        if (!page_add(page, press, key, &input))
            break;
        input.begin = input.end;
    }
    lines_fini(&lines);
}

struct page *shelf_page(struct shelf *shelf, const struct press *press, const char *key,
                        struct follow *follow, const struct follow_run *run) {
    struct page *page = find(shelf, run, press->form);
    if (page)
        return page_ref(page);
    struct buf bytes = {0};
    if (!follow_copy(follow, &bytes, PAGE_BYTES))
        return NULL;
    page = page_new(press);
    page->follower = run->follower;
    page->position = run->position;
    print(page, press, key, run->place, buf_str(&bytes));
    page_close(page);
    size_t used = (size_t)(page->end.offset - run->place.offset);
    page->tail_len = used < sizeof page->tail ? used : sizeof page->tail;
    memcpy(page->tail, bytes.data + used - page->tail_len, page->tail_len);
    buf_fini(&bytes);
    put(shelf, page);
    return page;
}
