/* record: one line of a log as a JSON object. */
#ifndef LOGS_RECORD_H
#define LOGS_RECORD_H

#include "base/buf.h"
#include "logs/tells.h"

struct record {
    struct str id;
    struct tells tells;
    struct str line;
    bool cut; /* it is a piece of a line that is too long */
};

/* Appends {"id":"...","t":1732970000.123,"level":"error","line":"..."}, without a line end. */
void record_write(struct buf *out, const struct record *record);
/* Appends a string of JSON with its quotes; what is not UTF-8 becomes U+FFFD. */
void record_string(struct buf *out, struct str text);

#endif
