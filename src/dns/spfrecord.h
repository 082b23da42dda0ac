/* The text of an SPF record (RFC 7208 sections 4.5, 4.6, 5, 6, 12): its terms and their
 * syntax. Pure. */
#ifndef GREYLAG_DNS_SPFRECORD_H
#define GREYLAG_DNS_SPFRECORD_H

#include "base/netaddr.h"

#define SPFRECORD_MAX 4096	/* longest record that is read, bytes */

enum spf_result {
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR,
};

enum spf_kind {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6, SPF_EXISTS,
	SPF_REDIRECT, SPF_EXP, SPF_MODIFIER,	/* SPF_MODIFIER: one that is not known */
};

struct spf_term {
	enum spf_kind kind;
	enum spf_result result;		/* of a directive that matches */
	struct span text;		/* all of it, as written */
	struct span target;		/* domain-spec, with its macros; empty: the domain itself */
	struct netprefix network;	/* SPF_IP4, SPF_IP6 */
	uint8_t bits4, bits6;		/* SPF_A, SPF_MX: of an address found */
};

/* TXT text that is an SPF record: *terms gets what follows "v=spf1". */
bool spfrecord_is(struct span text, struct span *terms);
/* Takes a term off *terms. 1, 0 at the end, -1 when it is not well-formed. */
int spfrecord_term(struct span *terms, struct spf_term *t);
/* The syntax of a whole record, which counts before anything in it does (section 4.6).
 * *redirect gets its redirect modifier, or SPF_MODIFIER for kind when it has none. */
bool spfrecord_check(struct span terms, struct spf_term *redirect);

/* A term whose match says little of who sends: all, exists, or networks shorter than
 * /16 (IPv4) or /32 (IPv6). */
bool spfrecord_broad(const struct spf_term *t, const struct netaddr *client);

#endif
