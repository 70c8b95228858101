/* multipart: a multipart body taken apart while it arrives (RFC 2046 section 5.1). */
#ifndef PROTO_MULTIPART_H
#define PROTO_MULTIPART_H

#include "base/str.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */
#define MULTIPART_PADDING_MAX 32  /* white space behind a boundary, which nobody sends */

/* What comes next in a body. */
enum multipart_event {
    MULTIPART_MORE, /* the input is used up */
    MULTIPART_HEAD, /* a part begins: its field lines, unfolded, as header_field_next takes them */
    MULTIPART_DATA, /* one or more bytes of it */
    MULTIPART_PART, /* the part ends */
    MULTIPART_END   /* the last part has ended; what follows is dropped */
};

#define MULTIPART_EBOUNDARY (-10041) /* a Content-Type without a boundary, or a wrong one */
#define MULTIPART_ESTART (-10042)    /* no delimiter within as many bytes as a head may have */
#define MULTIPART_EHEAD (-10043)     /* a head that is no lines, or has no empty line at its end */
#define MULTIPART_EHEADLEN (-10044)  /* a head that is longer than `head_max` */
#define MULTIPART_EPARTS (-10045)    /* more parts than `parts_max` */
#define MULTIPART_ELENGTH (-10046)   /* a part that is longer than `part_left` said */
#define MULTIPART_EPADDING (-10047)  /* more than MULTIPART_PADDING_MAX behind a boundary */
#define MULTIPART_EEND (-10048)      /* the body ended before its closing delimiter */

struct multipart {
    char *head;         /* the caller's, of head_max bytes, until the end */
    uint64_t part_left; /* bytes that the part may still have: to be set at MULTIPART_HEAD */
    uint32_t head_len, head_max;
    uint32_t parts_left; /* that the body may still have */
    int error;           /* 0: none; it stays */
    uint8_t state;
    bool over;             /* there is no more input */
    uint8_t delimiter_len; /* of the beginning of `line`: CRLF "--" boundary */
    uint8_t held;          /* bytes of `line` that have come and may be a delimiter's */
    uint8_t spill;         /* bytes of it that were none: they are content, but for */
    uint8_t spilled;       /* those that have been given, or that are no content's */
    char line[4 + MULTIPART_BOUNDARY_MAX + MULTIPART_PADDING_MAX + 2];
};

/* A parser for the body of that Content-Type, whatever the media type is. `head` has room for
 * `head_max` bytes. 0 or MULTIPART_EBOUNDARY. */
int multipart_init(struct multipart *multipart, struct str content_type, char *head,
                   uint32_t head_max, uint32_t parts_max);
/* Takes from the front of `*in`, which moves on. A head or piece of data goes to `*out`, borrowed
 * from the input or from the parser until the next call; of data at most `most` bytes (> 0). An
 * enum multipart_event, or a negative error, which stays. */
int multipart_next(struct multipart *multipart, struct str *in, size_t most, struct str *out);
/* There is no more input than what was given. To be asked on with an empty one. */
void multipart_over(struct multipart *multipart);
/* What is wrong, for people: static text. */
const char *multipart_error(int error);

#endif
