/* needle: where a text stands in many bytes. */
#ifndef LOGS_NEEDLE_H
#define LOGS_NEEDLE_H

#include "base/str.h"

struct needle {
    char *text;
    size_t len;
    bool cased;
    unsigned char fold[256]; /* what a byte is compared as */
    size_t at[2];            /* of the two bytes of the text that are looked for first */
};

/* Copies the text, of at least 1 byte. `cased`: A to Z differ from a to z. */
void needle_init(struct needle *needle, struct str text, bool cased);
void needle_fini(struct needle *needle);
/* Has it look first for what is rare in bytes like these. */
void needle_tune(struct needle *needle, struct str sample);
/* The first place of the text within the bytes; NULL: there is none. */
const char *needle_find(const struct needle *needle, struct str bytes);

#endif
