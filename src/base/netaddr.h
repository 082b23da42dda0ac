/* IPv4 and IPv6 addresses and prefixes as values, without ports or sockaddrs.
 * Pure; any thread. */
#ifndef GREYLAG_BASE_NETADDR_H
#define GREYLAG_BASE_NETADDR_H

#include "base/buf.h"

struct netaddr {
	uint8_t family;		/* 4, 6, or 0 for "no address" */
	uint8_t bytes[16];	/* network order; IPv4 uses the first four, the rest is 0 */
};

struct netprefix {
	struct netaddr addr;	/* bits after `bits` are zero */
	uint8_t bits;		/* 0..32 or 0..128 */
};

/* Longest text netaddr_add and netprefix_add write. */
#define NETADDR_TEXT 50

static inline unsigned netaddr_width(const struct netaddr *a)
{
	return a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

/* Reads an address as MTAs and people write it: dotted quad, any RFC 4291
 * IPv6 form, with or without "IPv6:" in front (RFC 5321 section 4.1.3), square
 * brackets or a scope id ("%eth0", dropped). IPv4-mapped IPv6 becomes IPv4.
 * False, *out untouched, on anything else. */
bool netaddr_parse(struct span s, struct netaddr *out);
/* IPv4-mapped IPv6 (::ffff:a.b.c.d) becomes IPv4; others stay. */
void netaddr_unmap(struct netaddr *a);

/* Canonical text: dotted quad or RFC 5952. */
void netaddr_add(struct buf *b, const struct netaddr *a);
/* The same followed by "/bits". */
void netprefix_add(struct buf *b, const struct netprefix *p);

bool netaddr_eq(const struct netaddr *a, const struct netaddr *b);

/* The network of `bits` leading bits (clamped to the family's width). */
struct netprefix netaddr_network(const struct netaddr *a, unsigned bits);

/* "addr/bits" or "addr"; in addition "a.b.c" is a.b.c.0/24, "a.b" is
 * a.b.0.0/16 and "a" is a.0.0.0/8 (postgrey's and relaydelay's octet
 * prefixes), each with an optional dot at its end. A prefix of mapped
 * addresses (::ffff:a.b.c.d/n, n >= 96) becomes IPv4. Host bits are cleared.
 * False, *out untouched, on anything else. */
bool netprefix_parse(struct span s, struct netprefix *out);

bool netprefix_contains(const struct netprefix *p, const struct netaddr *a);

#endif
