#include "dns/dnslist.h"

#include "dns/dnsparse.h"

const char *dnslist_kind_word(enum dnslist_kind kind)
{
	switch (kind) {
	case DNSLIST_DNSBL: return "dnsbl";
	case DNSLIST_DNSWL: return "dnswl";
	case DNSLIST_RHSBL: return "rhsbl";
	}
	return "";
}

static uint32_t number_of(const struct netaddr *a)
{
	return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 | a->bytes[3];
}

bool dnslist_is_loopback(const struct netaddr *address)
{
	return address->family == 4 && address->bytes[0] == 127;
}

bool dnslist_is_refusal(const struct netaddr *address)
{
	uint32_t n = number_of(address);

	return address->family == 4 && (n == 0x7f000001 || n == 0x7f0000ff || n >> 8 == 0x7fffff);
}

static bool is_zone(struct span zone)
{
	for (size_t i = 0; i < zone.n; i++)
		if (!ascii_alpha(zone.p[i]) && !ascii_digit(zone.p[i]) && zone.p[i] != '-' && zone.p[i] != '_' &&
		    zone.p[i] != '.')
			return false;
	return true;
}

/* "*", "N" or "N-M". */
static bool read_octet(struct span text, uint8_t *low, uint8_t *high)
{
	struct span first, rest = text;
	uint64_t a = 0, b = 255;

	if (!span_eq(text, span_of("*"))) {
		if (!span_cut(&rest, '-', &first) || !span_uint(first, 255, &a))
			return false;
		b = a;
		if (first.n < text.n && (!span_uint(rest, 255, &b) || b < a))
			return false;
	}
	*low = (uint8_t)a;
	*high = (uint8_t)b;
	return true;
}

/* Four octets, each a range. */
static bool read_octets(struct span text, struct dnslist_filter *out)
{
	struct span octet;
	unsigned n = 0;

	while (span_cut(&text, '.', &octet)) {
		if (n == 4 || !read_octet(octet, &out->low[n], &out->high[n]))
			return false;
		n++;
	}
	return n == 4 && out->low[0] == 127 && out->high[0] == 127;
}

static bool read_quad(struct span text, uint32_t *out)
{
	struct netaddr a;

	if (text.n == 0 || !ascii_digit(text.p[0]) || !netaddr_parse(text, &a) || !dnslist_is_loopback(&a))
		return false;
	*out = number_of(&a);
	return true;
}

static bool read_answers(struct span text, struct dnslist_filter *out)
{
	size_t slash = span_find(text, '/'), dash = span_find(text, '-');
	uint64_t bits;

	if (slash < text.n) {
		if (!read_quad(span_head(text, slash), &out->first) ||
		    !span_uint(span_from(text, slash + 1), 32, &bits) || bits < 8)
			return false;
		uint32_t host = bits == 32 ? 0 : UINT32_MAX >> bits;
		out->first &= ~host;
		out->last = out->first | host;
		return true;
	}
	if (dash < text.n && read_quad(span_head(text, dash), &out->first))
		return read_quad(span_from(text, dash + 1), &out->last) && out->first <= out->last;
	out->first = 0;
	return read_octets(text, out);
}

int dnslist_parse(struct span text, struct dnslist_filter *out, struct buf *why)
{
	size_t equals = span_find(text, '=');
	struct span zone = span_head(text, equals), answers = span_from(text, equals + 1);

	*out = (struct dnslist_filter){ .last = UINT32_MAX, .high = { 255, 255, 255, 255 } };
	if (!is_zone(zone) || dnsparse_name(zone, out->zone)) {
		buf_fail(why, "not the name of a DNS list: \"");
		buf_addsafe(why, zone, 100);
		buf_adds(why, "\"");
		return -1;
	}
	if (equals == text.n || read_answers(answers, out))
		return 0;
	buf_fail(why, "answers of a DNS list are ADDR, ADDR/BITS or ADDR-ADDR in 127.0.0.0/8, "
		 "or ADDR with octets such as * and 1-3, not \"");
	buf_addsafe(why, answers, 100);
	buf_adds(why, "\"");
	return -1;
}

/* Whether zone can stand behind what is in out, and be asked. */
static bool finish(struct buf *out, struct span zone)
{
	char name[DNS_NAME_MAX + 1];

	buf_addspan(out, zone);
	return !out->over && dnsparse_name(buf_span(out), name) == 0;
}

bool dnslist_query_address(struct buf *out, const struct netaddr *address, struct span zone)
{
	static const char hex[] = "0123456789abcdef";

	buf_clear(out);
	for (unsigned i = netaddr_width(address) / 8; i-- > 0;) {
		if (address->family == 4) {
			buf_addu(out, address->bytes[i]);
		} else {
			buf_addc(out, hex[address->bytes[i] & 15]);
			buf_addc(out, '.');
			buf_addc(out, hex[address->bytes[i] >> 4]);
		}
		buf_addc(out, '.');
	}
	return netaddr_width(address) && finish(out, zone);
}

bool dnslist_query_domain(struct buf *out, struct span domain, struct span zone)
{
	buf_clear(out);
	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (domain.n == 0)
		return false;
	buf_addspan(out, domain);
	buf_addc(out, '.');
	return finish(out, zone);
}

static bool counts(const struct dnslist_filter *filter, const struct netaddr *a)
{
	uint32_t n = number_of(a);

	if (!dnslist_is_loopback(a) || dnslist_is_refusal(a) || n < filter->first || n > filter->last)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (a->bytes[i] < filter->low[i] || a->bytes[i] > filter->high[i])
			return false;
	return true;
}

const struct dns_record *dnslist_listed(const struct dnslist_filter *filter, const struct dns_answer *answer)
{
	for (unsigned i = 0; answer->status == DNS_FOUND && i < answer->count; i++)
		if (counts(filter, &answer->records[i].address))
			return &answer->records[i];
	return NULL;
}
