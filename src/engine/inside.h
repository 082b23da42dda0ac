/* The engine's inside, for engine.c, waiting.c and facts.c only. */
#ifndef GREYLAG_ENGINE_INSIDE_H
#define GREYLAG_ENGINE_INSIDE_H

#include "engine/amnesty.h"
#include "engine/clientcache.h"
#include "engine/country.h"
#include "engine/engine.h"
#include "engine/forwarders.h"
#include "engine/history.h"
#include "engine/hopping.h"
#include "engine/rates.h"
#include "engine/transaction.h"

/* A configuration and how many look at it. */
struct snapshot {
	struct config *config;
	unsigned users;
};

struct engine {
	struct engine_options options;
	struct snapshot *snapshot;
	struct transactions *transactions;
	struct clientcache *clients;
	struct rates *rates;
	struct hopping *hopping;
	struct forwarders *forwarders;
	struct lookups *lookups;
	struct amnesty *amnesty;
	struct history *history;
	struct country *country;	/* NULL: no database is configured */
	struct inquiry *looking;	/* waiting for look-ups, linked by earlier and later */
	struct metrics metrics;
	struct inquiry *idle;		/* free list, linked by `later` */
	struct inquiry *oldest, *newest;	/* waiting for the store */
	unsigned waiting;
	struct loop_timer deadline;
	bool deadline_set;
};

/* facts.c: gets what is needed; false when it comes later, and engine_step goes on then. */
bool facts_fetch(struct inquiry *q, unsigned need);
/* What outlives the request: its transaction, rejections. Once, when it is decided. */
void facts_remember(struct inquiry *q);

/* Answers all that wait for look-ups, as the engine ends. */
void facts_abandon(struct engine *e);

/* waiting.c: inquiries that wait for the store, and its deadline. */
void waiting_init(struct engine *e);
void waiting_link(struct inquiry *q);
/* True when the operation's owner still wants its result. */
bool waiting_over(struct inquiry *q);
/* Ends all waits, as the store is gone. */
void waiting_abandon(struct engine *e);

/* engine.c: decides, or fetches what is missing, until something makes it wait. */
void engine_step(struct inquiry *q);
void engine_fault(struct inquiry *q, enum reason reason);
void engine_recycle(struct inquiry *q);

#endif
