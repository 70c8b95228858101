/* must: what always holds where the line stands, as code.
 *
 * Nothing here may allocate, lock or log: whatever the process was at is broken. It must not know
 * what was. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *what, const char *file, int line) {
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: must hold: %s\n", file, line, what);
    fwrite(text, 1, n < (int)sizeof text ? (size_t)n : sizeof text - 1, stderr);
    abort();
}
