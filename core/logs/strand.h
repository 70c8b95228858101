/* strand: one file as one viewer reads it. */
#ifndef LOGS_STRAND_H
#define LOGS_STRAND_H

#include "logs/line_id.h"
#include "logs/page.h"

/* What comes next of it. */
enum strand_next {
    STRAND_LINE,
    STRAND_GAP,   /* something is missing first */
    STRAND_LATER, /* it is being read, or the viewer is tired */
    STRAND_END    /* nothing is there */
};

struct strand {
    char key[LINE_ID_KEY + 1];
    struct follow *follow;
    struct page *page;  /* that it is on; NULL: none */
    size_t at;          /* the next of its lines */
    struct place place; /* behind the line that was taken last; ino 0: none is known, */
    bool nothing;       /* since there was no file */
    struct place sent;  /* behind the one that the viewer got last: the view's to set */
    int64_t time;       /* the last that a line told */
    bool has_gap;       /* to be told: the view sets it back */
    bool gap_first;     /* it stands before the page, else behind it */
    int64_t gap_lines;  /* -1: nobody knows how many */
    bool skipped;       /* it can be fetched between these: */
    struct place from, to;
    bool moved;   /* lines came, */
    bool awaited; /* while the viewer thinks that it is not there: both are the view's */
    bool carries; /* a line was read that begins the next page */
    struct page_input carried;
    uint64_t left; /* LF up to where it was when it was opened, at most */
    bool live;     /* it has been at the end */
};

/* As follow_new, of which `arg` gets the strand's owner back. */
int strand_open(struct strand *strand, struct loop *loop, const char *path,
                const struct follow_options *options, void (*on_ready)(struct follow *, void *),
                void *arg);
/* Of one that was not opened, too. */
void strand_close(struct strand *strand);
/* Looks what comes next. */
enum strand_next strand_look(struct strand *strand, struct shelf *shelf, struct press *press);
/* The line that comes next, and its time. Behind STRAND_LINE, and strand_pass if it has another. */
const struct page_line *strand_line(const struct strand *strand);
int64_t strand_time(const struct strand *strand);
/* It is taken. */
void strand_pass(struct strand *strand);
/* The rest of its page: the text, and all of it is taken. */
struct str strand_rest(const struct strand *strand);
void strand_pass_rest(struct strand *strand);
static inline bool strand_has_line(const struct strand *strand) {
    return strand->page && strand->at < strand->page->n;
}
/* What is there is left out, which is a gap, but for the last lines, of `keep` bytes at most. While
 * there is another one, or it reads, nothing happens. */
void strand_skip(struct strand *strand, size_t keep);
/* Writes where the viewer goes on, and returns its length; 0: that is not known yet. */
size_t strand_id(struct strand *strand, char out[LINE_ID_MAX]);
/* Its gap as JSON. */
void strand_write_gap(const struct strand *strand, struct buf *out);

#endif
