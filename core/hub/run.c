/* run: the servers that have had the store's file, and which ids were theirs.
 *
 *     start --ids--> last      start --ids--> last      start --ids--> now
 *     with the file            with the file            this one
 *                      (a server without it)
 *
 * Whoever comes back with an id from between two of them was served by a server without the file,
 * and what that one had is nowhere. A server that was killed has as its last id what it had stored;
 * the ids of its topics in memory may have been larger, and those topics are lost too.
 *
 * The file keeps some of them. What is older than those is taken for theirs. Under the hub's lock.
 */
#include "hub/run.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct stored_run *runs;
static size_t count;

void run_begin(struct store *store, event_id start) {
    struct str stored = store_runs(store);
    count = stored.len / sizeof *runs;
    runs = mem_resize(runs, (count + 1) * sizeof *runs);
    if (count > 0) {
        memcpy(runs, stored.ptr, stored.len);
        runs[count - 1].last = store_last_id(store); /* it may have been killed */
        store_note_run(store, runs[count - 1]);
    }
    runs[count++] = (struct stored_run){start, start};
    store_note_run(store, runs[count - 1]);
}

void run_end(struct store *store, event_id last) {
    runs[count - 1].last = last;
    store_note_run(store, runs[count - 1]);
    free(runs);
    runs = NULL;
    count = 0;
}

event_id run_behind(event_id id) {
    for (size_t i = 1; i < count; i++)
        if (id > runs[i - 1].last && id < runs[i].start)
            return runs[i].start;
    return 0;
}
