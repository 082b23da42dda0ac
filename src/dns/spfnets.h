/* The networks that a domain sends from: its SPF record flattened, and its mail
 * exchangers, for a list that an administrator makes. Asynchronous over the resolver, one question
 * at a time. Loop thread only.
 *
 * Taken are directives that pass: ip4, ip6, a, mx, and what include and redirect lead to. What
 * depends on the message or names everybody is skipped and named: macros, exists, ptr, all,
 * other qualifiers, networks shorter than /16 (IPv4) or /32 (IPv6). */
#ifndef GREYLAG_DNS_SPFNETS_H
#define GREYLAG_DNS_SPFNETS_H

#include "dns/resolver.h"
#include "dns/spfrecord.h"

#define SPFNETS_MAX 4096	/* networks */
#define SPFNETS_LOOKUPS 30	/* records, exchangers, hosts (both families are one) */
#define SPFNETS_DEPTH 10	/* of includes and redirects */
#define SPFNETS_TEXT 4096

struct spfnets_lookup {
	enum spf_kind kind;		/* SPF_INCLUDE: a record; SPF_MX: a domain's exchangers; SPF_A: a host */
	unsigned depth;
	uint8_t bits4, bits6;		/* of the addresses found */
	char name[DNS_NAME_MAX + 1];
};

/* Some 90 KB; it must stay where it is until `done` has run or it was cancelled. */
struct spfnets {
	/* When `done` runs */
	unsigned count;
	struct netprefix nets[SPFNETS_MAX];	/* each once, as found */
	bool found;				/* the domain has an SPF record or exchangers */
	bool failed;				/* an answer did not come: asked again, there may be more */
	/* What was left out, "TERM (why); ..."; empty when all was taken. Others' words, in printable
	 * ASCII; "..." at its end when it was cut. */
	struct buf skipped;
	void *arg;

	/* Its own */
	struct resolver *resolver;
	struct resolver_query query;
	void (*done)(struct spfnets *n);
	bool driving, answered;
	enum dns_type asking;
	unsigned at, queued;
	struct spfnets_lookup queue[SPFNETS_LOOKUPS];
	char skipped_text[SPFNETS_TEXT];
};

/* `done` runs once, perhaps before this returns; it may free n. */
void spfnets_start(struct spfnets *n, struct resolver *resolver, struct span domain,
		   void (*done)(struct spfnets *n), void *arg);
void spfnets_cancel(struct spfnets *n);

#endif
