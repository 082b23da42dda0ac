/* An asynchronous resolver over c-ares on the event loop, with a memory of answers.
 * Loop thread only.
 *
 * Several queries for the same thing share one question to the server. A query
 * that was cancelled does not call back; its answer is still remembered, so that
 * a late one serves the next who asks.
 *
 * Remembered for: what was found 5 s to 1 day, by its shortest TTL; what there is not 5 s to
 * 1 h, by the zone's SOA record (RFC 2308); a failure 5 s, doubled with each that follows
 * to 30 s. Each server is tried twice, the second time for twice timeout_ms.
 *
 * c-ares 1.18 keeps one source port while questions are out, so forging an answer takes little
 * more than guessing 16 bits: the servers should be on this machine or in its network. */
#ifndef GREYLAG_DNS_RESOLVER_H
#define GREYLAG_DNS_RESOLVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/loop.h"
#include "dns/answer.h"

struct resolver;

#define RESOLVER_IN_FLIGHT 10000	/* c-ares 1.18 tells questions apart by 16 bits */

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
/* Outstanding queries are dropped without a call. Not from inside a `done`. */
void resolver_free(struct resolver **r);

/* Asks. `done` runs once, perhaps before this returns (when the answer is remembered,
 * or the question cannot be asked: a name of over 253 bytes, a label of over 63 or of none).
 * No such name exists: that is DNS_NONE. With RESOLVER_IN_FLIGHT questions out, or without
 * memory, it is DNS_FAILED at once. `done` may ask and cancel. */
void resolver_ask(struct resolver *r, struct resolver_query *q, enum dns_type type, struct span name);
/* After this q is not called any more. Harmless when it is not waiting. */
void resolver_cancel(struct resolver *r, struct resolver_query *q);

/* Forgets what is remembered of it, so that the next who asks gets what is true now. */
void resolver_forget(struct resolver *r, enum dns_type type, struct span name);

void resolver_stats(const struct resolver *r, struct resolver_stats *out);

#endif
