/* What one worker does for the store mariadb in one go: reads or writes that were
 * gathered from many operations, a page of a scan, a removal, an expiry. A job holds
 * copies of its keys, because an operation may have been given up, and its memory be
 * used anew, while the server still works on it.
 *
 * Jobs are made in advance. One belongs to the loop thread, except between
 * mariadb_pool_submit and mariadb_pool_done; `abandoned` may be set and read by both. */
#ifndef GREYLAG_STORE_MARIADB_JOB_H
#define GREYLAG_STORE_MARIADB_JOB_H

#include <stdatomic.h>

#include "core/key.h"
#include "store/driver.h"

#define MARIADB_ITEMS 512			/* keys of one job; a power of two */
#define MARIADB_KEYS ((size_t)256 << 10)	/* bytes of them */

enum mariadb_kind {
	MARIADB_READ,		/* waited for by requests */
	MARIADB_WRITE,
	MARIADB_LATER,		/* deltas that nobody waits for */
	MARIADB_SCAN,
	MARIADB_REMOVE,
	MARIADB_EXPIRE,
	MARIADB_LOOK,		/* is the server there; its figures */
};

struct mariadb_item {
	size_t at;		/* of its key in `keys` */
	struct span key;	/* of that, from mariadb_job_seal on */
	struct record record;	/* a delta, or what was found */
	bool found;
};

struct mariadb_job {
	enum mariadb_kind kind;
	struct mariadb_job *next;	/* in the pool's queue, or free */
	uint64_t seq;			/* of a job that writes: its number. 0: others */
	uint64_t after;			/* waits until no write with a number up to this is under way */
	uint64_t begun_ns, due_ns;	/* since when it gathers; when it is given up */
	bool busy;			/* not free */
	bool failed;			/* out */
	bool unsure;			/* out, when it failed: it may have been done all the same */
	bool again;			/* its connection was lost once */
	_Atomic bool abandoned;		/* nobody waits any more */
	/* Waiting operations, in the order of their items. */
	union {
		struct store_get *gets;
		struct store_merge *merges;
		struct store_scan *scan;
		struct store_remove *remove;
	};
	void *last;			/* of that list */
	struct buf prefix, from;	/* scan: keys that start so, after this one */
	unsigned limit;			/* scan, expire: most rows */
	bool pending_only;		/* remove */
	struct span rest;		/* remove: keys that come after this job's */
	int64_t expired;		/* expire: records that ended by then */
	bool figures;			/* look: fill in those below, too */
	bool more;			/* out, scan */
	uint64_t changed;		/* out: rows that were created, or removed */
	uint64_t records, disk_bytes, memory_bytes;	/* out, look */
	struct buf keys;
	unsigned count;
	struct mariadb_item items[MARIADB_ITEMS];
	/* Set by mariadb_job_order: the items by key, for writes those of one key merged. */
	unsigned distinct;
	struct mariadb_item *order[MARIADB_ITEMS];
	char prefix_text[KEY_MAX + 1], from_text[KEY_MAX + 1];
};

void mariadb_job_init(struct mariadb_job *j);
void mariadb_job_free(struct mariadb_job *j);
/* Empties it for another use. */
void mariadb_job_begin(struct mariadb_job *j, enum mariadb_kind kind);
bool mariadb_job_room(struct mariadb_job *j, unsigned items, size_t bytes);
/* There must be room. Values over a field's width are cut to it. */
void mariadb_job_add(struct mariadb_job *j, struct span key, const struct record *record);
/* No more items: gives each its key. */
void mariadb_job_seal(struct mariadb_job *j);
/* Sorts the items by key into `order`; each key once, when merge. */
void mariadb_job_order(struct mariadb_job *j, bool merge);
/* Those of that key in `order`: *first the first, and how many. */
unsigned mariadb_job_find(const struct mariadb_job *j, struct span key, unsigned *first);

/* Jobs in a row. */
struct mariadb_list {
	struct mariadb_job *first, **end;
};
void mariadb_list_init(struct mariadb_list *l);
void mariadb_list_add(struct mariadb_list *l, struct mariadb_job *j);
/* Takes out the one that *at points to, a link of the list. */
void mariadb_list_cut(struct mariadb_list *l, struct mariadb_job **at);

#endif
