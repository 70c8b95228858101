/* page: lines of one file in the form in which viewers get them. */
#ifndef LOGS_PAGE_H
#define LOGS_PAGE_H

#include "base/buf.h"
#include "base/list.h"
#include "logs/redact.h"
#include "logs/sift.h"
#include "tail/follow.h"

#define PAGE_BYTES 65536         /* of text, but for a single longer line */
#define PAGE_TIRED_NS 5000000ull /* of CPU time: so much at once is enough */
#define SHELF_PAGES 64
#define SHELF_BYTES (4u << 20)

/* How lines become text. */
struct press {
    struct redact *redact;
    struct sift *sift; /* NULL: all are wanted */
    size_t max_line;
    bool plain;    /* the lines as they are, not as JSON */
    uint64_t form; /* a number that two have in common only if all this is the same */
    /* What pages have cost since the viewer has set it back, whoever had them made: */
    uint64_t spent_ns;
    uint32_t spent_lines;
};
static inline bool press_is_tired(const struct press *press) {
    return press->spent_ns > PAGE_TIRED_NS;
}

/* A line that is wanted. */
struct page_line {
    uint32_t from, to;  /* of the page's text, its LF included */
    uint32_t ended;     /* LF of the file up to its end, since the page began */
    bool stamped;       /* it tells its time itself */
    int64_t time;       /* or that of the line before it; STAMP_NONE: none did on this page */
    struct place place; /* behind it */
};

struct page {
    struct list link; /* shelf->pages */
    unsigned refs;
    uint64_t follower, position, form; /* where it begins, and its form; follower 0: not shared */
    struct place begin, end;
    struct buf text;
    struct page_line *lines;
    size_t n, cap;
    uint32_t ended;                 /* LF of the file on it */
    uint32_t looked;                /* lines of it, wanted or not */
    int64_t time;                   /* the last that a line told; STAMP_NONE */
    uint64_t began_ns;              /* by the clock */
    uint64_t began_cpu_ns, took_ns; /* of CPU time */
    char tail[64];                  /* the last bytes of the file on it */
    size_t tail_len;
};

/* Pages that others may want, too. */
struct shelf {
    struct list pages;
    size_t n, bytes;
};

void shelf_init(struct shelf *shelf);
void shelf_fini(struct shelf *shelf);
/* The page of that run, made if nobody has one; with a reference. NULL: it cannot be made any more.
 */
struct page *shelf_page(struct shelf *shelf, const struct press *press, const char *key,
                        struct follow *follow, const struct follow_run *run);

/* An empty one, for lines that nobody shares. */
struct page *page_new(const struct press *press);
struct page *page_ref(struct page *page);
/* NULL: nothing. */
void page_unref(struct page *page);

/* A line of the file. */
struct page_input {
    struct str line;
    struct place begin, end;
    bool cut, ended; /* it is a piece; it ends with an LF */
};
/* No line comes any more. */
void page_close(struct page *page);
/* False: the page is full, and the line is not on it. */
bool page_add(struct page *page, const struct press *press, const char *key,
              const struct page_input *input);

#endif
