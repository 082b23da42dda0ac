/* Who comes most often in a stream of any length, in bounded memory: counts by name. When
 * the table is full, the less frequent half is forgotten, so who matters stays and a count
 * may be too low, never too high. One thread. */
#ifndef GREYLAG_CLI_HEAVY_H
#define GREYLAG_CLI_HEAVY_H

#include "base/span.h"

#define HEAVY_NAME_MAX 255	/* bytes; of a longer name the beginning counts */

struct heavy_row {
	char name[HEAVY_NAME_MAX + 1];
	uint64_t deferred, passed;
};

struct heavy;

/* names: how many are counted at once, 2..1,000,000. NULL when memory is out. */
struct heavy *heavy_new(unsigned names);
void heavy_free(struct heavy **h);
/* name: valid UTF-8, which a cut respects. */
void heavy_add(struct heavy *h, struct span name, uint64_t deferred, uint64_t passed);
/* The most deferred first, then the most passed, then by name. Returns how many of `most`
 * there are; the rows stay until the next call. */
unsigned heavy_top(struct heavy *h, unsigned most, const struct heavy_row **rows);
/* True when names have been forgotten. */
bool heavy_full(const struct heavy *h);

#endif
