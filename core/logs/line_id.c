/* line_id: what clients hold to go on where they were, and to link to a line.
 *
 *     9f3a01bc~PLACE                     behind that line: the key of its file (roster), and tail's
 *     9f3a01bc~PLACE,77e0b1d2~PLACE      where several files go on
 *     9f3a01bc~                          the file was not there yet
 *
 * What comes from a client is anything, and none of it is believed: it names no file but those that
 * are looked at, and a place within a line is found out by who reads there. Pure. */
#include "logs/line_id.h"

size_t line_id_write(char out[LINE_ID_MAX], const char *key, const struct place *place) {
    size_t n = strlen(key);
    memcpy(out, key, n);
    out[n++] = '~';
    return place ? n + place_write(out + n, place) : n;
}

struct str line_id_cut(struct str *rest, struct str *key) {
    struct str place = str_cut(rest, ',');
    *key = str_cut(&place, '~');
    return place;
}
