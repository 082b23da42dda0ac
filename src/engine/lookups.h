/* What rules want looked up: DNS lists and SPF over the resolver, rates, living lists.
 * All questions of a request are asked at once, under one budget of time; what comes
 * later is remembered and serves the next attempt. Loop thread only. */
#ifndef GREYLAG_ENGINE_LOOKUPS_H
#define GREYLAG_ENGINE_LOOKUPS_H

#include "config/config.h"
#include "dns/dnslists.h"
#include "engine/livinglists.h"
#include "engine/rates.h"

struct lookups;
struct lookups_job;

struct lookups_options {
	struct loop *loop;
	const struct clock *clock;
	const char *servers;		/* these two: struct resolver_options */
	unsigned remember;
	struct rates *rates;
	const struct livinglists *living;	/* NULL: none */
};

/* NULL with the reason in why. */
struct lookups *lookups_new(const struct lookups_options *options, struct buf *why);
/* Jobs under way are dropped without a call. */
void lookups_free(struct lookups **l);

/* The rules in force: their DNS lists are tested, and again daily. */
void lookups_use(struct lookups *l, const struct ruleset *rules);
/* The DNS lists in use, for people. */
const struct dnslists *lookups_dnslists(const struct lookups *l);
/* The resolver, for others that look something up on the same loop. */
struct resolver *lookups_resolver(const struct lookups *l);
/* Jobs under way. */
unsigned lookups_pending(const struct lookups *l);
void lookups_stats(const struct lookups *l, struct resolver_stats *out);

/* What is being looked up for one request; the caller's, zero at first. */
struct lookups_found {
	struct lookup_answers answers;
	bool spf_known;
	enum spf_result spf;
	bool spf_broad;			/* a pass that confirms nobody (dns/spf.h) */
	struct lookups_job *job;	/* under way */
	uint64_t waited_ms;		/* for the DNS, so far */
};

/* What is to be looked up, and for whom. */
struct lookups_want {
	const struct ruleset *rules;
	uint64_t wanted;		/* bits of ruleset_match */
	bool spf;			/* SPF, whether or not a rule wants it */
	const struct request *request;
	int64_t now;
	bool count;			/* rates count this request */
	uint64_t budget_ms;
	void (*done)(void *arg);
	void *arg;
};

/* True: it is all known, or the budget is spent, and found says so. False: done(arg) is
 * called once, later; what is pointed to must stay until then. */
bool lookups_find(struct lookups *l, struct lookups_found *found, const struct lookups_want *want);
/* Gives up what is under way; done is not called any more. */
void lookups_drop(struct lookups_found *found);

#endif
