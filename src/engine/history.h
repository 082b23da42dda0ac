/* The history: verdicts by reason and delays, hour by hour, kept in the store as records of
 * their own (core/historykey.h), which add up over all who share it.
 *
 * A verdict only counts in memory; once a minute and at a clean stop the counts are merged
 * into the store, off the path of requests. A crash loses at most that minute; a merge that
 * fails loses the few counts it carried, unless the store's journal keeps them; what is
 * decided while greylagd closes its store is not counted. While the store is away they
 * gather here, for as many hours as there is room for. Loop thread. */
#ifndef GREYLAG_ENGINE_HISTORY_H
#define GREYLAG_ENGINE_HISTORY_H

#include "base/clock.h"
#include "base/loop.h"
#include "core/decide.h"
#include "core/historykey.h"
#include "store/store.h"

struct history;

/* NULL when memory is out. */
struct history *history_new(struct loop *loop, const struct clock *clock, struct store *store);
/* The store must be closed before. */
void history_free(struct history **h);

/* How long hours are kept, in seconds; 0: nothing is counted. */
void history_keep(struct history *h, int64_t keep_s);
void history_count(struct history *h, int64_t now, const struct decision *d);

/* One who waits until what was counted so far has been merged, or could not be. */
struct history_wait {
	void (*done)(struct history_wait *w);
	void *arg;
	struct history_wait *next;	/* the history's */
};
/* Calls w->done once, perhaps before it returns. */
void history_flush(struct history *h, struct history_wait *w);
/* Hands all over to a store that is about to be closed. */
void history_stop(struct history *h);

#endif
