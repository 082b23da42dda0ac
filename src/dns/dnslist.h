/* DNS lists, RFC 5782: what is asked of a list, and which answers say "listed". Pure. */
#ifndef GREYLAG_DNS_DNSLIST_H
#define GREYLAG_DNS_DNSLIST_H

#include "base/buf.h"
#include "dns/answer.h"

enum dnslist_kind {
	DNSLIST_DNSBL,		/* addresses with a bad name */
	DNSLIST_DNSWL,		/* addresses with a good one */
	DNSLIST_RHSBL,		/* domains with a bad one */
};

/* A list and those of its answers that count. */
struct dnslist_filter {
	char zone[DNS_NAME_MAX + 1];	/* lower case, no final dot */
	uint32_t first, last;		/* addresses as numbers: those from first to last, */
	uint8_t low[4], high[4];	/* and of these whose octets are from low to high */
};

/* "dnsbl", "dnswl", "rhsbl". */
const char *dnslist_kind_word(enum dnslist_kind kind);

/* ZONE: any answer; ZONE=ADDR, ZONE=ADDR/BITS, ZONE=ADDR-ADDR: these. An octet of ADDR
 * alone may be "*" or "N-M": list.dnswl.org=127.0.*.1-3. Addresses are in 127.0.0.0/8
 * (RFC 5782 section 2.1). 0, or -1 with why. */
int dnslist_parse(struct span text, struct dnslist_filter *out, struct buf *why);

/* The name to ask zone for an address: octets turned round (RFC 5782 section 2.1), or
 * 32 nibbles of IPv6 (section 2.4). Replaces what is in out, which needs room for DNS_NAME_MAX.
 * False when there is no address or the name is too long to be asked. */
bool dnslist_query_address(struct buf *out, const struct netaddr *address, struct span zone);
/* The same for a domain (RFC 5782 section 3), with or without a final dot. */
bool dnslist_query_domain(struct buf *out, struct span domain, struct span zone);

/* The first A record that the filter counts, NULL when it is not listed. What says that
 * the list refuses to answer is never a listing, whatever the filter says, nor is what is
 * outside 127.0.0.0/8: some resolvers and lapsed domains answer everything. */
const struct dns_record *dnslist_listed(const struct dnslist_filter *filter, const struct dns_answer *answer);

/* Of the answers to a list's question: it refuses us, mostly for being over a quota or coming by
 * a public resolver. 127.0.0.1 (URIBL, SURBL), 127.0.0.255 (dnswl.org), 127.255.255.0/24 (Spamhaus). */
bool dnslist_is_refusal(const struct netaddr *address);
/* It is an answer that a list may give at all. */
bool dnslist_is_loopback(const struct netaddr *address);

#endif
