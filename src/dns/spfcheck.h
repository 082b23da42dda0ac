/* SPF over the resolver, on the event loop. Loop thread only; never waits, allocates nothing. */
#ifndef GREYLAG_DNS_SPFCHECK_H
#define GREYLAG_DNS_SPFCHECK_H

#include "dns/resolver.h"
#include "dns/spf.h"

/* Some 30 KB; it must stay where it is until `done` has run or it was cancelled. */
struct spfcheck {
	struct spf spf;		/* the result, when `done` runs */
	void *arg;

	/* Its own */
	struct resolver *resolver;
	struct resolver_query query;
	void (*done)(struct spfcheck *c);
	bool driving, answered;
};

/* Checks as spf_begin says. `done` runs once, perhaps before this returns; it may free c. There
 * is no limit on time: cancel it when the answer is not wanted any more. */
void spfcheck_start(struct spfcheck *c, struct resolver *resolver, const struct netaddr *client, struct span sender,
		    struct span helo, void (*done)(struct spfcheck *c), void *arg);
/* After this `done` does not run any more. Harmless when it has. */
void spfcheck_cancel(struct spfcheck *c);

#endif
