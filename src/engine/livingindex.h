/* The living lists in memory: a table of entries by list, kind and value. A client
 * is looked up once for each length of prefix that its list has, a name once or
 * twice for each of its labels: the cost does not depend on the number of entries,
 * nothing is ever built anew, and what expires does so to the second.
 *
 * Entries merge like their records (core/record.h): the higher generation, then the
 * later end. Looking up allocates nothing. Loop thread only. */
#ifndef GREYLAG_ENGINE_LIVINGINDEX_H
#define GREYLAG_ENGINE_LIVINGINDEX_H

#include "core/listkey.h"
#include "core/request.h"

#define LIVING_ENTRIES_MAX 1000000
#define LIVING_LISTS_MAX 100
#define LIVING_HIT_TEXT 100

/* An entry that matched. */
struct living_hit {
	enum list_kind kind;
	int64_t expires;
	char value[LIVING_HIT_TEXT + 1];	/* cut when longer */
};

struct livingindex;

/* NULL when memory is out. */
struct livingindex *livingindex_new(void);
void livingindex_free(struct livingindex **ix);

/* Adds or merges an entry; its value is in normal form. 1; 0 when there is no room
 * for another entry or another list, or the value is none; -1 when memory is out. */
int livingindex_put(struct livingindex *ix, struct span list, enum list_kind kind, struct span value,
		    uint32_t generation, int64_t expires);
/* How many more entries this list may get. */
size_t livingindex_room(const struct livingindex *ix, struct span list);

/* True when an entry of the list that has not expired matches the request; hit may
 * be NULL. */
bool livingindex_match(const struct livingindex *ix, struct span list, const struct request *r, int64_t now,
		       struct living_hit *hit);
/* True when the list has no entry, expired ones that were not yet removed included. */
bool livingindex_empty(const struct livingindex *ix, struct span list);
size_t livingindex_count(const struct livingindex *ix);
/* When the entry ends; 0 when there is none, or it has ended. Not for clients. */
int64_t livingindex_until(const struct livingindex *ix, struct span list, enum list_kind kind, struct span value,
			  int64_t now);

typedef void livingindex_fn(void *arg, struct span list, struct span value);
/* Calls fn for the entries of a kind, not clients, that have not ended, in the next `most` slots of
 * the table from *at on. True, *at = 0, at its end. What comes in meanwhile may be met or
 * not, and one entry twice. fn must not change the index. */
bool livingindex_walk(const struct livingindex *ix, enum list_kind kind, size_t *at, size_t most, int64_t now,
		      livingindex_fn *fn, void *arg);

/* A pass reads all entries from the store. What was not put since it began has gone
 * when it ends; a pass that was not ended is forgotten by the next. */
void livingindex_pass_begin(struct livingindex *ix);
void livingindex_pass_end(struct livingindex *ix);
/* Frees entries that have gone, or expired, among the next `most` slots of the
 * table. During a pass it only frees the former, so that none comes back from a
 * page that was read before. */
void livingindex_sweep(struct livingindex *ix, size_t most, int64_t now);

#endif
