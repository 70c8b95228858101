/* logs: what all who look at the same logs share: which files there are, what is taken out of their
 * lines, and pages of lines that are ready.
 *
 * Made by an app when it loads, one in each worker, and held by each view and search as well, since
 * a garbage collector asks nobody for an order. It knows none of them. */
#include "logs/logs.h"

#include "base/mem.h"

struct logs *logs_new(struct loop *loop) {
    struct logs *logs = mem_alloc(sizeof *logs);
    *logs =
        (struct logs){.refs = 1, .loop = loop, .roster = roster_new(loop), .redact = redact_new()};
    shelf_init(&logs->shelf);
    return logs;
}

struct logs *logs_ref(struct logs *logs) {
    logs->refs++;
    return logs;
}

void logs_unref(struct logs *logs) {
    if (--logs->refs > 0)
        return;
    roster_free(logs->roster);
    redact_free(logs->redact);
    shelf_fini(&logs->shelf);
    free(logs);
}
