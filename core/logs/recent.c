/* recent: a queue of lines whose oldest go when there are more than are wanted.
 *
 * The last lines of several files are not known before all of them are read: each gives as many as
 * are asked for, in the order of time, and of these the newest stay.
 *
 *     text:  gone | [oldest] ... [newest]        what is gone leaves when it is more than half
 *
 * Owned by a view. It knows no files: who owns a line is told back. */
#include "logs/recent.h"

#include "base/mem.h"
#include "base/must.h"

void recent_fini(struct recent *recent) {
    buf_fini(&recent->text);
    free(recent->lines);
    *recent = (struct recent){0};
}

static struct recent_line *line_at(const struct recent *recent, size_t i) {
    return &recent->lines[(recent->first + i) & (recent->cap - 1)];
}

static void grow(struct recent *recent) {
    size_t cap = recent->cap ? 2 * recent->cap : 64;
    struct recent_line *lines = mem_alloc(cap * sizeof *lines);
    for (size_t i = 0; i < recent->n; i++)
        lines[i] = *line_at(recent, i);
    free(recent->lines);
    recent->lines = lines;
    recent->first = 0;
    recent->cap = cap;
}

/* The text of the lines that are gone goes. */
static void compact(struct recent *recent) {
    size_t gone = recent->n > 0 ? line_at(recent, 0)->from : recent->text.len;
    if (gone < recent->text.len / 2 + 1)
        return;
    buf_drop(&recent->text, gone);
    for (size_t i = 0; i < recent->n; i++) {
        line_at(recent, i)->from -= gone;
        line_at(recent, i)->to -= gone;
    }
}

void recent_add(struct recent *recent, struct str text, void *owner, const struct place *place) {
    compact(recent);
    if (recent->n == recent->cap)
        grow(recent);
    size_t from = recent->text.len;
    buf_add(&recent->text, text);
    *line_at(recent, recent->n++) =
        (struct recent_line){.from = from, .to = from + text.len, .owner = owner, .place = *place};
}

const struct recent_line *recent_first(const struct recent *recent) {
    return recent->n > 0 ? line_at(recent, 0) : NULL;
}

struct str recent_text(const struct recent *recent, const struct recent_line *line) {
    return (struct str){recent->text.data + line->from, line->to - line->from};
}

void recent_drop(struct recent *recent) {
    MUST(recent->n > 0);
    recent->first = (recent->first + 1) & (recent->cap - 1);
    recent->n--;
}
