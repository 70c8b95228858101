/* metrics: what the process counts, as Prometheus reads it. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "base/buf.h"

#include <lua.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends all of them; those of the workers once there are any. Nobody is asked, so that it is told
 * when workers do not turn. From any thread; of a worker's own, whatever it waits for. */
void metrics_add(struct buf *out);
/* weir.core's `metrics`, into the table on top of the stack. */
void bind_metrics(lua_State *L);

#endif
