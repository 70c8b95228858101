/* place: a file and an offset, so told that they are found again.
 *
 * Names change at each rotation, and the number of a device may at each start of the machine. What
 * stays is the inode as long as a file is renamed, and the first bytes even if it is copied: at
 * most 256, fewer as long as there are no more, which is why their number is told with their hash.
 *
 *     inode . number of first bytes . their hash . offset              all in base 16
 *
 * To whoever gets one it is a text to be given back. The hash keeps nothing from anybody who can
 * read the log; it is SipHash with a key that all processes share, since its results are kept.
 *
 * A value: it opens no files. Who looks for the file is kin. */
#include "tail/place.h"

#include "base/siphash.h"

uint64_t place_hash(const char *head, size_t n) {
    static const uint64_t key[2] = {0x7765697274616970, 0x6c6163656f666974};
    return siphash13(key, (struct str){head, n});
}

bool place_fits(const struct place *place, const char *head, size_t n) {
    return n >= place->head_len && place_hash(head, place->head_len) == place->hash;
}

static char *put_hex(char *out, uint64_t number, int least) {
    int digits = least;
    while (digits < 16 && number >> (4 * digits) != 0)
        digits++;
    for (int i = digits - 1; i >= 0; i--)
        *out++ = "0123456789abcdef"[number >> (4 * i) & 15];
    return out;
}

/* By hand, since each line has one. */
size_t place_write(char *out, const struct place *place) {
    char *at = put_hex(out, place->ino, 1);
    *at++ = '.';
    at = put_hex(at, place->head_len, 1);
    *at++ = '.';
    at = put_hex(at, place->hash, 16);
    *at++ = '.';
    return (size_t)(put_hex(at, place->offset, 1) - out);
}

/* Digits in base 16, lower case, up to the next dot. */
static int take_hex(struct str *rest, uint64_t *out) {
    struct str digits = str_cut(rest, '.');
    *out = 0;
    if (digits.len == 0 || digits.len > 16)
        return -1;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
        if (digit > 15)
            return -1;
        *out = *out << 4 | digit;
    }
    return 0;
}

int place_parse(struct str text, struct place *out) {
    uint64_t head_len;
    if (text.len > PLACE_TEXT_MAX || take_hex(&text, &out->ino) < 0 || text.ptr == NULL)
        return -1;
    if (take_hex(&text, &head_len) < 0 || text.ptr == NULL || head_len > PLACE_HEAD)
        return -1;
    out->head_len = (uint32_t)head_len;
    if (take_hex(&text, &out->hash) < 0 || text.ptr == NULL)
        return -1;
    return take_hex(&text, &out->offset) < 0 || text.ptr || out->offset > INT64_MAX ? -1 : 0;
}
