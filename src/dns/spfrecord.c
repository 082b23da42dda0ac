#include "dns/spfrecord.h"

#include <arpa/inet.h>

#include "dns/spfmacro.h"

bool spfrecord_is(struct span text, struct span *terms)
{
	static const struct span version = SPAN("v=spf1");

	if (!span_istarts(text, version) || (text.n > version.n && text.p[version.n] != ' '))
		return false;
	*terms = span_from(text, version.n);
	return true;
}

/* "/N" at the end of *s, without leading zeros, taken off it. 1, 0 when there is none, -1 when N is
 * over max. Text that only looks alike stays: it may be part of a domain-spec. */
static int take_length(struct span *s, uint8_t max, uint8_t *out)
{
	size_t slash = span_rfind(*s, '/');
	struct span digits = span_from(*s, slash + 1);
	uint64_t value;

	if (slash == s->n || !span_uint(digits, UINT64_MAX, &value) || (digits.n > 1 && digits.p[0] == '0'))
		return 0;
	if (value > max)
		return -1;
	*out = (uint8_t)value;
	s->n = slash;
	return 1;
}

/* [":" domain-spec] ["/" N] ["//" N] (section 5.3). */
static bool read_dual(struct span s, struct spf_term *t)
{
	struct span rest = s;
	uint8_t bits = 32;

	t->bits4 = 32;
	t->bits6 = 128;
	int got = take_length(&rest, 128, &bits);
	if (got > 0 && rest.n && rest.p[rest.n - 1] == '/') {
		t->bits6 = bits;
		rest.n--;
		got = take_length(&rest, 32, &t->bits4);
	} else if (got > 0) {
		if (bits > 32)
			return false;
		t->bits4 = bits;
	}
	if (got < 0)
		return false;
	if (rest.n == 0)
		return true;
	t->target = span_from(rest, 1);
	return rest.p[0] == ':' && spfmacro_domain(t->target);
}

/* ":" domain-spec */
static bool read_domain(struct span s, struct spf_term *t)
{
	t->target = span_from(s, 1);
	return s.n > 1 && s.p[0] == ':' && spfmacro_domain(t->target);
}

/* ":" address ["/" N]. Not netprefix_parse: it takes more spellings, and turns mapped
 * addresses to IPv4, which "ip6" does not match. */
static bool read_network(struct span s, uint8_t family, struct spf_term *t)
{
	char text[INET6_ADDRSTRLEN];
	struct netaddr a = { .family = family };
	uint8_t bits = family == 4 ? 32 : 128;

	if (s.n == 0 || s.p[0] != ':' || take_length(&s, bits, &bits) < 0)
		return false;
	s = span_from(s, 1);
	if (s.n == 0 || s.n >= sizeof text || span_find(s, '\0') < s.n)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(family == 4 ? AF_INET : AF_INET6, text, a.bytes) != 1)
		return false;
	t->network = netaddr_network(&a, bits);
	return true;
}

static const struct {
	struct span name;
	enum spf_kind kind;
} mechanisms[] = {
	{ SPAN("all"), SPF_ALL }, { SPAN("include"), SPF_INCLUDE }, { SPAN("a"), SPF_A }, { SPAN("mx"), SPF_MX },
	{ SPAN("ptr"), SPF_PTR }, { SPAN("ip4"), SPF_IP4 }, { SPAN("ip6"), SPF_IP6 }, { SPAN("exists"), SPF_EXISTS },
};

static bool find_mechanism(struct span name, enum spf_kind *kind)
{
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (span_ieq(name, mechanisms[i].name)) {
			*kind = mechanisms[i].kind;
			return true;
		}
	return false;
}

static bool read_arguments(struct span s, struct spf_term *t)
{
	switch (t->kind) {
	case SPF_ALL:
		return s.n == 0;
	case SPF_A:
	case SPF_MX:
		return read_dual(s, t);
	case SPF_PTR:
		return s.n == 0 || read_domain(s, t);
	case SPF_INCLUDE:
	case SPF_EXISTS:
		return read_domain(s, t);
	case SPF_IP4:
		return read_network(s, 4, t);
	case SPF_IP6:
		return read_network(s, 6, t);
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_MODIFIER:
		return false;
	}
	return false;
}

static bool read_directive(struct span s, struct spf_term *t)
{
	static const enum spf_result results[] = { SPF_PASS, SPF_FAIL, SPF_NEUTRAL, SPF_SOFTFAIL };
	static const struct span qualifiers = SPAN("+-?~");
	size_t qualifier = span_find(qualifiers, s.p[0]), name = 0;

	t->result = SPF_PASS;
	if (qualifier < qualifiers.n) {
		t->result = results[qualifier];
		s = span_from(s, 1);
	}
	while (name < s.n && s.p[name] != ':' && s.p[name] != '/')
		name++;
	return find_mechanism(span_head(s, name), &t->kind) && read_arguments(span_from(s, name), t);
}

/* Length of the name in front of '=', 0 when s is no modifier (section 12). */
static size_t modifier_name(struct span s)
{
	size_t n = 0;

	while (n < s.n && (ascii_alpha(s.p[n]) ||
			   (n && (ascii_digit(s.p[n]) || s.p[n] == '-' || s.p[n] == '_' || s.p[n] == '.'))))
		n++;
	return n < s.n && s.p[n] == '=' ? n : 0;
}

static bool read_modifier(struct span name, struct span value, struct spf_term *t)
{
	static const struct span redirect = SPAN("redirect"), explanation = SPAN("exp");

	t->target = value;
	t->kind = span_ieq(name, redirect) ? SPF_REDIRECT : span_ieq(name, explanation) ? SPF_EXP : SPF_MODIFIER;
	return t->kind == SPF_MODIFIER ? spfmacro_string(value) : spfmacro_domain(value);
}

int spfrecord_term(struct span *terms, struct spf_term *t)
{
	while (terms->n && terms->p[0] == ' ')
		*terms = span_from(*terms, 1);
	*t = (struct spf_term){ .kind = SPF_MODIFIER };
	if (!span_cut(terms, ' ', &t->text))
		return 0;
	size_t name = modifier_name(t->text);
	bool good = name ? read_modifier(span_head(t->text, name), span_from(t->text, name + 1), t)
			 : read_directive(t->text, t);
	return good ? 1 : -1;
}

bool spfrecord_check(struct span terms, struct spf_term *redirect)
{
	struct spf_term t;
	bool explained = false;
	int got;

	*redirect = (struct spf_term){ .kind = SPF_MODIFIER };
	while ((got = spfrecord_term(&terms, &t)) > 0) {
		if ((t.kind == SPF_REDIRECT && redirect->kind == SPF_REDIRECT) || (t.kind == SPF_EXP && explained))
			return false;
		if (t.kind == SPF_REDIRECT)
			*redirect = t;
		explained = explained || t.kind == SPF_EXP;
	}
	return got == 0;
}

bool spfrecord_broad(const struct spf_term *t, const struct netaddr *client)
{
	switch (t->kind) {
	case SPF_ALL:
	case SPF_EXISTS:
		return true;
	case SPF_A:
	case SPF_MX:
		return client->family == 4 ? t->bits4 < 16 : t->bits6 < 32;
	case SPF_IP4:
		return t->network.bits < 16;
	case SPF_IP6:
		return t->network.bits < 32;
	case SPF_INCLUDE:
	case SPF_PTR:
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_MODIFIER:
		return false;
	}
	return false;
}
