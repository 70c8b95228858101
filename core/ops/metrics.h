/* metrics: what the process counts, as Prometheus reads it. */
#ifndef OPS_METRICS_H
#define OPS_METRICS_H

#include "base/buf.h"

struct crew;

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends all of them; `crew` NULL: there are no workers yet. Nobody is asked, so that it is told
 * when workers do not turn. */
void metrics_add(struct buf *out, struct crew *crew);

#endif
