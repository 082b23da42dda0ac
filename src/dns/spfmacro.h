/* SPF's macros (RFC 7208 section 7): their syntax, and what they stand for. Pure. */
#ifndef GREYLAG_DNS_SPFMACRO_H
#define GREYLAG_DNS_SPFMACRO_H

#include "base/buf.h"
#include "dns/answer.h"

struct spfmacro_values {
	const struct netaddr *client;	/* i, v */
	struct span sender;		/* s */
	struct span local;		/* l */
	struct span sender_domain;	/* o */
	struct span domain;		/* d */
	struct span helo;		/* h */
	struct span client_name;	/* p; "unknown" when there is none */
};

/* A macro-string, any text but blanks, as the value of a modifier that nobody knows. */
bool spfmacro_string(struct span s);
/* A domain-spec: a macro-string that ends in a macro or in a dot and a top label. The
 * letters c, r and t are for explanations, which are not fetched here: false. */
bool spfmacro_domain(struct span s);
/* Has %{letter...}, in either case of it. */
bool spfmacro_uses(struct span s, char letter);
/* Has anything to expand. */
static inline bool spfmacro_any(struct span s)
{
	return span_find(s, '%') < s.n;
}

/* Expands a valid domain-spec into out, which holds DNS_NAME_MAX + 1 bytes: without final dot,
 * cut on the left at a dot to 253 bytes (section 7.3). Its length, or 0 when no name comes out:
 * a label of none or over 63 bytes, a control byte, nothing left by the cut. */
size_t spfmacro_expand(struct span spec, const struct spfmacro_values *values, char *out);

/* A name that can be asked for: 1-253 bytes, labels of 1-63, no control bytes. */
bool spfmacro_name(struct span name);

#endif
