/* histogram: how long something took, how often.
 *
 * One row of bounds for all, from a millisecond, which is what clocks of loops tell, to the half
 * minute after which most things are given up; 1, 2, 5 as on banknotes. What is counted is between
 * two bounds; who shows it adds up (serve/metrics). */
#include "base/histogram.h"

const uint32_t histogram_bounds[HISTOGRAM_BOUNDS] = {1,   2,   5,    10,   20,   50,    100,
                                                     200, 500, 1000, 2000, 5000, 10000, 30000};
