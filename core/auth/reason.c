/* reason: why something was refused, as one line for the log.
 *
 * A token that is refused tells its sender nothing (all answers are the same), and a key that
 * cannot be used must tell its owner what to do. Both need words, and a number or two, at the place
 * where the matter is known; so whoever refuses writes them into the caller's reason, on the
 * caller's stack, and nothing is allocated for an attacker. It knows nothing of what it says. */
#include "auth/reason.h"

#include <stdarg.h>
#include <stdio.h>

int reason_set(struct reason *why, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (vsnprintf(why->text, sizeof why->text, format, args) < 0)
        why->text[0] = '\0';
    va_end(args);
    return code;
}
