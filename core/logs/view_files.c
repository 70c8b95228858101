/* view_files: which files a view reads, and what its viewer is told of them.
 *
 *     roster --found, waiting--> a strand, from where an id or `lines` say --> merge
 *        +-----a state that was not told yet--> "source"
 *
 * What was chosen when the view began starts with its last lines, or behind its id; a file of a
 * glob that is found later, or comes back after it was gone, with its first. A strand is kept when
 * its file has gone, since there may be lines left, until another file wants its place. A file
 * without a strand is told as an error and tried again with each look.
 *
 * A part of view. It knows nothing of batches. */
#include "logs/view_own.h"

#include "base/mem.h"
#include "logs/record.h"
#include "logs/seek.h"
#include "logs/stamp.h"

#include <stdlib.h>

#define CONTEXT_LINES 50 /* before the last ones, for the time of those that tell none */

static bool is_chosen(const struct view *view, const struct roster_file *file) {
    struct str rest = str_of(view->only);
    while (rest.ptr)
        if (str_eq(str_cut(&rest, ','), str_of(file->key)))
            return true;
    return view->only == NULL;
}

/* What an id says of a file: the place behind its key; ptr NULL: nothing. */
static struct str place_in(struct str id, const char *key) {
    while (id.ptr) {
        struct str named, place = line_id_cut(&id, &named);
        if (place.ptr && str_eq(named, str_of(key)))
            return place;
    }
    return (struct str){NULL, 0};
}

static struct follow_options options_for(struct view *view, size_t at,
                                         const struct roster_file *file) {
    struct view_options *asked = &view->options;
    struct str after = place_in(str_of(view->after), file->key);
    uint32_t lines = asked->lines + (view->merge.gathering ? CONTEXT_LINES : 0);
    struct follow_options options = {.max_line = asked->max_line};

    options.lines = lines < FOLLOW_LINES_MAX ? lines : FOLLOW_LINES_MAX;
    view->lost_id &= after.ptr == NULL;
    if (after.len > 0)
        options.after = after;
    else
        options.whole = after.ptr != NULL || view->was_read[at] ||
                        (file->globbed && file->seen > view->first_look);
    if (asked->since != STAMP_NONE && after.len == 0 && !options.whole) {
        options.seek = seek_time;
        options.time = asked->since;
    }
    return options;
}

static void close_strand(struct view *view, size_t i) {
    struct merge *merge = &view->merge;
    struct strand *strand = merge->strands[i];
    for (size_t file = 0; file < ROSTER_MOST; file++)
        if (view->strand_of[file] == strand) {
            view->strand_of[file] = NULL;
            view->was_read[file] = true;
        }
    strand_close(strand);
    free(strand);
    merge->strands[i] = merge->strands[--merge->n];
}

/* Whether its file is gone, or of no entry any more, and all of it has been taken. */
static bool is_over(const struct view *view, const struct roster_file *files,
                    const struct strand *strand) {
    for (size_t file = 0; file < ROSTER_MOST; file++)
        if (view->strand_of[file] == strand && files[file].state != ROSTER_GONE)
            return false;
    return strand->live && !strand_has_line(strand) && strand != view->merge.gap;
}

static bool make_room(struct view *view, const struct roster_file *files) {
    struct merge *merge = &view->merge;
    if (merge->n < MERGE_FILES)
        return true;
    if (merge->gathering || merge->recent.n > 0)
        return false;
    for (size_t i = 0; i < merge->n; i++)
        if (is_over(view, files, merge->strands[i])) {
            close_strand(view, i);
            return true;
        }
    return false;
}

static void open_strand(struct view *view, size_t at, const struct roster_file *file) {
    struct follow_options options = options_for(view, at, file);
    struct strand *strand = mem_zalloc(sizeof *strand);

    memcpy(strand->key, file->key, sizeof strand->key);
    if (strand_open(strand, view->logs->loop, file->path, &options, view_on_lines, view) < 0) {
        free(strand); /* it is tried again with the next look */
        return;
    }
    strand->nothing = options.whole && place_in(str_of(view->after), file->key).ptr != NULL;
    view->strand_of[at] = view->merge.strands[view->merge.n++] = strand;
}

