/* A count-min sketch: counts per key in fixed memory that are never too low and
 * seldom too high. Loop thread. */
#ifndef GREYLAG_STORE_SKETCH_H
#define GREYLAG_STORE_SKETCH_H

#include "base/span.h"

struct sketch;

/* NULL when memory is out. The seed keeps strangers from choosing collisions. */
struct sketch *sketch_new(uint64_t seed);
void sketch_free(struct sketch **s);
void sketch_clear(struct sketch *s);

/* Adds n, which may be negative; a count stops at 0. Returns the new estimate. */
uint32_t sketch_add(struct sketch *s, struct span key, int64_t n);
uint32_t sketch_estimate(const struct sketch *s, struct span key);

#endif
