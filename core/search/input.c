/* input: a log between its files and those who merge it with others.
 *
 *     input_step --the first--> its files are opened, the places it was told looked up
 *                --further----> a block more of it, backward or forward
 *
 * A place of a file that is not there any more was rotated away. Before it there is nothing; behind
 * it is all that is left, with a gap (-ENOENT) first.
 *
 * Owned by an inquiry, on one thread at a time. It knows nothing of other logs. */
#include "search/input.h"

#include <errno.h>
#include <stdlib.h>

void input_fini(struct input *input) {
    reading_close(&input->reading);
    free(input->path);
}

/* The volume of a place, which -1 means that there is none; `known`: whether one was told. */
static int volume_of(const struct input *input, bool known, const struct place *place) {
    return known ? volumes_find(&input->reading.volumes, place) : -1;
}

static int open_input(struct input *input) {
    struct reading *reading = &input->reading;
    int rc = reading_open(reading, input->path);
    int from = volume_of(input, input->has_from, &input->from);
    int upto = volume_of(input, input->has_upto, &input->upto);

    if (input->is_backward) {
        backward_begin(&input->backward, reading, from, input->from.offset);
        input->over = input->has_from && from < 0;
    } else {
        forward_begin(&input->forward, reading, from, input->from.offset);
        if (upto >= 0)
            forward_stop(&input->forward, (size_t)upto, input->upto.offset);
        input->over = input->has_upto && upto < 0;
    }
    if (rc == 0 && reading->volumes.n > 0 &&
        ((input->has_from && from < 0) || (input->has_upto && upto < 0)))
        rc = -ENOENT;
    return rc;
}

bool input_has(const struct input *input) {
    if (!input->opened)
        return false;
    return input->is_backward ? backward_has(&input->backward) : forward_has(&input->forward);
}

const struct match *input_match(const struct input *input) {
    const struct matches *matches = &input->reading.matches;
    return input->is_backward ? matches_newest(matches) : matches_oldest(matches);
}

struct str input_text(const struct input *input, const struct match *match) {
    return matches_line(&input->reading.matches, match);
}

struct place input_behind(const struct input *input, const struct match *match) {
    size_t i = input->is_backward ? input->backward.found_in : input->forward.found_in;
    return volumes_place(&input->reading.volumes, i, match->to);
}

void input_pass(struct input *input) {
    if (input->is_backward)
        matches_drop_newest(&input->reading.matches);
    else
        matches_drop_oldest(&input->reading.matches);
}

int input_step(struct input *input) {
    int rc;

    if (!input->opened) {
        input->opened = true;
        return open_input(input);
    }
    rc = input->is_backward ? backward_step(&input->backward) : forward_step(&input->forward);
    input->over = rc == 0;
    return rc < 0 ? rc : 0;
}

bool input_place(const struct input *input, struct place *place) {
    const struct volumes *volumes = &input->reading.volumes;
    size_t i = 0;
    uint64_t offset = 0;

    if (!input->opened || volumes->n == 0)
        return false;
    if (!input->is_backward)
        forward_place(&input->forward, &i, &offset);
    else if (!backward_place(&input->backward, &i, &offset))
        i = offset = 0; /* before all of it */
    *place = volumes_place(volumes, i, offset);
    return true;
}