/* Whatever is known is of a file that has lost its entry. */
static void renew(struct view *view, size_t at, const struct roster_file *file) {
    view->seen[at] = file->seen;
    view->strand_of[at] = NULL; /* it goes when there is no room */
    view->told[at] = TOLD_NOTHING;
    view->was_read[at] = false;
}

void view_open_strands(struct view *view) {
    size_t n;
    const struct roster_file *files = roster_files(view->logs->roster, &n);

    for (size_t i = 0; i < n; i++) {
        if (view->seen[i] != files[i].seen)
            renew(view, i, &files[i]);
        if (view->strand_of[i] == NULL && files[i].state != ROSTER_GONE &&
            is_chosen(view, &files[i]) && make_room(view, files))
            open_strand(view, i, &files[i]);
    }
}

/* Whether the last lines of several files are wanted. */
static bool gathers(const struct view *view) {
    size_t n, chosen = 0;
    const struct roster_file *files = roster_files(view->logs->roster, &n);
    for (size_t i = 0; i < n; i++)
        chosen += is_chosen(view, &files[i]);
    return chosen > 1 && view->after == NULL && view->options.since == STAMP_NONE &&
           view->options.lines > 0;
}

void view_begin(struct view *view) {
    struct merge *merge = &view->merge;

    view->opened = true;
    view->first_look = roster_looks(view->logs->roster);
    view->lost_id = view->after != NULL;
    merge->last = view->options.lines;
    merge->gathering = gathers(view);
    view_open_strands(view);
    merge->since = view->options.since;
    merge->before = view->options.before;
}

void view_close_strands(struct view *view) {
    while (view->merge.n > 0)
        close_strand(view, view->merge.n - 1);
}

/* ---- what is told of files --------------------------------------------------------------------*/

static void write_source(struct view *view, const struct roster_file *file, const char *state,
                         const char *why) {
    struct buf *data = &view->data;
    buf_printf(data, "{\"key\":\"%s\",\"path\":", file->key);
    record_string(data, str_of(file->path));
    buf_printf(data, ",\"labels\":%s,\"state\":\"%s\"", file->labels, state);
    if (why)
        buf_printf(data, ",\"why\":\"%s\"", why);
    buf_add_char(data, '}');
}

/* Lines of a file that was waited for say that it is there, before the next look does. */
static enum roster_state state_of(const struct view *view, size_t i,
                                  const struct roster_file *file) {
    struct strand *strand = view->strand_of[i];
    if (file->state == ROSTER_WAITING && strand && strand->moved)
        return ROSTER_FOUND;
    return file->state;
}

static bool tell_source(struct view *view, size_t i, const struct roster_file *file) {
    enum roster_state state = state_of(view, i, file);
    struct strand *strand = view->strand_of[i];
    bool unread = strand == NULL && state != ROSTER_GONE;
    uint8_t told = unread ? TOLD_UNREAD : (uint8_t)(TOLD_STATE + state);

    if (strand && file->state == ROSTER_FOUND)
        strand->moved = false;
    bool unknown = view->told[i] == TOLD_NOTHING && state == ROSTER_GONE;
    if (view->told[i] == told || unknown || !is_chosen(view, file))
        return false;
    view->told[i] = told;
    if (strand)
        strand->awaited = state == ROSTER_WAITING;
    if (unread)
        write_source(view, file, "error",
                     view->merge.n < MERGE_FILES ? "no descriptor is left" : "more than 64 files");
    else
        write_source(view, file, roster_state_name(state), file->why);
    return true;
}

bool view_next_source(struct view *view) {
    size_t n;
    const struct roster_file *files = roster_files(view->logs->roster, &n);
    for (size_t i = 0; i < n && view->news; i++)
        if (tell_source(view, i, &files[i]))
            return true;
    view->news = false;
    return false;
}
