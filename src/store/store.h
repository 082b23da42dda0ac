/* The store: get and merge, both asynchronous (DESIGN section 4).
 *
 * Threads: every function here is called on the loop thread, and every callback
 * runs there. Drivers may use threads inside.
 * Ownership: the caller owns an operation and what it points to, and keeps them
 * until it has completed: until a call returned STORE_DONE or `done` has run. */
#ifndef GREYLAG_STORE_STORE_H
#define GREYLAG_STORE_STORE_H

#include "base/clock.h"
#include "base/loop.h"
#include "core/record.h"

#define STORE_GET_MAX 6		/* keys of one get */
#define STORE_MERGE_MAX 4	/* deltas of one merge */
#define STORE_CLOSE_S 10	/* longest that store_close waits */

enum store_status {
	STORE_DONE,		/* completed; results are in the operation */
	STORE_PENDING,		/* `done` will be called */
	STORE_FAILED,		/* completed without effect; see store_health */
};

struct store_get {
	unsigned count;
	struct span keys[STORE_GET_MAX];
	struct record records[STORE_GET_MAX];
	bool found[STORE_GET_MAX];	/* expired records are returned too: the decision judges */
	void (*done)(struct store_get *op, enum store_status status);
	void *arg;
	struct store_get *next;		/* the store's, while pending */
	uint64_t started_ns, changes;	/* the store's */
};

/* A key is 1..KEY_MAX bytes as core/key.h builds it, so without '\n'. */
struct store_delta {
	struct span key;
	struct record delta;
	bool fresh;			/* creates the record, or a new generation of it: counted for the caps */
};

struct store_merge {
	unsigned count;
	struct store_delta deltas[STORE_MERGE_MAX];
	bool keep;			/* what cannot be stored goes into the journal (store/journal.h) */
	bool unmerged;			/* out, when it failed: certainly without effect */
	void (*done)(struct store_merge *op, enum store_status status);
	void *arg;
	struct store_merge *next;	/* the store's, while pending */
	uint64_t started_ns;		/* the store's */
};

/* One page of a scan in key order. */
struct store_scan {
	struct span prefix;		/* only keys that start so */
	struct buf from;		/* in: keys greater than this (empty: all); out: last key of the page */
	unsigned limit;			/* most rows of a page, 1..STORE_SCAN_MAX */
	struct buf keys;		/* out: keys, each ended by '\n'; heap buf, the caller frees */
	struct record *records;		/* out: room for limit records, the caller's */
	unsigned count;			/* out */
	bool more;			/* out: another page may follow */
	void (*done)(struct store_scan *op, enum store_status status);
	void *arg;
	struct store_scan *next;
};
#define STORE_SCAN_MAX 1000

/* Forgetting by key, or thinning out. */
struct store_remove {
	struct span keys;		/* keys, each ended by '\n' */
	bool pending_only;		/* spare records that have passed, also when they pass meanwhile;
					 * only one such removal at a time */
	uint64_t removed;		/* out: keys handed to the engine */
	void (*done)(struct store_remove *op, enum store_status status);
	void *arg;
	struct store_remove *next;
};

struct store_backup {
	const char *directory;		/* must not exist yet */
	struct buf *why;		/* out: reason on failure */
	void (*done)(struct store_backup *op, enum store_status status);
	void *arg;
};

enum store_durability { STORE_SYNCED, STORE_LAZY };

