/* The DNS lists in use and their health: each is asked for its test entries when it comes
 * into use and daily (RFC 5782 section 5). A list that fails is not to be used: one that has gone
 * out of business lists nobody, or everybody, or makes every client wait. Loop thread only. */
#ifndef GREYLAG_DNS_DNSLISTS_H
#define GREYLAG_DNS_DNSLISTS_H

#include "dns/dnslist.h"
#include "dns/resolver.h"

struct dnslists;

struct dnslists_options {
	struct loop *loop;
	struct resolver *resolver;	/* must outlive this */
	const struct clock *clock;	/* for `tested_s`: its wall part */
	unsigned good_ms;		/* between tests of a good list; 0: a day */
	unsigned bad_ms;		/* of one that failed; 0: 10 minutes */
	unsigned silent_ms;		/* of one that did not answer; 0: 1 minute */
};

struct dnslists_zone {
	enum dnslist_kind kind;
	const char *zone;		/* as dnslist_parse makes it */
};

enum dnslists_health {
	DNSLISTS_UNTESTED,		/* no test has ended yet: used */
	DNSLISTS_GOOD,
	DNSLISTS_BAD,			/* not used */
	DNSLISTS_SILENT,		/* gives no answer: not used */
};

/* A row for people. Valid until the loop runs on. */
struct dnslists_status {
	enum dnslist_kind kind;
	const char *zone;
	enum dnslists_health health;
	const char *why;		/* what is wrong and what to do; "" for a good one */
	int64_t tested_s;		/* when the last test ended, wall clock; 0: never */
};

/* NULL when memory is out. */
struct dnslists *dnslists_new(const struct dnslists_options *options);
void dnslists_free(struct dnslists **l);

/* These lists, and no others, are in use from now on. What is known of those that stay is kept; the
 * others' tests begin. A list that is named twice counts once. -1 with why: nothing has changed. */
int dnslists_set(struct dnslists *l, const struct dnslists_zone *zones, unsigned count, struct buf *why);

/* False when the list failed its last test, or is not in use. */
bool dnslists_usable(const struct dnslists *l, enum dnslist_kind kind, struct span zone);

/* "untested", "good", "bad", "silent". */
const char *dnslists_health_word(enum dnslists_health health);
/* The list number i, counted from 0; false when there are no more. */
bool dnslists_status(const struct dnslists *l, unsigned i, struct dnslists_status *out);

#endif
