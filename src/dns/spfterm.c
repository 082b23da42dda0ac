/* The terms that ask the DNS: what they ask, and what the answers mean. */
#include "dns/spfstep.h"

#include "dns/spfmacro.h"

static enum dns_type address_type(const struct spf *s)
{
	return s->client.family == 4 ? DNS_A : DNS_AAAA;
}

/* ---- asking ---- */

/* Whether name is the target or lies below it. */
static bool is_below(struct span name, struct span target)
{
	return span_iends(name, target) && (name.n == target.n || name.p[name.n - target.n - 1] == '.');
}

static void match_names(struct spf *s)
{
	for (unsigned i = 0; i < s->names.count; i++)
		if ((s->names_good >> i & 1) && is_below(span_of(s->names.name[i]), span_of(s->target))) {
			spf_match(s);
			return;
		}
}

/* Section 7.3: of the client's names the domain itself, else one below it, else any. */
static struct span client_name(const struct spf *s, struct span domain)
{
	struct span best = span_of("unknown");
	unsigned rank = 0;

	for (unsigned i = 0; i < s->names.count; i++) {
		struct span name = span_of(s->names.name[i]);
		unsigned r = span_ieq(name, domain) ? 3 : is_below(name, domain) ? 2 : 1;
		if ((s->names_good >> i & 1) && r > rank) {
			best = name;
			rank = r;
		}
	}
	return best;
}

/* False when no name comes out. */
static bool expand_target(struct spf *s)
{
	const struct spf_frame *f = spf_top(s);
	struct buf out = BUF_ON(s->target);
	const struct spfmacro_values values = {
		.client = &s->client, .sender = s->sender, .local = s->local, .sender_domain = s->sender_domain,
		.domain = span_of(f->domain), .helo = span_of(s->helo),
		.client_name = client_name(s, span_of(f->domain)),
	};

	if (f->term.target.n)
		return spfmacro_expand(f->term.target, &values, s->target) > 0;
	buf_addspan(&out, values.domain);
	return true;
}

static void run_nested(struct spf *s, bool named)
{
	if (!named || !spf_is_domain(span_of(s->target))) {
		spf_fail(s, SPF_PERMERROR, "include or redirect of what is no domain");
		return;
	}
	if (spf_top(s)->term.kind == SPF_INCLUDE)
		spf_push(s);
	else
		spf_enter(s, span_of(s->target), true);
}

/* A term that needs the DNS, once the client's names are known if it needs them. A target that
 * cannot be a name matches nothing (section 4.8 leaves it open). */
static void run_lookup(struct spf *s)
{
	struct span target;
	bool named = expand_target(s);
	enum spf_kind kind = spf_top(s)->term.kind;

	if (kind == SPF_INCLUDE || kind == SPF_REDIRECT) {
		run_nested(s, named);
		return;
	}
	if (!named)
		return;
	target = span_of(s->target);
	if (kind == SPF_A)
		spf_ask(s, SPF_WANT_ADDRESS, address_type(s), target);
	else if (kind == SPF_MX)
		spf_ask(s, SPF_WANT_MX, DNS_MX, target);
	else if (kind == SPF_EXISTS)
		spf_ask(s, SPF_WANT_EXISTS, DNS_A, target);
	else
		match_names(s);
}

static bool count_term(struct spf *s)
{
	if (++s->terms > SPF_TERMS_MAX) {
		spf_fail(s, SPF_PERMERROR, "more than 10 terms that ask the DNS");
		return false;
	}
	return true;
}

static void ask_names(struct spf *s)
{
	static const struct spfmacro_values none;
	struct spfmacro_values values = none;

	values.client = &s->client;
	spfmacro_expand(span_of("%{ir}.%{v}.arpa"), &values, s->target);
	spf_ask(s, SPF_WANT_NAMES, DNS_PTR, span_of(s->target));
}

void spf_term_begin(struct spf *s)
{
	const struct spf_term *t = &spf_top(s)->term;
	bool macro = spfmacro_uses(t->target, 'p');

	if (!count_term(s))
		return;
	if ((t->kind != SPF_PTR && !macro) || s->names_known) {
		run_lookup(s);
		return;
	}
	/* The look-up for %{p} counts beside that of its term (section 4.6.4). */
	if (t->kind == SPF_PTR || count_term(s))
		ask_names(s);
}

