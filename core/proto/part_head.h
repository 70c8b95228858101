/* part_head: what the head of a form's part says of it (RFC 7578). */
#ifndef PROTO_PART_HEAD_H
#define PROTO_PART_HEAD_H

#include "base/buf.h"

#define PART_EFIELD (-10051)       /* a line that is no header field */
#define PART_EDISPOSITION (-10052) /* no Content-Disposition of form-data with a name, or two */
#define PART_EFILENAME (-10053)    /* a `filename*` that is not RFC 8187's */
#define PART_ENESTED (-10054)      /* a field that is a multipart body itself */
#define PART_EFIELDS (-10055)      /* more than PART_FIELDS_MAX lines */

#define PART_FIELDS_MAX 100 /* as many as the head of a request has by default */

struct part_head {
    struct str name;     /* decoded; may be empty, and any bytes */
    struct str filename; /* the same, not made safe; ptr NULL: it is no file's */
    struct str type;     /* media type without parameters, as sent; ptr NULL: none */
};

/* Reads the field lines of a part. What is decoded goes to `text`, which the result borrows from,
 * and is no longer than the lines. 0 or an error. */
int part_head_read(struct str lines, struct buf *text, struct part_head *out);
/* What is wrong, for people: static text. */
const char *part_head_error(int error);

#endif
