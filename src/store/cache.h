/* Records that were read or written of late. Fixed size; what was not used of late
 * makes room. Loop thread only.
 *
 * In front of a driver that has no other writer than this process it stays true by three
 * rules: a record enters only from a read that completed at once, while no delta that
 * nobody waits for is on its way; such a delta is merged here when it is handed on; and
 * a record whose write has completed is dropped, so that what was read during the write
 * is not kept. In front of one that others write to as well, entries live a short time,
 * and nothing is put that was read before a write of our own was over. */
#ifndef GREYLAG_STORE_CACHE_H
#define GREYLAG_STORE_CACHE_H

#include "core/record.h"

struct cache;

/* Room for about `entries` records, 192 bytes each, paged in as used. NULL when memory is out. */
struct cache *cache_new(unsigned entries);
void cache_free(struct cache **c);

#define CACHE_FOREVER UINT64_MAX

/* True with *out filled in when the key's record is here and lives still. */
bool cache_get(struct cache *c, struct span key, uint64_t now_ns, struct record *out);
/* A record that was read, and when it ends to be good. Keys longer than an entry's room
 * are not kept. */
void cache_put(struct cache *c, struct span key, const struct record *record, uint64_t until_ns);
/* A delta that was written: merged if the key is here. */
void cache_merge(struct cache *c, struct span key, const struct record *delta);
void cache_drop(struct cache *c, struct span key);

#endif
