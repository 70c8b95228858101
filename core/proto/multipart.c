/* multipart: a multipart body taken apart while it arrives (RFC 2046 section 5.1).
 *
 *     preamble CRLF --boundary CRLF         PREAMBLE   dropped, as long as a head may be
 *     name: value CRLF  CRLF                HEAD       collected in the caller's buffer
 *     bytes                                 BODY       passed through
 *     CRLF --boundary CRLF                  -> HEAD
 *     CRLF --boundary-- CRLF epilogue       EPILOGUE   dropped
 *
 * The content is passed through in runs of the input. What may be the beginning of a delimiter is
 * held back: the delimiter itself stands at the front of `line`, so that only its length must be
 * known, and what has come behind it is kept there. Only a whole line counts: the boundary, "--" or
 * nothing, white space, CRLF, or the end of the body behind the closing one. Anything else gives
 * what was held back as content. A CR stands only at the front of a delimiter, and the CR of its
 * line is not held unless an LF may follow. So no delimiter begins within what is held, and each
 * byte of a body is looked for once and compared once.
 *
 * The first delimiter needs no CRLF in front, and that behind a head may be its empty line's: there
 * the parser goes on as if a CRLF had come that is no content's.
 *
 * Nothing is allocated, and nothing is known of what a head says, or of where the bytes go. */
#include "proto/multipart.h"

#include "proto/header.h"

enum { PREAMBLE, HEAD, BODY, EPILOGUE };

/* --- the boundary --- */

