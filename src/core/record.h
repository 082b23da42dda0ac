/* What the store knows about one key, and how it changes.
 *
 * A record is never written back: it changes by a delta, which has the same
 * fields. Merging is commutative and associative, so any number of writers may
 * apply deltas in any order (DESIGN section 4). The higher generation replaces the
 * lower; within one generation each field merges by the rule beside it. A zero
 * field of a delta changes nothing. Times are seconds since 1970. */
#ifndef GREYLAG_CORE_RECORD_H
#define GREYLAG_CORE_RECORD_H

#include "base/span.h"

struct record {
	uint32_t generation;	/* raised when a lapsed record starts anew */
	int64_t first_seen;	/* earliest non-zero */
	int64_t last_seen;	/* latest */
	int64_t passed_at;	/* earliest non-zero; 0: never passed */
	int64_t expires;	/* latest; not used from then on */
	uint64_t blocked;	/* sum: attempts that were deferred */
	uint64_t passed;	/* sum: attempts that passed */
};

/* Bytes of an encoded record: version, generation, four times, two counters. */
#define RECORD_SIZE 37
#define RECORD_VERSION 1

void record_merge(struct record *into, const struct record *delta);

/* Writes RECORD_SIZE bytes, little-endian. Values over a field's width
 * (generation 32 bits, times 40, counters 48) are stored as the largest that fits. */
void record_encode(const struct record *r, unsigned char out[RECORD_SIZE]);
/* False, *out untouched, on another size or version. */
bool record_decode(struct span bytes, struct record *out);

static inline bool record_expired(const struct record *r, int64_t now)
{
	return r->expires <= now;
}

/* Waits for its retry: has never passed. */
static inline bool record_pending(const struct record *r)
{
	return r->passed_at == 0;
}

#endif
