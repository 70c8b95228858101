/* line: what the access log says of a stream, in either form.
 *
 *     a stream --line_put_text--> the combined format, and what follows in it
 *              \-line_put_json--> an object
 *
 * A line is made for every request, so its common parts are copied, not printed: the texts of the
 * second and of the last client are kept, numbers are written here. Belongs to an access log. It
 * must not know where lines go. */
#include "access/line.h"

void line_init(struct line *line, bool json) {
    *line = (struct line){.put = json ? line_put_json : line_put_text, .second = -1};
}

void line_fini(struct line *line) {
    buf_fini(&line->target);
}

/* Another one than before. */
void line_show(struct line *line, const struct address *client) {
    static const struct address none;
    line->client = *client;
    line->showing = true;
    line->shown[0] = '\0';
    if (!line_is_same(client, &none))
        address_format(client, line->shown);
    line->shown_len = strlen(line->shown);
}
