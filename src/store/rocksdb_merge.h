/* What RocksDB calls from its own threads: how records merge, and which of them
 * a compaction drops. */
#ifndef GREYLAG_STORE_ROCKSDB_MERGE_H
#define GREYLAG_STORE_ROCKSDB_MERGE_H

#include <rocksdb/c.h>

#include "base/clock.h"
#include "core/record.h"

/* Any thread; the fields that change are atomic. */
struct rocksdb_merge {
	const struct clock *clock;
	bool untrusted;		/* the clock: drop nothing */
	uint64_t odd;		/* values that are no record of this version */
};

/* Both borrow m, which must outlive the database. The merge operator belongs to
 * the options it is set in, the filter to the caller. */
rocksdb_mergeoperator_t *rocksdb_merge_operator(struct rocksdb_merge *m);
rocksdb_compactionfilter_t *rocksdb_merge_filter(struct rocksdb_merge *m);

/* A stored value as a record; another version or size is counted, said once in
 * the log, and gives false. */
bool rocksdb_merge_decode(struct rocksdb_merge *m, struct span value, struct record *out);

#endif
