/* work: a blocking piece of work, done by libuv's thread pool.
 *
 * Files are the reason: a read from a disk may take long, and a loop must not wait. A work is
 * embedded in its noun (a file being sent, an upload being written), which owns the memory until
 * `done`. It is never cancelled: a pool thread may be inside it, so losing interest is a flag in
 * the noun. */
#include "net/work.h"

#include <stdlib.h>

static void on_run(uv_work_t *req) {
    struct work *work = CONTAINER_OF(req, struct work, req);
    work->run(work);
}

static void on_done(uv_work_t *req, int status) {
    (void)status; /* only cancelling gives another than 0 */
    struct work *work = CONTAINER_OF(req, struct work, req);
    work->done(work);
}

void work_submit(struct loop *loop, struct work *work) {
    if (uv_queue_work(&loop->uv, &work->req, on_run, on_done) != 0)
        abort(); /* it fails for a NULL callback only */
}
