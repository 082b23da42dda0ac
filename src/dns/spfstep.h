/* What spf.c, which goes through records, and spfterm.c, which knows the terms that ask the
 * DNS, have of each other. For these two files only. */
#ifndef GREYLAG_DNS_SPFSTEP_H
#define GREYLAG_DNS_SPFSTEP_H

#include "dns/spf.h"

static inline struct spf_frame *spf_top(struct spf *s)
{
	return &s->frames[s->depth];
}

/* spf.c */

void spf_ask(struct spf *s, enum spf_want want, enum dns_type type, struct span name);
/* The end of it all. */
void spf_fail(struct spf *s, enum spf_result result, const char *why);
/* The term at work matches. */
void spf_match(struct spf *s);
/* A name of several labels, and no address (section 4.3). */
bool spf_is_domain(struct span name);
/* Goes on with the record of a domain, in the place of this one or, the target's, on top of it. */
void spf_enter(struct spf *s, struct span domain, bool redirected);
void spf_push(struct spf *s);

/* spfterm.c; both leave want at SPF_WANT_NOTHING when the term is through without a match. */

void spf_term_begin(struct spf *s);
void spf_term_take(struct spf *s, enum spf_want want, const struct dns_answer *a);

#endif
