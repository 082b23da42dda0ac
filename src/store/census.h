/* The caps on pending records: triplets that wait for their retry.
 *
 * Every record that a merge creates is counted in a count-min sketch by
 * identity and in a total. When an estimate exceeds its cap, the records of the
 * identity (or all) are counted exactly by a scan and the least valuable are
 * removed: never retried before retried, oldest first. One slow scan after the
 * start and one a day rebuild the sketch. Records that have passed are never
 * touched. Loop thread. */
#ifndef GREYLAG_STORE_CENSUS_H
#define GREYLAG_STORE_CENSUS_H

#include "store/store.h"

struct census;

/* NULL with text in why when memory is out. The first scan starts a second later. */
struct census *census_new(struct store *store, const struct store_options *options, struct buf *why);
/* No more scans from here on; what runs ends with its next page. */
void census_stop(struct census *c);
/* After the store's driver has completed everything. */
void census_free(struct census **c);

/* A delta that has been merged: from here on a scan sees it. */
void census_note(struct census *c, const struct store_delta *delta);

void census_start(struct census *c);
bool census_busy(const struct census *c);

uint64_t census_pending(const struct census *c);	/* estimate */
uint32_t census_waiting(const struct census *c, struct span triplet);	/* of its identity */
uint64_t census_evicted(const struct census *c);

#endif
