/* event_id: a position in the order of all events of a server.
 *
 * A client's last id is all that a server knows of it after a reconnect, so an id must say by
 * itself where in the order of everything it stands. It is kept as one number and travels as
 * "<milliseconds>-<sequence>", with as many zeroes in front that the order of texts is that of ids.
 * Who makes ids, and that they grow, is the hub's affair. */
#include "proto/event_id.h"

#include <string.h>

#define SEQUENCE_MASK ((1ull << EVENT_ID_SEQUENCE_BITS) - 1)
#define SEQUENCE_WIDTH 7 /* digits of the largest */
#define MS_WIDTH 13      /* ... that the year 2286 ends; then there is one more */

event_id event_id_at(uint64_t ms) {
    return ms << EVENT_ID_SEQUENCE_BITS;
}

uint64_t event_id_ms(event_id id) {
    return id >> EVENT_ID_SEQUENCE_BITS;
}

/* Below printf: an id is made for each event, under the hub's lock. Two digits at a time. */
static char *put_number(char *out, uint64_t number, size_t width) {
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char digits[24];
    size_t at = sizeof digits;
    for (; number > 0; number /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + number % 100 * 2, 2);
    }
    at += at < sizeof digits && digits[at] == '0'; /* an odd number of them */
    while (sizeof digits - at < width)
        digits[--at] = '0';
    memcpy(out, digits + at, sizeof digits - at);
    return out + (sizeof digits - at);
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
