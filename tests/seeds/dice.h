/* dice: all chances of a run, from its seed. */
#ifndef TESTS_SEEDS_DICE_H
#define TESTS_SEEDS_DICE_H

#include <stdbool.h>
#include <stdint.h>

extern uint64_t dice_state;

static inline void dice_seed(uint32_t seed) {
    dice_state = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
}

/* 0 to n - 1 */
static inline uint32_t below(uint32_t n) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (uint32_t)(dice_state >> 32) % n;
}

static inline bool one_in(uint32_t n) {
    return below(n) == 0;
}

#endif
