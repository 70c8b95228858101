/* logs: some logs that are looked at together. */
#ifndef LOGS_LOGS_H
#define LOGS_LOGS_H

#include "logs/page.h"
#include "logs/roster.h"

struct logs {
    unsigned refs;
    struct loop *loop;
    struct roster *roster;
    struct redact *redact; /* what none of its lines shows */
    struct shelf shelf;
};

/* Without sources and rules: they are added before it is used. */
struct logs *logs_new(struct loop *loop);
struct logs *logs_ref(struct logs *logs);
void logs_unref(struct logs *logs);

#endif
