/* What a condition may have to ask before it is known whether it holds: the DNS, a
 * counter, a living list. The rules say what they want; the engine finds it out and
 * matches again. */
#ifndef GREYLAG_LISTS_LOOKUP_H
#define GREYLAG_LISTS_LOOKUP_H

#include "dns/dnslist.h"
#include "dns/spf.h"

#define LOOKUPS_MAX 32			/* of one configuration */

enum lookup_kind {
	LOOKUP_DNSBL,		/* the client's address in a DNS block list */
	LOOKUP_DNSWL,		/* ... in a DNS allow list */
	LOOKUP_RHSBL,		/* the sender's domain in a DNS block list */
	LOOKUP_SPF,		/* what SPF says of the sender */
	LOOKUP_RATE,		/* how many such requests came from the client */
	LOOKUP_LISTED,		/* whether a living list has the request */
};

/* One value of a condition, as something to ask. */
struct lookup {
	enum lookup_kind kind;
	char *text;			/* as it is written; for SPF "spf", which is asked once */
	unsigned bits;			/* answers with one of these bits make the condition hold */
	struct dnslist_filter filter;	/* DNS lists */
	uint64_t most, window_s;	/* rate: more than so many within that time */
	unsigned index;			/* place of its answer; the same for the same question */
};
#define LOOKUP_YES 1u			/* the bit of an answer that is not SPF's; that has 1 << enum spf_result */

/* "dnsbl", "dnswl", ...: the condition's name. */
const char *lookup_kind_word(enum lookup_kind kind);
/* Reads a value: a DNS list as dnslist_parse has it; pass, fail, ...; N/T; a list's name. 0, or -1 with why. text is allocated. */
int lookup_parse(struct lookup *out, enum lookup_kind kind, struct span value, struct buf *why);
void lookup_free(struct lookup *l);
static inline bool lookup_asks_dnslist(const struct lookup *l)
{
	return l->kind == LOOKUP_DNSBL || l->kind == LOOKUP_DNSWL || l->kind == LOOKUP_RHSBL;
}
/* True when one answer serves both. */
bool lookup_same(const struct lookup *a, const struct lookup *b);

/* What has been found out for one request; index as in struct lookup. */
struct lookup_answers {
	uint64_t known;			/* a bit for each index */
	uint64_t open;			/* of these: there is no answer, and none will come */
	bool final;			/* what is not known now will not be known for this request */
	uint8_t bits[LOOKUPS_MAX];
};

#endif
