/* plan: what a run does, drawn from its seed. */
#ifndef TESTS_SEEDS_PLAN_H
#define TESTS_SEEDS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* From there on seeds draw more, see plan.c. */
#define PLAN_ENDS 100000
#define PLAN_ONLY 200000

/* The run of one seed; a fault that it finds ends the process. `trace`: prints what it does. */
void plan_run(uint32_t seed, bool trace);

#endif
