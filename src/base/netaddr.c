#include "base/netaddr.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool parse_text(struct span s, struct netaddr *out)
{
	char text[INET6_ADDRSTRLEN];
	struct netaddr a = { 0 };

	if (s.n == 0 || s.n >= sizeof text || span_find(s, '\0') != s.n)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.family = 6;
	else
		return false;
	*out = a;
	return true;
}

void netaddr_unmap(struct netaddr *a)
{
	if (a->family != 6 || memcmp(a->bytes, mapped, sizeof mapped) != 0)
		return;
	struct netaddr v4 = { .family = 4 };
	memcpy(v4.bytes, a->bytes + sizeof mapped, 4);
	*a = v4;
}

/* What remains of an address text without brackets and the "IPv6:" tag. */
static struct span strip_dress(struct span s)
{
	static const struct span tag = SPAN("ipv6:");

	s = span_unwrap(s, '[', ']');
	if (span_istarts(s, tag))
		s = span_from(s, tag.n);
	return s;
}

bool netaddr_parse(struct span s, struct netaddr *out)
{
	struct netaddr a;

	s = strip_dress(s);
	size_t scope = span_find(s, '%');
	if (!parse_text(span_head(s, scope), &a))
		return false;
	if (scope < s.n && (a.family != 6 || scope + 1 == s.n))
		return false;
	netaddr_unmap(&a);
	*out = a;
	return true;
}

void netaddr_add(struct buf *b, const struct netaddr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (a->family == 4) {
		for (int i = 0; i < 4; i++) {
			if (i)
				buf_addc(b, '.');
			buf_addu(b, a->bytes[i]);
		}
	} else if (a->family == 6 && inet_ntop(AF_INET6, a->bytes, text, sizeof text)) {
		buf_adds(b, text);
	}
}

void netprefix_add(struct buf *b, const struct netprefix *p)
{
	netaddr_add(b, &p->addr);
	buf_addc(b, '/');
	buf_addu(b, p->bits);
}

bool netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct netprefix netaddr_network(const struct netaddr *a, unsigned bits)
{
	struct netprefix p = { .addr = *a };

	if (bits > netaddr_width(a))
		bits = netaddr_width(a);
	p.bits = (uint8_t)bits;
	for (unsigned i = 0; i < sizeof p.addr.bytes; i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
		if (keep < 8)
			p.addr.bytes[i] &= (uint8_t)(0xff00u >> keep);
	}
	return p;
}

/* "a", "a.b", "a.b.c", each with an optional final dot: 8, 16 or 24 bits. */
static bool parse_octets(struct span s, struct netprefix *out)
{
	struct netaddr a = { .family = 4 };
	unsigned count = 0;
	struct span part;

	while (span_cut(&s, '.', &part)) {
		uint64_t octet;
		if (count == 3 || part.n > 3 || !span_uint(part, 255, &octet))
			return false;
		a.bytes[count++] = (uint8_t)octet;
	}
	if (count == 0)
		return false;
	*out = netaddr_network(&a, count * 8);
	return true;
}

bool netprefix_parse(struct span s, struct netprefix *out)
{
	size_t slash = span_find(s, '/');
	struct netaddr a;
	uint64_t bits;

	if (!parse_text(strip_dress(span_head(s, slash)), &a))
		return slash == s.n && parse_octets(s, out);
	bits = netaddr_width(&a);
	if (slash < s.n && !span_uint(span_from(s, slash + 1), bits, &bits))
		return false;
	if (a.family == 6 && bits >= 96) {
		netaddr_unmap(&a);
		if (a.family == 4)
			bits -= 96;
	}
	*out = netaddr_network(&a, (unsigned)bits);
	return true;
}

bool netprefix_contains(const struct netprefix *p, const struct netaddr *a)
{
	if (p->addr.family != a->family)
		return false;
	struct netprefix other = netaddr_network(a, p->bits);
	return netaddr_eq(&other.addr, &p->addr);
}