/* bcharsnospace / " " (RFC 2046 section 5.1.1) */
static bool is_boundary_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static bool is_boundary(struct str s) {
    if (s.len == 0 || s.len > MULTIPART_BOUNDARY_MAX || s.ptr[s.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_boundary_char(s.ptr[i]))
            return false;
    return true;
}

/* The one parameter of that name, which must be there once. */
static int find_boundary(struct str content_type, struct str *boundary) {
    struct str name, value;
    int rc;
    *boundary = (struct str){NULL, 0};
    str_cut(&content_type, ';');
    if (content_type.ptr == NULL)
        return -1;
    content_type = (struct str){content_type.ptr - 1, content_type.len + 1};
    while ((rc = header_param_next(&content_type, &name, &value)) > 0) {
        if (!str_ieq(name, STR("boundary")))
            continue;
        if (boundary->ptr)
            return -1;
        *boundary = value;
    }
    return rc < 0 || boundary->ptr == NULL ? -1 : 0;
}

/* As if a CRLF had come, which is no content's. */
static void suppose_crlf(struct multipart *m) {
    m->held = m->spilled = 2;
}

int multipart_init(struct multipart *m, struct str content_type, char *head, uint32_t head_max,
                   uint32_t parts_max) {
    struct str boundary;
    if (find_boundary(content_type, &boundary) < 0 || !is_boundary(boundary))
        return MULTIPART_EBOUNDARY;
    *m = (struct multipart){
        .head = head, .head_max = head_max, .part_left = head_max, .parts_left = parts_max};
    memcpy(m->line, "\r\n--", 4);
    memcpy(m->line + 4, boundary.ptr, boundary.len);
    m->delimiter_len = (uint8_t)(4 + boundary.len);
    suppose_crlf(m);
    return 0;
}

static int fail(struct multipart *m, int error) {
    m->error = error;
    return error;
}

static void skip(struct str *in, size_t n) {
    if (n > 0) /* of nothing there may be no pointer */
        *in = (struct str){in->ptr + n, in->len - n};
}

/* --- a line that may be a delimiter --- */

enum verdict { PART_OF_IT, NOT_ONE, ALL_OF_IT, TOO_LONG };

static bool is_closing(const struct multipart *m) {
    return m->held > m->delimiter_len + 1 && m->line[m->delimiter_len] == '-';
}

/* What `c` behind what is held makes of it. */
static enum verdict judge(const struct multipart *m, char c) {
    if (m->held < m->delimiter_len)
        return c == m->line[m->held] ? PART_OF_IT : NOT_ONE;
    size_t n = m->held - m->delimiter_len;
    char last = n > 0 ? m->line[m->held - 1] : '\0';
    if (last == '\r')
        return c == '\n' ? ALL_OF_IT : NOT_ONE;
    if (c == '-')
        return n == 0 || (n == 1 && last == '-') ? PART_OF_IT : NOT_ONE;
    if (n == 1 && last == '-')
        return NOT_ONE;
    if (c == ' ' || c == '\t')
        return n < MULTIPART_PADDING_MAX ? PART_OF_IT : TOO_LONG;
    return c == '\r' ? PART_OF_IT : NOT_ONE;
}

/* Takes what belongs to the line that is held. PART_OF_IT: there is no more input. */
static enum verdict take_line(struct multipart *m, struct str *in) {
    while (in->len > 0) {
        enum verdict verdict = judge(m, *in->ptr);
        if (verdict != PART_OF_IT && verdict != ALL_OF_IT)
            return verdict;
        if (m->held >= m->delimiter_len)
            m->line[m->held] = *in->ptr;
        m->held++;
        skip(in, 1);
        if (verdict == ALL_OF_IT)
            return verdict;
    }
    return m->over && is_closing(m) ? ALL_OF_IT : PART_OF_IT;
}

/* A delimiter has come. */
static int delimit(struct multipart *m) {
    bool closing = is_closing(m), within = m->state == BODY;
    m->held = m->spilled = 0;
    m->state = closing ? EPILOGUE : HEAD;
    m->head_len = 0;
    if (!closing && m->parts_left-- == 0)
        m->error = MULTIPART_EPARTS; /* the part before has come to its end all the same */
    return within ? MULTIPART_PART : MULTIPART_MORE;
}

/* --- content --- */

/* How many bytes at the end of the content could begin a delimiter. */
static size_t tail_len(const struct multipart *m, struct str s) {
    size_t most = m->delimiter_len - 1U;
    if (s.len > most)
        skip(&s, s.len - most);
    const char *cr = s.len > 0 ? memrchr(s.ptr, '\r', s.len) : NULL;
    size_t n = cr ? (size_t)(s.ptr + s.len - cr) : 0;
    return n > 0 && memcmp(cr, m->line, n) == 0 ? n : 0;
}

/* Content: counted, and given to the caller but for the preamble. */
static int give(struct multipart *m, struct str run, struct str *out) {
    if (run.len > m->part_left)
        return fail(m, m->state == PREAMBLE ? MULTIPART_ESTART : MULTIPART_ELENGTH);
    m->part_left -= run.len;
    if (run.len == 0 || m->state == PREAMBLE)
        return MULTIPART_MORE;
    *out = run;
    return MULTIPART_DATA;
}

/* What was held back and is content after all. */
static int spill(struct multipart *m, size_t most, struct str *out) {
    size_t left = (size_t)(m->spill - m->spilled);
    struct str run = {m->line + m->spilled, left < most ? left : most};
    m->spilled += (uint8_t)run.len;
    if (m->spilled == m->spill)
        m->spill = m->spilled = 0;
    return give(m, run, out);
}

/* The content up to what may be a delimiter, which is held. */
static int scan(struct multipart *m, struct str *in, size_t most, struct str *out) {
    struct str run = {in->ptr, in->len < most ? in->len : most};
    const char *found = memmem(run.ptr, run.len, m->line, m->delimiter_len);
    m->held = found ? m->delimiter_len : (uint8_t)tail_len(m, run);
    run.len = found ? (size_t)(found - run.ptr) : run.len - m->held;
    skip(in, run.len + m->held);
    return give(m, run, out);
}

/* MULTIPART_MORE: it is to be asked again, while there is input. */
static int next_content(struct multipart *m, struct str *in, size_t most, struct str *out) {
    if (m->spill > 0)
        return spill(m, most, out);
    if (m->held == 0)
        return in->len > 0 ? scan(m, in, most, out) : MULTIPART_MORE;
    switch (take_line(m, in)) {
    case ALL_OF_IT:
        return delimit(m);
    case TOO_LONG:
        return fail(m, MULTIPART_EPADDING);
    case NOT_ONE:
        m->spill = m->held;
        m->held = 0;
        return MULTIPART_MORE;
    default:
        return MULTIPART_MORE;
    }
}

/* --- heads --- */

/* The last of the lines that have come, which is whole. */
static struct str last_line(const struct multipart *m) {
    const char *before = memrchr(m->head, '\n', m->head_len - 1U);
    const char *start = before ? before + 1 : m->head;
    return (struct str){start, m->head_len - (size_t)(start - m->head)};
}

/* A line that goes on with the one before, as MIME allows, becomes one with it (RFC 5322 section
 * 2.2.3; spaces for the CRLF as in RFC 9112 section 5.2). */
static void unfold(struct multipart *m, struct str line) {
    size_t at = m->head_len - line.len;
    if (at > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        memset(m->head + at - 2, ' ', 2);
}

/* Takes a line up to its LF, or what there is of it. */
static int next_head(struct multipart *m, struct str *in, struct str *out) {
    const char *lf = in->len > 0 ? memchr(in->ptr, '\n', in->len) : NULL;
    size_t n = lf ? (size_t)(lf - in->ptr) + 1 : in->len;
    if (n > m->head_max - m->head_len)
        return fail(m, MULTIPART_EHEADLEN);
    if (n > 0)
        memcpy(m->head + m->head_len, in->ptr, n);
    m->head_len += (uint32_t)n;
    skip(in, n);
    if (!lf)
        return MULTIPART_MORE;
    struct str line = last_line(m), boundary = {m->line + 2, m->delimiter_len - 2U};
    if (line.len < 2 || line.ptr[line.len - 2] != '\r' || str_starts(line, boundary))
        return fail(m, MULTIPART_EHEAD);
    if (line.len > 2) {
        unfold(m, line);
        return MULTIPART_MORE;
    }
    m->state = BODY;
    suppose_crlf(m);
    *out = (struct str){m->head, m->head_len - 2U};
    return MULTIPART_HEAD;
}

/* --- all of it --- */

static int next(struct multipart *m, struct str *in, size_t most, struct str *out) {
    if (m->state == EPILOGUE) {
        skip(in, in->len);
        return MULTIPART_END;
    }
    return m->state == HEAD ? next_head(m, in, out) : next_content(m, in, most, out);
}

int multipart_next(struct multipart *m, struct str *in, size_t most, struct str *out) {
    *out = (struct str){in->ptr, 0};
    while (m->error == 0) {
        int rc = next(m, in, most, out);
        if (rc != MULTIPART_MORE)
            return rc;
        if (in->len > 0 || m->spill > 0 || m->state == EPILOGUE)
            continue;
        return m->over ? fail(m, MULTIPART_EEND) : MULTIPART_MORE;
    }
    return m->error;
}

void multipart_over(struct multipart *m) {
    m->over = true;
}

const char *multipart_error(int error) {
    switch (error) {
    case MULTIPART_EBOUNDARY:
        return "the Content-Type has no boundary of 1 to 70 characters";
    case MULTIPART_ESTART:
        return "the form does not begin with the boundary that its Content-Type names";
    case MULTIPART_EHEAD:
        return "a part of the form does not begin with header lines and an empty line";
    case MULTIPART_EHEADLEN:
        return "the header lines of a part of the form are too long";
    case MULTIPART_EPARTS:
        return "the form has too many parts";
    case MULTIPART_ELENGTH:
        return "a part of the form is too long";
    case MULTIPART_EPADDING:
        return "a boundary of the form has too much white space behind it";
    default:
        return "the form ends without its last boundary";
    }
}
