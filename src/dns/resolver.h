/* An asynchronous resolver over c-ares on the event loop, with a memory of answers.
 * Loop thread only.
 *
 * Several queries for the same thing share one question to the server. A query
 * that was cancelled does not call back; its answer is still remembered, so that
 * a late one serves the next who asks. */
#ifndef GREYLAG_DNS_RESOLVER_H
#define GREYLAG_DNS_RESOLVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "dns/answer.h"

struct resolver;

struct resolver_options {
	struct loop *loop;
	const struct clock *clock;	/* for the age of what is remembered: its monotonic part */
	const char *servers;		/* "ADDRESS[:PORT] ...", [ADDRESS]:PORT for IPv6; "": the system's */
	unsigned timeout_ms;		/* of one try at one server; 0: 1000 */
	unsigned entries;		/* most answers remembered; 0: 20000 */
};

struct resolver_stats {
	uint64_t queries;		/* asked of us */
	uint64_t remembered;		/* answered from memory */
	uint64_t sent;			/* asked of a server */
	uint64_t failures, timeouts;	/* of these */
	unsigned in_flight;
};

/* Embed it in what waits. Until `done` has run or it was cancelled it must stay. */
struct resolver_query {
	enum dns_type type;
	char name[DNS_NAME_MAX + 1];	/* lower case, without final dot */
	void (*done)(struct resolver_query *q, const struct dns_answer *answer);
	void *arg;
	struct resolver_query *next, **link;	/* the resolver's */
};

/* NULL with the reason in why. */
struct resolver *resolver_new(const struct resolver_options *options, struct buf *why);
/* Outstanding queries are dropped without a call. */
void resolver_free(struct resolver **r);

/* Asks. `done` runs once, perhaps before this returns (when the answer is remembered,
 * or the question cannot be asked: a name of over 253 bytes, a label of over 63 or of none). */
void resolver_ask(struct resolver *r, struct resolver_query *q, enum dns_type type, struct span name);
/* After this q is not called any more. Harmless when it is not waiting. */
void resolver_cancel(struct resolver *r, struct resolver_query *q);

void resolver_stats(const struct resolver *r, struct resolver_stats *out);

#endif
