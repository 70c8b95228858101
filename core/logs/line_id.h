/* line_id: where in which of several files a line ends, as a text. */
#ifndef LOGS_LINE_ID_H
#define LOGS_LINE_ID_H

#include "tail/place.h"

#define LINE_ID_KEY 8 /* letters and digits that stand for a file, at most */
#define LINE_ID_MAX (LINE_ID_KEY + 1 + PLACE_TEXT_MAX)

/* Writes it, without an end; its length. `place` NULL: the file was not there. */
size_t line_id_write(char out[LINE_ID_MAX], const char *key, const struct place *place);
/* Takes the next one of `rest`, which has another behind it if its ptr is not NULL then: the key,
 * and the text of the place; ptr NULL: it is no id. */
struct str line_id_cut(struct str *rest, struct str *key);

#endif
