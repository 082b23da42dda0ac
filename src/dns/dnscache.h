/* What the resolver remembers, and who waits for what is being asked: one entry for each
 * question (type, name). Bounded in entries and bytes; the least recently used entry that
 * nobody waits for goes first. Loop thread only. */
#ifndef GREYLAG_DNS_DNSCACHE_H
#define GREYLAG_DNS_DNSCACHE_H

#include "dns/resolver.h"

struct dnscache;

struct dnscache_entry {
	enum dns_type type;
	bool asking;			/* a question is on its way */
	unsigned holds;			/* at work on it (dnscache_hold) */
	unsigned failures;		/* in a row */
	uint64_t hash;
	uint64_t since_ns, until_ns;	/* of the answer; 0, 0: none */
	struct dns_answer answer;
	void *block;			/* records and texts of the answer */
	size_t bytes;
	struct resolver_query *waiting;
	struct resolver *resolver;	/* for the callback of c-ares, which carries one pointer */
	struct dnscache_entry *chain, *older, *newer;
	bool listed;			/* in the table; not: goes with the last hold */
	size_t length;
	char name[];
};

/* Room for so many entries and 1 KB for each on average. NULL when memory is out. */
struct dnscache *dnscache_new(unsigned entries);
void dnscache_free(struct dnscache **c);

/* The entry of the question, as the one used last; made when there is none. NULL when
 * memory is out. name as dnsparse_name makes it. */
struct dnscache_entry *dnscache_get(struct dnscache *c, enum dns_type type, struct span name);
/* The entry, or NULL. */
struct dnscache_entry *dnscache_find(const struct dnscache *c, enum dns_type type, struct span name);

/* Keeps a copy of the answer until the monotonic time now_ns + ttl_s; without memory
 * for it the answer is DNS_FAILED. */
void dnscache_put(struct dnscache *c, struct dnscache_entry *e, const struct dns_answer *answer, uint64_t now_ns,
		  uint32_t ttl_s);

/* Forgets an entry that is not being asked. */
void dnscache_drop(struct dnscache *c, struct dnscache_entry *e);

/* An entry under hold keeps its answer, dropped or not. The release may free it. */
void dnscache_hold(struct dnscache_entry *e);
void dnscache_release(struct dnscache_entry *e);

#endif