/* ---- answers ---- */

/* A term whose names, which the record chose, lead nowhere (section 4.6.4). The client's
 * own reverse names are not the record's doing and do not count. */
static void count_void(struct spf *s)
{
	if (++s->voids > SPF_VOIDS_MAX)
		spf_fail(s, SPF_PERMERROR, "more than 2 look-ups that found nothing");
}

static bool has_client(const struct spf *s, const struct dns_answer *a, unsigned bits)
{
	for (unsigned i = 0; i < a->count; i++) {
		struct netprefix p = netaddr_network(&a->records[i].address, bits);
		if (netprefix_contains(&p, &s->client))
			return true;
	}
	return false;
}

static unsigned term_bits(const struct spf *s)
{
	const struct spf_term *t = &s->frames[s->depth].term;

	return s->client.family == 4 ? t->bits4 : t->bits6;
}

static void take_address(struct spf *s, const struct dns_answer *a)
{
	if (a->status != DNS_FOUND || a->count == 0)
		count_void(s);
	else if (has_client(s, a, term_bits(s)))
		spf_match(s);
}

static void take_exists(struct spf *s, const struct dns_answer *a)
{
	if (a->status != DNS_FOUND || a->count == 0)
		count_void(s);
	else
		spf_match(s);
}

/* Keeps the names that can be asked for: a null MX (RFC 7505) is none. */
static void keep_names(struct spf_names *names, const struct dns_answer *a)
{
	names->count = 0;
	names->at = 0;
	for (unsigned i = 0; i < a->count && names->count < SPF_NAMES_MAX; i++) {
		if (!spfmacro_name(a->records[i].text))
			continue;
		struct buf out = BUF_ON(names->name[names->count]);
		buf_addspan(&out, a->records[i].text);
		names->count++;
	}
}

static void next_host(struct spf *s)
{
	struct spf_names *hosts = &s->hosts;

	if (hosts->at < hosts->count)
		spf_ask(s, SPF_WANT_MX_ADDRESS, address_type(s), span_of(hosts->name[hosts->at++]));
	else if (s->host_void)
		count_void(s);
}

static void take_mx(struct spf *s, const struct dns_answer *a)
{
	if (a->status != DNS_FOUND || a->count == 0) {
		count_void(s);
		return;
	}
	if (a->count > SPF_NAMES_MAX) {
		spf_fail(s, SPF_PERMERROR, "more than 10 mail exchangers");
		return;
	}
	s->host_void = false;
	keep_names(&s->hosts, a);
	next_host(s);
}

static void take_mx_address(struct spf *s, const struct dns_answer *a)
{
	if (a->status == DNS_FOUND && has_client(s, a, term_bits(s))) {
		spf_match(s);
		return;
	}
	s->host_void = s->host_void || a->status != DNS_FOUND || a->count == 0;
	next_host(s);
}

static void next_name(struct spf *s)
{
	struct spf_names *names = &s->names;

	if (names->at < names->count) {
		spf_ask(s, SPF_WANT_NAME_ADDRESS, address_type(s), span_of(names->name[names->at++]));
		return;
	}
	s->names_known = true;
	run_lookup(s);
}

/* Section 5.5: without an answer there are no names; of more than ten, the first ten count. */
static void take_names(struct spf *s, const struct dns_answer *a)
{
	if (a->status == DNS_FOUND)
		keep_names(&s->names, a);
	next_name(s);
}

static void take_name_address(struct spf *s, const struct dns_answer *a)
{
	if (a->status == DNS_FOUND && has_client(s, a, 128))
		s->names_good |= 1u << (s->names.at - 1);
	next_name(s);
}

void spf_term_take(struct spf *s, enum spf_want want, const struct dns_answer *a)
{
	switch (want) {
	case SPF_WANT_NOTHING:
	case SPF_WANT_RECORD:
		break;
	case SPF_WANT_ADDRESS:
		take_address(s, a);
		break;
	case SPF_WANT_EXISTS:
		take_exists(s, a);
		break;
	case SPF_WANT_MX:
		take_mx(s, a);
		break;
	case SPF_WANT_MX_ADDRESS:
		take_mx_address(s, a);
		break;
	case SPF_WANT_NAMES:
		take_names(s, a);
		break;
	case SPF_WANT_NAME_ADDRESS:
		take_name_address(s, a);
		break;
	}
}
