/* input: one log of an inquiry, read either way. */
#ifndef SEARCH_INPUT_H
#define SEARCH_INPUT_H

#include "logs/line_id.h"
#include "search/backward.h"
#include "search/forward.h"

struct input {
    char key[LINE_ID_KEY + 1];
    char *path;
    bool is_backward;
    bool left_out; /* another log is asked for */
    bool has_from, has_upto;
    struct place from, upto;
    struct reading reading; /* filled as it says, by who makes the input */
    bool opened, over;
    union {
        struct backward backward;
        struct forward forward;
    };
};

void input_fini(struct input *input);
/* Whether there is a line: the newest of the log, or the oldest. */
bool input_has(const struct input *input);
/* It. */
const struct match *input_match(const struct input *input);
struct str input_text(const struct input *input, const struct match *match);
/* The place behind it. */
struct place input_behind(const struct input *input, const struct match *match);
void input_pass(struct input *input);
/* When there is none and it is not over: reads a block. 0, or a negative errno: something is left
 * out. Blocks. */
int input_step(struct input *input);
/* Where another one would go on; false: there is nothing to go on with. */
bool input_place(const struct input *input, struct place *place);

#endif
