/* The contract between the store's wrapper (store.c) and its drivers.
 *
 * Threads: every operation is called on the loop thread. A driver that uses
 * threads hands results back to the loop thread (loop_bell) before it calls
 * store_done_*; it never calls those from within the operation itself, whose
 * return value says the same: STORE_DONE, STORE_FAILED, or STORE_PENDING and one
 * store_done_* later. */
#ifndef GREYLAG_STORE_DRIVER_H
#define GREYLAG_STORE_DRIVER_H

#include "store/store.h"

/* First member of each driver's own struct. */
struct store_driver {
	const struct store_ops *ops;
	struct store *store;
};

struct store_ops {
	const char *name;
	/* See store_init; may block. NULL: nothing is to be made. */
	int (*init)(const struct store_options *options, struct buf *why);
	/* It may be away for a while: deltas it does not take are kept (store/journal.h).
	 * STORE_FAILED from merge itself then means that nothing of it was merged. */
	bool journalled;
	/* The options live as long as the driver. NULL with text in why. */
	struct store_driver *(*open)(struct store *store, const struct store_options *options,
				     struct buf *why);
	/* Completes all that is pending, within STORE_CLOSE_S, then frees. */
	/* False when a thread of its own hangs and could not be ended. */
	bool (*close)(struct store_driver *d);
	enum store_status (*get)(struct store_driver *d, struct store_get *op);
	enum store_status (*merge)(struct store_driver *d, struct store_merge *op);
	/* False while merge_later would lose what it is given. */
	bool (*ready)(const struct store_driver *d);
	/* Takes a delta that nobody waits for; copies. Only called while ready. */
	void (*merge_later)(struct store_driver *d, struct span key, const struct record *delta);
	/* True when all that merge_later took is written and nobody else writes: what
	 * is read now may be cached. NULL: never. */
	bool (*settled)(const struct store_driver *d);
	enum store_status (*scan)(struct store_driver *d, struct store_scan *op);
	enum store_status (*remove)(struct store_driver *d, struct store_remove *op);
	enum store_status (*backup)(struct store_driver *d, struct store_backup *op);
	void (*turn)(struct store_driver *d);
	/* NULL, or a text that stays until the next call. */
	const char *(*health)(struct store_driver *d);
	/* Fills in what the driver knows: records, bytes, syncs, odd_records. */
	void (*stats)(struct store_driver *d, struct store_stats *out);
	void (*trust_clock)(struct store_driver *d, bool trusted);
	/* Removes what has expired for longer than STORE_GRACE_S; may block. */
	void (*maintain)(struct store_driver *d);
};

/* Expired records stay this long, so that one which is being read as the base
 * of a new generation does not vanish under the reader. */
#define STORE_GRACE_S 86400

extern const struct store_ops store_memory_ops;
extern const struct store_ops store_rocksdb_ops;
extern const struct store_ops store_valkey_ops;
extern const struct store_ops store_mariadb_ops;
extern const struct store_ops store_failing_ops;

/* Copies a text of the options, NULL as ""; false when it is too long. */
bool store_text(char *to, size_t size, const char *option);

/* Completion of a pending operation: counts it and calls its done. Of a merge that failed
 * the driver sets `unmerged` first, when it knows. */
void store_done_get(struct store *s, struct store_get *op, enum store_status status);
void store_done_merge(struct store *s, struct store_merge *op, enum store_status status);
void store_done_scan(struct store *s, struct store_scan *op, enum store_status status);
void store_done_remove(struct store *s, struct store_remove *op, enum store_status status);
void store_done_backup(struct store *s, struct store_backup *op, enum store_status status);

/* A delta of merge_later that was not merged, or of which that is not known (maybe). */
void store_unmerged(struct store *s, struct span key, const struct record *delta, bool maybe);

/* Adds a row to a page; false when the page has no room for it. */
bool store_scan_add(struct store_scan *op, struct span key, const struct record *record);

/* For tests and tools; both may block. store_maintain makes two rounds, because
 * RocksDB shows a merged value to the compaction filter only the next time. */
void store_maintain(struct store *s);
/* Starts the count of pending records now instead of a second after opening. */
void store_census(struct store *s);
/* True while a count or a thinning is under way. */
bool store_census_busy(const struct store *s);

#endif
