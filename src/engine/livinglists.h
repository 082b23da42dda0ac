/* The living lists: entries that people add and remove while mail flows, with an
 * end, an author and a comment. They are records like all others (core/listkey.h),
 * so that every daemon on a shared store sees them; this module keeps them in
 * memory too, where a request may look them up without waiting.
 *
 * Own changes count at once; those of other daemons within seconds: a record that
 * counts changes is looked at every LIVING_POLL_MS, and when it moved all entries
 * are read again, page by page. Reading takes at most a tenth of the time, so in a
 * very large shared store news takes longer. Loop thread only. */
#ifndef GREYLAG_ENGINE_LIVINGLISTS_H
#define GREYLAG_ENGINE_LIVINGLISTS_H

#include "base/clock.h"
#include "base/loop.h"
#include "engine/livingindex.h"
#include "store/store.h"

#define LIVING_POLL_MS 2000
#define LIVING_BATCH_MAX 1000
#define LIVING_EXPECT "expect"		/* the list of recipients, and pairs, whose mail is expected */

struct livinglists;

/* NULL when memory is out. Begins to read the store when the loop runs. */
struct livinglists *livinglists_new(struct loop *loop, const struct clock *clock, struct store *store);
/* The store must be closed before. */
void livinglists_free(struct livinglists **lists);

/* False until the store was read once; what is known so far counts already. */
bool livinglists_loaded(const struct livinglists *l);
size_t livinglists_count(const struct livinglists *l);
/* True when the list has no entry. */
bool livinglists_empty(const struct livinglists *l, struct span list);
/* True when an entry of the list matches: a client's address in a prefix, its
 * confirmed name, the sender or the recipient. Never the reverse name. hit may be
 * NULL. Allocates nothing. */
bool livinglists_has(const struct livinglists *l, struct span list, const struct request *r,
		     struct living_hit *hit);

/* All entries are read again: some were written past this module. */
void livinglists_reread(struct livinglists *l);

/* livingindex_until, livingindex_walk. */
int64_t livinglists_until(const struct livinglists *l, struct span list, enum list_kind kind, struct span value);
bool livinglists_walk(const struct livinglists *l, enum list_kind kind, size_t *at, size_t most, livingindex_fn *fn,
		      void *arg);

enum living_outcome {
	LIVING_ADDED,
	LIVING_EXTENDED,	/* was there, ends later now */
	LIVING_SHORTENED,	/* was there, ends earlier now */
	LIVING_PRESENT,		/* was there, with this end or a later one: nothing written */
	LIVING_REMOVED,
	LIVING_ABSENT,		/* was to be removed, but is not there */
	LIVING_FULL,		/* LIVING_ENTRIES_MAX entries, or LIVING_LISTS_MAX lists */
};
#define LIVING_OUTCOMES 7
/* "added", "extended", ... */
const char *living_outcome_word(enum living_outcome o);

struct living_item {
	enum list_kind kind;
	struct span value;		/* in normal form (lists/listvalue.h) */
	struct span comment;		/* at most LIST_COMMENT_MAX bytes */
	enum living_outcome outcome;	/* out */
	int64_t until;			/* out: its end now, 0 when it is not there */
	struct record record;		/* the batch's: as stored before */
	bool found;			/* the batch's */
};

/* A change of many entries. The caller owns it, its items and their bytes until
 * `done` has run. */
struct living_batch {
	struct span list;		/* list_word_valid */
	struct span author;		/* at most LIST_AUTHOR_MAX bytes */
	int64_t until;			/* of those to add: later than now */
	bool remove;			/* else add */
	bool shorten;			/* the end may also become earlier */
	bool dry;			/* find the outcomes, change nothing */
	struct living_item *items;
	unsigned count;			/* at most LIVING_BATCH_MAX */
	/* Called once, perhaps at once, when all is stored. With an error some of it
	 * may have been stored. */
	void (*done)(struct living_batch *b, const char *error);
	void *arg;
};
void livinglists_change(struct livinglists *l, struct living_batch *b);

#endif
