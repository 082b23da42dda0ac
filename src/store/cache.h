/* Records that were read or written of late, in front of a driver that has no
 * other writer than this process. Fixed size; what was not used
 * of late makes room. Loop thread only.
 *
 * It stays true by three rules: a record enters only from a read that completed at
 * once, while no delta that nobody waits for is on its way; such a delta is merged
 * here when it is handed on; and a record whose write has completed is dropped, so
 * that what was read during the write is not kept. */
#ifndef GREYLAG_STORE_CACHE_H
#define GREYLAG_STORE_CACHE_H

#include "core/record.h"

struct cache;

/* Room for about `entries` records, 192 bytes each, paged in as used. NULL when memory is out. */
struct cache *cache_new(unsigned entries);
void cache_free(struct cache **c);

/* True with *out filled in when the key's record is here. */
bool cache_get(struct cache *c, struct span key, struct record *out);
/* A record that was read. Keys longer than an entry's room are not kept. */
void cache_put(struct cache *c, struct span key, const struct record *record);
/* A delta that was written: merged if the key is here. */
void cache_merge(struct cache *c, struct span key, const struct record *delta);
void cache_drop(struct cache *c, struct span key);

#endif
