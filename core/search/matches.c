/* matches: what a piece of a file had of lines that are wanted, until they are given.
 *
 *     matches_add --> [oldest ... newest] --> taken from either end
 *                      |
 *                      +--> dropped, when there are more than are wanted or than may be kept
 *
 * A file that is read forward, though its end is what is asked for, has its last lines at last: so
 * what is kept is always the newest. Who needs older ones is told that there were some (`dropped`),
 * and reads again up to the oldest that was kept.
 *
 * Owned by who reads one log; one thread at a time is at them. They know nothing of files. */
#include "search/matches.h"

#include "base/mem.h"

#include <stdlib.h>

void matches_fini(struct matches *matches) {
    free(matches->items);
    buf_fini(&matches->text);
    *matches = (struct matches){0};
}

void matches_clear(struct matches *matches, size_t most) {
    matches->most = most;
    matches->n = matches->first = 0;
    matches->text.len = 0;
    matches->dropped = false;
}

/* Gives back the room of what was dropped, once that is more than half. */
static void pack(struct matches *matches) {
    if (matches->first <= matches->n / 2)
        return;
    size_t gone = matches_is_empty(matches) ? matches->text.len : matches_oldest(matches)->text;
    matches->n -= matches->first;
    memmove(matches->items, matches->items + matches->first, matches->n * sizeof *matches->items);
    matches->first = 0;
    for (size_t i = 0; i < matches->n; i++)
        matches->items[i].text -= gone;
    matches->text.len -= gone;
    if (matches->text.len > 0)
        memmove(matches->text.data, matches->text.data + gone, matches->text.len);
}

static bool is_full(const struct matches *matches) {
    return matches->n - matches->first >= matches->most ||
           (matches->most != SIZE_MAX && !matches_is_empty(matches) &&
            matches->text.len - matches_oldest(matches)->text >= MATCHES_BYTES);
}

void matches_add(struct matches *matches, const struct match *match, struct str line) {
    for (; is_full(matches); matches->dropped = true)
        matches_drop_oldest(matches);
    pack(matches);
    if (matches->n == matches->cap) {
        matches->cap = matches->cap ? 2 * matches->cap : 64;
        matches->items = mem_resize(matches->items, matches->cap * sizeof *matches->items);
    }
    struct match *kept = &matches->items[matches->n++];
    *kept = *match;
    kept->text = matches->text.len;
    kept->len = line.len;
    buf_add(&matches->text, line);
}