struct store_options {
	const char *driver;		/* "rocksdb", "memory", "valkey", "mariadb", "failing" (store/failing.c) */
	const char *target;		/* the driver's: folder, host, ... */
	struct loop *loop;
	const struct clock *clock;
	enum store_durability durability;
	uint64_t write_buffer_bytes;
	uint64_t block_cache_bytes;
	uint64_t cap_total;		/* most records that wait for their retry; 0: no cap */
	uint64_t cap_identity;		/* the same per identity */
	bool uncounted;			/* nobody asks how many wait: they are not counted, no cap holds */
	unsigned later_ms;		/* how long deltas that nobody waits for may gather */
	unsigned deadline_ms;		/* of a call to a server; 0: the driver's */
	/* Of servers. NULL like "": none. */
	const char *user, *password_file;
	const char *prefix;		/* valkey */
	uint64_t database;		/* valkey */
	const char *tls_ca;		/* mariadb */
	unsigned workers;		/* mariadb; 0: the driver's */
	bool consistent_reads;		/* mariadb */
	unsigned cache_s;		/* shared: how long what an allowed identity's record says is believed; 0: not */
	const char *journal;		/* file of the journal; NULL like "": in memory only */
};

struct store_stats {
	uint64_t records;		/* estimate */
	uint64_t pending_records;	/* estimate: triplets that wait for their retry */
	uint64_t disk_bytes;
	uint64_t memory_bytes;		/* caches, write buffers, filters */
	uint64_t gets, gets_slow, merges, syncs, failures, evicted;
	uint64_t later_dropped;		/* store_merge_later: deltas lost while the driver failed */
	uint64_t journal_waiting;	/* records with deltas that could not be stored yet */
	uint64_t journal_merged;	/* of them, since the start */
	uint64_t journal_dropped;	/* the journal was full, or the store never took them */
	uint64_t odd_records;		/* values of another version or size, treated as absent */
	uint64_t gets_slow_ns;		/* time that all gets_slow took together */
	uint64_t merges_ns;		/* the same of all merges */
};

struct store;

/* Makes what the store needs where that is not done by opening it: tables. Harmless
 * where they are there. 0, or -1 with a reason. Needs no loop; may block. */
int store_init(const struct store_options *options, struct buf *why);

/* Opens the driver. NULL with a clear reason in why: folder missing, not
 * writable, locked by another process, damaged (and how to repair it). */
struct store *store_open(const struct store_options *options, struct buf *why);
/* Completes what is pending (merges are written and synced), then closes. Takes
 * at most STORE_CLOSE_S: what a hanging disk still holds then fails. False when
 * threads are left that hang: the process should end by _exit, because they use
 * what exit would take down. */
bool store_close(struct store **store);

/* Reads up to STORE_GET_MAX keys. Mostly completes at once (STORE_DONE). */
enum store_status store_get(struct store *s, struct store_get *op);

/* Merges deltas; completes when they are as durable as the store promises. A
 * merge that failed may yet have taken effect, when the disk failed half-way or a
 * server's answer was lost; with `keep` it will have, once the store works again. */
enum store_status store_merge(struct store *s, struct store_merge *op);

/* Merges a delta that nobody waits for (a renewal, a counter). Deltas for one
 * key are added up in memory and written within later_ms; a crash may lose
 * those. Copies key and delta. */
void store_merge_later(struct store *s, struct span key, const struct record *delta);

enum store_status store_scan(struct store *s, struct store_scan *op);
enum store_status store_remove(struct store *s, struct store_remove *op);
/* A consistent copy that the same driver can open, while mail flows. */
enum store_status store_backup(struct store *s, struct store_backup *op);

/* Hands what has gathered in this turn to the driver: a loop_each_turn hook. */
void store_turn(void *store);

/* False while it is away or has no room. */
bool store_ready(const struct store *s);

/* True when other processes may write to it too. */
bool store_shared(const struct store *s);

/* NULL while healthy, else one line that says what is wrong. */
const char *store_health(const struct store *s);
void store_stats(const struct store *s, struct store_stats *out);
/* Triplets of the same identity as this one that wait for their retry: an estimate, never
 * too low, as of the last count. */
uint32_t store_waiting(const struct store *s, struct span triplet);
/* While false nothing is removed as expired: the clock cannot be trusted. */
void store_trust_clock(struct store *s, bool trusted);

#endif
