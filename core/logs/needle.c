/* needle: finds a text in blocks of a file, some gigabytes a second, in either case of letters.
 *
 *     text:   c o n n e c t i o n   r e f u s e d
 *                                 ^ f         ^ s ... the two bytes of it that are rarest here
 *
 * Thirty-two places are looked at together: whether the first of these two bytes and the second
 * stand as far apart as in the text. Nearly always they do at none, and the next thirty-two follow;
 * else each is compared. What is rare is not known beforehand but counted in a sample, since a log
 * repeats itself: "E" is rare in one and in each line of another. A needle that was never tuned
 * looks for its first byte and its last.
 *
 * Letters of either case are one bit apart in ASCII. So where case does not count that bit is set
 * in the bytes before they are compared, which no other byte can be mistaken through; letters
 * beyond ASCII are bytes like others, as they are for sift.
 *
 * The vectors are the compiler's own, of no machine in particular. A value, owned by whoever made
 * it, read by one thread at a time or several; it knows nothing of lines. */
#include "logs/needle.h"

#include "base/mem.h"

#include <stdlib.h>

#define STEP 32

typedef unsigned char lanes __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

static bool is_letter(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void needle_init(struct needle *needle, struct str text, bool cased) {
    *needle = (struct needle){.text = mem_copy(text.ptr, text.len), .len = text.len};
    needle->cased = cased;
    for (int c = 0; c < 256; c++)
        needle->fold[c] = (unsigned char)(!cased && is_letter((unsigned char)c) ? c | 0x20 : c);
    for (size_t i = 0; i < text.len; i++)
        needle->text[i] = (char)needle->fold[(unsigned char)text.ptr[i]];
    needle->at[1] = text.len - 1;
}

void needle_fini(struct needle *needle) {
    free(needle->text);
    *needle = (struct needle){0};
}

void needle_tune(struct needle *needle, struct str sample) {
    uint32_t count[256] = {0};
    size_t best[2] = {0, needle->len - 1};

    for (size_t i = 0; i < sample.len; i++)
        count[needle->fold[(unsigned char)sample.ptr[i]]]++;
    for (int k = 0; k < 2 && needle->len > 1; k++) {
        best[k] = k == 1 && best[0] == 0 ? 1 : 0;
        for (size_t i = 0; i < needle->len; i++)
            if ((k == 0 || i != best[0]) &&
                count[(unsigned char)needle->text[i]] < count[(unsigned char)needle->text[best[k]]])
                best[k] = i;
    }
    memcpy(needle->at, best, sizeof best);
}

static bool is_here(const struct needle *needle, const char *at) {
    if (needle->cased)
        return memcmp(at, needle->text, needle->len) == 0;
    for (size_t i = 0; i < needle->len; i++)
        if (needle->fold[(unsigned char)at[i]] != (unsigned char)needle->text[i])
            return false;
    return true;
}

/* One of the two bytes: what it is, and the bit that is set before it is compared. */
struct probe {
    size_t at;
    lanes byte, bit;
};

static struct probe probe_of(const struct needle *needle, int k) {
    unsigned char c = (unsigned char)needle->text[needle->at[k]];
    lanes none = {0};
    bool either = !needle->cased && is_letter(c);
    return (struct probe){needle->at[k], none + c, none + (unsigned char)(either ? 0x20 : 0)};
}

/* All ones in the lanes where the byte stands. */
static lanes probe_at(const struct probe *probe, const char *place) {
    lanes bytes;
    memcpy(&bytes, place + probe->at, sizeof bytes);
    return (lanes)((bytes | probe->bit) == probe->byte);
}

static bool is_any(lanes found) {
    halves both = (halves)found;
    return (both[0] | both[1]) != 0;
}

const char *needle_find(const struct needle *needle, struct str bytes) {
    if (bytes.len < needle->len)
        return NULL;
    const struct probe a = probe_of(needle, 0), b = probe_of(needle, 1);
    const char *at = bytes.ptr, *last = bytes.ptr + (bytes.len - needle->len);

    /* While there are STEP places whose probes, and those of what follows, lie within the bytes. */
    for (; last - at >= STEP; at += STEP) {
        lanes low = probe_at(&a, at) & probe_at(&b, at);
        lanes high = probe_at(&a, at + 16) & probe_at(&b, at + 16);
        if (!is_any(low | high))
            continue;
        for (int i = 0; i < STEP; i++)
            if (is_here(needle, at + i))
                return at + i;
    }
    for (; at <= last; at++)
        if (is_here(needle, at))
            return at;
    return NULL;
}
