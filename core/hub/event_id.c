/* event_id: a position in the order of all events of a server.
 *
 * A client's last id is all that a server knows of it after a reconnect, so an id must say by
 * itself where in the order of everything it stands. It is kept as one number and travels as
 * "<milliseconds>-<sequence>", with as many zeroes in front that the order of texts is that of ids.
 * Who makes ids, and that they grow, is the hub's affair. */
#include "hub/event_id.h"

#define SEQUENCE_MASK ((1ull << EVENT_ID_SEQUENCE_BITS) - 1)
#define SEQUENCE_WIDTH 7 /* digits of the largest */
#define MS_WIDTH 13      /* ... that the year 2286 ends; then there is one more */

event_id event_id_at(uint64_t ms) {
    return ms << EVENT_ID_SEQUENCE_BITS;
}

uint64_t event_id_ms(event_id id) {
    return id >> EVENT_ID_SEQUENCE_BITS;
}

/* Below printf: an id is made for each event, under the hub's lock. */
static char *put_number(char *out, uint64_t number, size_t width) {
    char digits[20];
    size_t n = 0;
    for (; number > 0 || n < width; number /= 10)
        digits[n++] = (char)('0' + number % 10);
    while (n > 0)
        *out++ = digits[--n];
    return out;
}

size_t event_id_format(event_id id, char out[EVENT_ID_TEXT]) {
    char *end = put_number(out, event_id_ms(id), MS_WIDTH);
    *end++ = '-';
    end = put_number(end, id & SEQUENCE_MASK, SEQUENCE_WIDTH);
    *end = '\0';
    return (size_t)(end - out);
}

int event_id_parse(struct str text, event_id *out) {
    struct str sequence = text, ms = str_cut(&sequence, '-');
    uint64_t upper, lower;
    if (sequence.ptr == NULL || ms.len > MS_WIDTH + 1 || sequence.len > SEQUENCE_WIDTH ||
        str_to_u64(ms, &upper) < 0 || str_to_u64(sequence, &lower) < 0 ||
        upper > UINT64_MAX >> EVENT_ID_SEQUENCE_BITS || lower > SEQUENCE_MASK)
        return -1;
    event_id id = event_id_at(upper) | lower;
    if (id == EVENT_ID_NONE)
        return -1;
    *out = id;
    return 0;
}
