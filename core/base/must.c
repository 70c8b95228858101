/* must: what always holds where the line stands, as code.
 *
 * Nothing here may allocate, lock or log: whatever the process was at is broken. It must not know
 * what was. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void must_fail(const char *what, const char *file, int line) {
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: must hold: %s\n", file, line, what);
    if (write(STDERR_FILENO, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1) < 0)
        _exit(134); /* nobody can be told */
    abort();
}
