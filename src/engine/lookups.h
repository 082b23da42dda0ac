/* What rules want looked up: DNS lists and SPF over the resolver, rates, living lists.
 * All questions of a request are asked at once, under one budget of time; what comes
 * later is remembered and serves the next attempt. Loop thread only. */
#ifndef GREYLAG_ENGINE_LOOKUPS_H
#define GREYLAG_ENGINE_LOOKUPS_H

#include "config/config.h"
#include "dns/dnslists.h"
#include "engine/rates.h"

struct lookups;
struct lookups_job;

struct lookups_options {
	struct loop *loop;
	const struct clock *clock;
	const char *servers;		/* struct resolver_options */
	struct rates *rates;
};

/* NULL with the reason in why. */
struct lookups *lookups_new(const struct lookups_options *options, struct buf *why);
/* Jobs under way are dropped without a call. */
void lookups_free(struct lookups **l);

/* The rules in force: their DNS lists are tested, and again daily. */
void lookups_use(struct lookups *l, const struct ruleset *rules);
/* The DNS lists in use, for people. */
const struct dnslists *lookups_dnslists(const struct lookups *l);
/* Jobs under way. */
unsigned lookups_pending(const struct lookups *l);
void lookups_stats(const struct lookups *l, struct resolver_stats *out);

/* What is being looked up for one request; the caller's, zero at first. */
struct lookups_found {
	struct lookup_answers answers;
	struct lookups_job *job;	/* under way */
	uint64_t waited_ms;		/* for the DNS, so far */
};

/* Looks up what `wanted` names (bits of ruleset_match). True: it is all known, or the
 * budget is spent, and found->answers says so. False: done(arg) is called once,
 * later; what is pointed to must stay until then. count: rates count this request. */
bool lookups_find(struct lookups *l, struct lookups_found *found, const struct ruleset *rules, uint64_t wanted,
		  const struct request *r, int64_t now, bool count, uint64_t budget_ms,
		  void (*done)(void *arg), void *arg);
/* Gives up what is under way; done is not called any more. */
void lookups_drop(struct lookups_found *found);

#endif
