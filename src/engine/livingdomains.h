/* Domains on the living lists: the networks of their SPF records and mail exchangers
 * (dns/spfnets.h) are kept on the same list as clients, by "greylag" with the comment
 * "from domain NAME". They end after DOMAIN_NETWORKS_S, or with the domain's entry if
 * that is earlier, and each refresh renews them: what a domain gives up runs out by
 * itself, and a DNS that is dead for a while takes nothing away.
 *
 * A domain is resolved when it is new, and daily; when the DNS did not answer, again
 * after 10 minutes, doubled with each failure to 6 hours. A refresh counts in the `passed`
 * of the entry's record and renews its last_seen, so that of several daemons on one store
 * mostly one asks. Loop thread only. */
#ifndef GREYLAG_ENGINE_LIVINGDOMAINS_H
#define GREYLAG_ENGINE_LIVINGDOMAINS_H

#include "dns/resolver.h"
#include "engine/livinglists.h"

#define DOMAIN_NETWORKS_S ((int64_t)3 * 86400)
#define DOMAIN_REFRESH_S ((int64_t)86400)	/* give or take DOMAIN_SPREAD_S */
#define DOMAIN_SPREAD_S ((int64_t)2 * 3600)
#define DOMAIN_FRESH_S ((int64_t)20 * 3600)	/* refreshed since by some daemon: not yet again */
#define DOMAIN_RETRY_S ((int64_t)600)
#define DOMAIN_RETRY_MOST_S ((int64_t)6 * 3600)

struct livingdomains;

struct livingdomains_options {
	struct loop *loop;
	const struct clock *clock;
	struct store *store;
	struct livinglists *living;
	struct resolver *resolver;
};

/* NULL when memory is out. All that it is given must live as long. */
struct livingdomains *livingdomains_new(const struct livingdomains_options *options);
/* Asks the DNS no more, and calls back all that wait. */
void livingdomains_stop(struct livingdomains *d);
/* The store must be closed before, the resolver still be there. */
void livingdomains_free(struct livingdomains **d);

enum domain_outcome {
	DOMAIN_LISTED,		/* what was found is on the list */
	DOMAIN_NOTHING,		/* the DNS answered, and there is no network to list */
	DOMAIN_UNANSWERED,	/* not all of the DNS answered; what was found is listed */
	DOMAIN_REMOVED,		/* of livingdomains_drop: done */
	DOMAIN_GIVEN_UP,	/* removed meanwhile, the store failed, or the daemon ends */
};

struct domain_result {
	enum domain_outcome outcome;
	bool found;		/* it has an SPF record or exchangers */
	unsigned networks;	/* listed, or removed */
	unsigned full;		/* for which there was no room */
	struct span skipped;	/* what was left out (struct spfnets); valid during the call */
};

/* Embed it in what waits; zero before its first use. */
struct domain_wait {
	void (*done)(struct domain_wait *w, const struct domain_result *r);
	void *arg;
	struct domain_wait *next, **link;	/* while waiting */
};

/* Resolves a domain that is on the list now, however fresh it is. w may be NULL, else done
 * runs once, perhaps before this returns. */
void livingdomains_ask(struct livingdomains *d, struct span list, struct span domain, struct domain_wait *w);
/* After the domain's entry was removed, or its end came nearer: removes its networks from
 * the list, or with `until` not 0 ends them then. Networks that another domain of the list has too are
 * asked for again. w may be NULL, else done runs once, as above. */
void livingdomains_drop(struct livingdomains *d, struct span list, struct span domain, int64_t until,
			struct domain_wait *w);
/* After this w is not called any more. Harmless when it does not wait. */
void domain_wait_cancel(struct domain_wait *w);

#endif
