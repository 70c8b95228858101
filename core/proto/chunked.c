/* chunked: the chunked transfer coding (RFC 9112 section 7.1).
 *
 *     chunked-body = *chunk last-chunk trailer-section CRLF
 *     chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *     chunk-size   = 1*HEXDIG
 *     chunk-ext    = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
 *
 * Decoding is a machine over single bytes but for the data, which is passed through in runs, in
 * whatever pieces the input comes. It is strict where a proxy might read otherwise: a bare CR or
 * LF, white space behind a size, a size of more than 16 digits, an extension that is none are
 * errors. Extensions and trailer fields are checked and dropped, up to a limit, since a peer could
 * send them for ever.
 *
 * Sending: a chunk is sent as three pieces, "<hex>CRLF", the bytes, "CRLF", so that the bytes need
 * not be copied; this file makes the first. The other two are constants, and so is the end of the
 * body, CHUNK_LAST: the last chunk followed by an empty trailer section. It owns nothing and does
 * not know what the bytes are or when they leave.
 *
 * snprintf would do, at ten times the cost, and this runs for each event of each stream that writes
 * by itself. */
#include "proto/chunked.h"

#include "proto/header.h"

size_t chunk_head(char out[CHUNK_HEAD_MAX], size_t n) {
    static const char hex[16] = "0123456789abcdef";
    size_t digits = 1;

    for (size_t rest = n >> 4; rest > 0; rest >>= 4)
        digits++;
    for (size_t i = digits; i-- > 0; n >>= 4)
        out[i] = hex[n & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

enum {
    SIZE,
    SIZE_SPACE, /* bad white space before an extension, which recipients must accept */
    NAME_START,
    NAME,
    NAME_SPACE,
    VALUE_START,
    VALUE,
    QUOTED,
    QUOTED_PAIR,
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    END
};

/* What the bytes of an extension lead to, by their kind; where it says nothing they are refused. */
enum { SPACE, SEMICOLON, EQUALS, QUOTE, BACKSLASH, TCHAR, TEXT, CR, OTHER, KINDS };

static const uint8_t grammar[][KINDS] = {
    [SIZE_SPACE] = {[SPACE] = SIZE_SPACE, [SEMICOLON] = NAME_START},
    [NAME_START] = {[SPACE] = NAME_START, [TCHAR] = NAME},
    [NAME] = {[TCHAR] = NAME,
              [SPACE] = NAME_SPACE,
              [EQUALS] = VALUE_START,
              [SEMICOLON] = NAME_START,
              [CR] = SIZE_LF},
    [NAME_SPACE] = {[SPACE] = NAME_SPACE, [EQUALS] = VALUE_START, [SEMICOLON] = NAME_START},
    [VALUE_START] = {[SPACE] = VALUE_START, [TCHAR] = VALUE, [QUOTE] = QUOTED},
    [VALUE] = {[TCHAR] = VALUE, [SPACE] = SIZE_SPACE, [SEMICOLON] = NAME_START, [CR] = SIZE_LF},
    [QUOTED] = {[SPACE] = QUOTED,
                [SEMICOLON] = QUOTED,
                [EQUALS] = QUOTED,
                [TCHAR] = QUOTED,
                [TEXT] = QUOTED,
                [QUOTE] = QUOTED_END,
                [BACKSLASH] = QUOTED_PAIR},
    [QUOTED_PAIR] = {[SPACE] = QUOTED,
                     [SEMICOLON] = QUOTED,
                     [EQUALS] = QUOTED,
                     [TCHAR] = QUOTED,
                     [TEXT] = QUOTED,
                     [QUOTE] = QUOTED,
                     [BACKSLASH] = QUOTED},
    [QUOTED_END] = {[SPACE] = SIZE_SPACE, [SEMICOLON] = NAME_START, [CR] = SIZE_LF},
};

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What may stand in a quoted string or a field value (RFC 9110 sections 5.6.4 and 5.5). */
static bool is_text(char c) {
    return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static int step_size(struct chunk_decoder *d, char c) {
    int digit = hex_value(c);
    if (digit >= 0) {
        if (d->digits++ == 16)
            return CHUNK_EBAD;
        d->left = d->left << 4 | (unsigned)digit;
        return 0;
    }
    if (d->digits == 0)
        return CHUNK_EBAD;
    if (c == '\r')
        d->state = SIZE_LF;
    else if (c == ';')
        d->state = NAME_START;
    else if (c == ' ' || c == '\t')
        d->state = SIZE_SPACE;
    else
        return CHUNK_EBAD;
    return 0;
}

static int kind_of(char c) {
    switch (c) {
    case ' ':
    case '\t':
        return SPACE;
    case ';':
        return SEMICOLON;
    case '=':
        return EQUALS;
    case '"':
        return QUOTE;
    case '\\':
        return BACKSLASH;
    case '\r':
        return CR;
    default:
        if (header_is_token((struct str){&c, 1}))
            return TCHAR;
        return is_text(c) ? TEXT : OTHER;
    }
}

/* A dropped byte of an extension. */
static int step_extension(struct chunk_decoder *d, char c) {
    d->state = grammar[d->state][kind_of(c)];
    if (d->state == SIZE)
        return CHUNK_EBAD;
    return ++d->dropped > d->limit ? CHUNK_ELIMIT : 0;
}

/* A dropped byte of a trailer field's value. */
static int step_text(struct chunk_decoder *d, char c) {
    if (c == '\r')
        d->state = TRAILER_LF;
    else if (!is_text(c))
        return CHUNK_EBAD;
    return ++d->dropped > d->limit ? CHUNK_ELIMIT : 0;
}

static int step_name(struct chunk_decoder *d, char c) {
    if (c == ':' && d->state == TRAILER_NAME)
        d->state = TRAILER_VALUE;
    else if (header_is_token((struct str){&c, 1}))
        d->state = TRAILER_NAME;
    else
        return CHUNK_EBAD;
    return ++d->dropped > d->limit ? CHUNK_ELIMIT : 0;
}

/* `c` must be `want`, which leads to `then`. */
static int step_exact(struct chunk_decoder *d, char c, char want, uint8_t then) {
    if (c != want)
        return CHUNK_EBAD;
    d->state = then;
    return 0;
}

static void begin_data(struct chunk_decoder *d) {
    d->state = d->left == 0 ? TRAILER_START : DATA;
    d->digits = 0;
}

/* Any byte but one of the data. */
static int step(struct chunk_decoder *d, char c) {
    int rc;
    switch (d->state) {
    case SIZE:
        return step_size(d, c);
    case SIZE_LF:
        rc = step_exact(d, c, '\n', DATA);
        if (rc == 0)
            begin_data(d);
        return rc;
    case DATA_CR:
        return step_exact(d, c, '\r', DATA_LF);
    case DATA_LF:
        return step_exact(d, c, '\n', SIZE);
    case TRAILER_START:
        return c == '\r' ? step_exact(d, c, '\r', END_LF) : step_name(d, c);
    case TRAILER_NAME:
        return step_name(d, c);
    case TRAILER_VALUE:
        return step_text(d, c);
    case TRAILER_LF:
        return step_exact(d, c, '\n', TRAILER_START);
    case END_LF:
        return step_exact(d, c, '\n', END);
    default:
        return step_extension(d, c);
    }
}

static void take_data(struct chunk_decoder *d, struct str *in, struct str *data) {
    *data = (struct str){in->ptr, in->len < d->left ? in->len : (size_t)d->left};
    in->ptr += data->len;
    in->len -= data->len;
    d->left -= data->len;
    if (d->left == 0)
        d->state = DATA_CR;
}

int chunk_decode(struct chunk_decoder *decoder, struct str *in, struct str *data) {
    *data = (struct str){in->ptr, 0};
    while (in->len > 0 && decoder->state != END) {
        if (decoder->state == DATA) {
            take_data(decoder, in, data);
            return 0;
        }
        int rc = step(decoder, *in->ptr);
        if (rc < 0)
            return rc;
        in->ptr++;
        in->len--;
    }
    return decoder->state == END;
}
