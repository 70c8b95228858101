/* tells: reads a line's time and level, in one walk where it is JSON.
 *
 *     {"level":"warn","time":1770000000123, ...}      the first field that tells one decides
 *     2026-01-31 12:00:00 WARN ...                    what the text says, by stamp and level
 *     ESC[2m2026-01-31 12:00:00 ESC[33mWARN...        the same, in colours, which are passed over
 *
 * A line of JSON without such a field is a text like others. Pure; it borrows the line. */
#include "logs/tells.h"

#include "logs/json_field.h"

#define WALKED_BYTES 4096 /* of a line of JSON: some write what they tell behind the message */
#define TEXT_BYTES 200    /* of a text, its colours included */
#define ESC '\x1b'

_Static_assert(TEXT_BYTES == STAMP_BYTES && TEXT_BYTES == LEVEL_BYTES, "all look at the same");

/* ---- colours ----------------------------------------------------------------------------------*/

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind the sequence that the ESC at `at` begins: "[", numbers and the like, and one letter, which
 * would look like a part of the word behind it. */
static const char *behind_sequence(const char *at, const char *end) {
    if (++at == end || *at != '[')
        return at;
    do
        at++;
    while (at < end && *at >= ' ' && *at < '@');
    return at < end ? at + 1 : end;
}

/* What is looked at of a text: without colours, in `room` if it has any. What they keep apart stays
 * two words. */
static struct str head_of(struct str line, char room[TEXT_BYTES]) {
    struct str head = {line.ptr, line.len < TEXT_BYTES ? line.len : TEXT_BYTES};
    size_t n = 0;

    if (head.len == 0 || memchr(head.ptr, ESC, head.len) == NULL)
        return head;
    for (const char *at = head.ptr, *end = head.ptr + head.len; at < end;) {
        if (*at != ESC) {
            room[n++] = *at++;
            continue;
        }
        at = behind_sequence(at, end);
        if (n > 0 && at < end && is_letter(room[n - 1]) && is_letter(*at))
            room[n++] = ' ';
    }
    return (struct str){room, n};
}

/* ---- what it tells ----------------------------------------------------------------------------*/

/* Whether the line is JSON, of which the walk is at the start. */
static bool walk_begin(struct json_walk *walk, struct str line) {
    struct str head = {line.ptr, line.len < WALKED_BYTES ? line.len : WALKED_BYTES};
    return line.len > 0 && line.ptr[0] == '{' && json_walk_begin(walk, head);
}

struct tells tells_of(struct str line) {
    struct tells tells = {.time = STAMP_NONE};
    struct json_walk walk;
    struct json_found found;
    char room[TEXT_BYTES];
    bool leveled = false;

    bool object = walk_begin(&walk, line);
    while (object && (!leveled || tells.time == STAMP_NONE) && json_walk_next(&walk, &found)) {
        if (!leveled && level_is_field(found.name)) {
            leveled = true;
            tells.level = level_of_word(found.value);
        } else if (tells.time == STAMP_NONE && stamp_is_field(found.name)) {
            tells.time = stamp_of_value(found.value);
        }
    }
    if (leveled && tells.time != STAMP_NONE)
        return tells;
    struct str head = head_of(line, room);
    if (!leveled)
        tells.level = level_of_text(head);
    if (tells.time == STAMP_NONE)
        tells.time = stamp_of_text(head);
    return tells;
}

enum level tells_level(struct str line) {
    struct json_walk walk;
    struct json_found found;
    char room[TEXT_BYTES];

    bool object = walk_begin(&walk, line);
    while (object && json_walk_next(&walk, &found))
        if (level_is_field(found.name))
            return level_of_word(found.value);
    return level_of_text(head_of(line, room));
}
