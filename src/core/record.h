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

/* What a client is held for. Of two holds that end at once the later word counts. */
enum hold {
	HOLD_NONE,
	HOLD_HASTY,		/* retried far too often before the delay was over */
	HOLD_HOPPING,		/* the same mail came from several unrelated senders at once */
	HOLD_UNWELCOME,		/* kept coming after permanent rejections */
	HOLD_MISBEHAVED,	/* talked before the greeting, hung up in it */
	HOLD_SPAM,		/* somebody said that it sent spam */
	HOLD_HAMMERING,		/* went on and on */
	HOLD_TRAP,		/* wrote to a trap */
};
#define HOLD_COUNT 8

/* "hasty", "hopping", ...; "" for HOLD_NONE. */
const char *hold_word(enum hold hold);

struct record {
	uint32_t generation;	/* raised when a lapsed record starts anew */
	int64_t first_seen;	/* earliest non-zero */
	int64_t last_seen;	/* latest */
	int64_t passed_at;	/* earliest non-zero; 0: never passed */
	int64_t expires;	/* latest; not used from then on */
	uint64_t blocked;	/* sum: attempts that were deferred */
	uint64_t passed;	/* sum: attempts that passed */
	int64_t held_until;	/* latest: does not pass before, whatever else is said here */
	uint8_t held_for;	/* enum hold, that of held_until */
	uint32_t strikes;	/* sum: how often it was held, for longer holds */
};

/* Bytes of an encoded record: version, generation, four times, two counters; since
 * version 2 a time, a byte and a counter for the hold. Version 1 is still read. */
#define RECORD_SIZE 45
#define RECORD_VERSION 2
#define RECORD_SIZE_1 37

void record_merge(struct record *into, const struct record *delta);

/* Writes RECORD_SIZE bytes, little-endian. Values over a field's width
 * (generation 32 bits, times 40, counters 48, strikes 16) are stored as the largest that fits. */
void record_encode(const struct record *r, unsigned char out[RECORD_SIZE]);
/* False, *out untouched, on another size or version. */
bool record_decode(struct span bytes, struct record *out);

static inline bool record_expired(const struct record *r, int64_t now)
{
	return r->expires <= now;
}

static inline bool record_held(const struct record *r, int64_t now)
{
	return r->held_until > now && !record_expired(r, now);
}

/* Waits for its retry: has never passed. */
static inline bool record_pending(const struct record *r)
{
	return r->passed_at == 0;
}

#endif
