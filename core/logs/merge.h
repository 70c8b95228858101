/* merge: lines of several files in the order of the time that they tell. */
#ifndef LOGS_MERGE_H
#define LOGS_MERGE_H

#include "logs/recent.h"
#include "logs/strand.h"

#define MERGE_FILES 64

struct merge {
    struct shelf *shelf;
    struct press press;
    int64_t since, before; /* STAMP_NONE: any */
    struct strand *strands[MERGE_FILES];
    size_t n;
    uint32_t last;  /* gathering: so many lines are wanted */
    bool gathering; /* what was there at first is read, and the newest of it kept */
    struct recent recent;
    struct buf batch;   /* what the viewer gets next, an LF behind each line */
    bool full;          /* nothing more fits */
    struct strand *gap; /* whose gap is to be told behind the batch; NULL: nobody's */
};

void merge_fini(struct merge *merge);
/* Adds to the batch what is there, as far as the order is known. */
void merge_fill(struct merge *merge);
/* The batch was sent, or the gap was. */
void merge_sent(struct merge *merge);

#endif
