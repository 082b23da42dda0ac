#include "dns/spf.h"

#include "dns/spfmacro.h"

static void finish(struct spf *s, enum spf_result result, const char *why)
{
	s->result = result;
	s->why = why;
	s->broad = s->broad && result == SPF_PASS;
	s->want = SPF_WANT_NOTHING;
	s->done = true;
}

static struct spf_frame *top(struct spf *s)
{
	return &s->frames[s->depth];
}

static void ask(struct spf *s, enum spf_want want, enum dns_type type, struct span name)
{
	struct buf out = BUF_ON(s->ask_name);

	buf_addspan(&out, name);
	s->want = want;
	s->ask_type = type;
}

static enum dns_type address_type(const struct spf *s)
{
	return s->client.family == 4 ? DNS_A : DNS_AAAA;
}

/* ---- records and their results ---- */

/* The way to the directive at work. */
static void note_mechanism(struct spf *s)
{
	struct buf out = BUF_ON(s->mechanism);

	buf_clear(&out);
	for (unsigned i = 0; i <= s->depth; i++) {
		if (out.n && s->frames[i].term.text.n)
			buf_addc(&out, ' ');
		buf_addspan(&out, s->frames[i].term.text);
	}
}

static void fail_all(struct spf *s, enum spf_result result, const char *why)
{
	note_mechanism(s);
	finish(s, result, why);
}

/* Starts on a domain in the top frame; its text is what the frame had or will have. */
static void enter(struct spf *s, struct span domain, bool redirected)
{
	struct spf_frame *f = top(s);
	struct buf out = BUF_ON(f->domain);

	buf_addlower(&out, domain);
	f->redirected = redirected;
	f->terms = span_of("");
	f->term = (struct spf_term){ .kind = SPF_MODIFIER };
	ask(s, SPF_WANT_RECORD, DNS_TXT, span_of(f->domain));
}

/* The end of the top frame's record. A frame below goes on, or ends with it (section 5.2). */
static void leave(struct spf *s, enum spf_result result, const char *why)
{
	while (s->depth > 0) {
		if (result == SPF_NONE) {
			fail_all(s, SPF_PERMERROR, why);
			return;
		}
		s->depth--;
		if (result != SPF_PASS) {
			s->mechanism[0] = '\0';
			return;
		}
		result = top(s)->term.result;
	}
	if (result == SPF_NONE && top(s)->redirected)
		result = SPF_PERMERROR;
	finish(s, result, why);
}

static void match(struct spf *s)
{
	s->broad = spfrecord_broad(&top(s)->term, &s->client);
	note_mechanism(s);
	leave(s, top(s)->term.result, "");
}

/* Section 4.5: exactly one. */
static const struct dns_record *select_record(const struct dns_answer *a, unsigned *count)
{
	const struct dns_record *found = NULL;
	struct span terms;

	*count = 0;
	for (unsigned i = 0; i < a->count; i++)
		if (spfrecord_is(a->records[i].text, &terms)) {
			found = &a->records[i];
			++*count;
		}
	return found;
}

static void take_record(struct spf *s, const struct dns_answer *a)
{
	struct spf_frame *f = top(s);
	unsigned count = 0;
	const struct dns_record *r = a->status == DNS_FOUND ? select_record(a, &count) : NULL;
	struct span text;

	if (count > 1) {
		fail_all(s, SPF_PERMERROR, "more than one SPF record");
		return;
	}
	if (!r) {
		leave(s, SPF_NONE, "no SPF record");
		return;
	}
	if (r->text.n > SPFRECORD_MAX || r->text.n > sizeof s->text - f->text) {
		fail_all(s, SPF_PERMERROR, "SPF record too long");
		return;
	}
	memcpy(s->text + f->text, r->text.p, r->text.n);
	text = span_make(s->text + f->text, r->text.n);
	if (!spfrecord_is(text, &f->terms) || !spfrecord_check(f->terms, &f->redirect))
		fail_all(s, SPF_PERMERROR, "syntax error in an SPF record");
}

/* ---- terms ---- */

static void push(struct spf *s)
{
	const struct spf_frame *below = top(s);
	/* An included record is put behind what is left to read of the one that includes it,
	 * and of its redirect. */
	size_t end = (size_t)(below->terms.p + below->terms.n - s->text);

	s->depth++;
	top(s)->text = end;
	enter(s, span_of(s->target), false);
}

/* Section 4.3: what is no name of several labels has no record. */
static bool is_domain(struct span name)
{
	struct netaddr a;

	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f)
			return false;
	return spfmacro_name(name) && span_find(name, '.') < name.n && !netaddr_parse(name, &a);
}

/* Whether name is the target or lies below it. */
static bool is_below(struct span name, struct span target)
{
	return span_iends(name, target) && (name.n == target.n || name.p[name.n - target.n - 1] == '.');
}

static void match_names(struct spf *s)
{
	for (unsigned i = 0; i < s->names.count; i++)
		if ((s->names_good >> i & 1) && is_below(span_of(s->names.name[i]), span_of(s->target))) {
			match(s);
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
	const struct spf_frame *f = top(s);
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
	if (!named || !is_domain(span_of(s->target))) {
		fail_all(s, SPF_PERMERROR, "include or redirect of what is no domain");
		return;
	}
	if (top(s)->term.kind == SPF_INCLUDE)
		push(s);
	else
		enter(s, span_of(s->target), true);
}

/* A term that needs the DNS, once the client's names are known if it needs them. A target that
 * cannot be a name matches nothing (section 4.8 leaves it open). */
static void run_lookup(struct spf *s)
{
	struct span target;
	bool named = expand_target(s);
	enum spf_kind kind = top(s)->term.kind;

	if (kind == SPF_INCLUDE || kind == SPF_REDIRECT) {
		run_nested(s, named);
		return;
	}
	if (!named)
		return;
	target = span_of(s->target);
	if (kind == SPF_A)
		ask(s, SPF_WANT_ADDRESS, address_type(s), target);
	else if (kind == SPF_MX)
		ask(s, SPF_WANT_MX, DNS_MX, target);
	else if (kind == SPF_EXISTS)
		ask(s, SPF_WANT_EXISTS, DNS_A, target);
	else
		match_names(s);
}

static bool count_term(struct spf *s)
{
	if (++s->terms > SPF_TERMS_MAX) {
		fail_all(s, SPF_PERMERROR, "more than 10 terms that ask the DNS");
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
	ask(s, SPF_WANT_NAMES, DNS_PTR, span_of(s->target));
}

static void begin_lookup(struct spf *s)
{
	const struct spf_term *t = &top(s)->term;
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

static void end_of_record(struct spf *s)
{
	struct spf_frame *f = top(s);

	f->term = f->redirect;
	if (f->redirect.kind == SPF_REDIRECT)
		begin_lookup(s);
	else
		leave(s, SPF_NEUTRAL, "");
}

static void next_term(struct spf *s)
{
	struct spf_frame *f = top(s);

	if (spfrecord_term(&f->terms, &f->term) <= 0) {
		end_of_record(s);
		return;
	}
	switch (f->term.kind) {
	case SPF_ALL:
		match(s);
		break;
	case SPF_IP4:
	case SPF_IP6:
		if (netprefix_contains(&f->term.network, &s->client))
			match(s);
		break;
	case SPF_INCLUDE:
	case SPF_A:
	case SPF_MX:
	case SPF_PTR:
	case SPF_EXISTS:
		begin_lookup(s);
		break;
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_MODIFIER:
		break;
	}
}

/* ---- answers ---- */

static bool is_failure(const struct dns_answer *a)
{
	return a->status == DNS_FAILED || a->status == DNS_TIMEOUT;
}

/* A term whose names, which the record chose, lead nowhere (section 4.6.4). The client's
 * own reverse names are not the record's doing and do not count. */
static void count_void(struct spf *s)
{
	if (++s->voids > SPF_VOIDS_MAX)
		fail_all(s, SPF_PERMERROR, "more than 2 look-ups that found nothing");
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
		match(s);
}

static void take_exists(struct spf *s, const struct dns_answer *a)
{
	if (a->status != DNS_FOUND || a->count == 0)
		count_void(s);
	else
		match(s);
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
		ask(s, SPF_WANT_MX_ADDRESS, address_type(s), span_of(hosts->name[hosts->at++]));
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
		fail_all(s, SPF_PERMERROR, "more than 10 mail exchangers");
		return;
	}
	s->host_void = false;
	keep_names(&s->hosts, a);
	next_host(s);
}

static void take_mx_address(struct spf *s, const struct dns_answer *a)
{
	if (a->status == DNS_FOUND && has_client(s, a, term_bits(s))) {
		match(s);
		return;
	}
	s->host_void = s->host_void || a->status != DNS_FOUND || a->count == 0;
	next_host(s);
}

static void next_name(struct spf *s)
{
	struct spf_names *names = &s->names;

	if (names->at < names->count) {
		ask(s, SPF_WANT_NAME_ADDRESS, address_type(s), span_of(names->name[names->at++]));
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

void spf_take(struct spf *s, const struct dns_answer *a)
{
	enum spf_want want = s->want;
	bool about_client = want == SPF_WANT_NAMES || want == SPF_WANT_NAME_ADDRESS;

	s->want = SPF_WANT_NOTHING;
	if (want != SPF_WANT_NOTHING && is_failure(a) && !about_client) {
		fail_all(s, SPF_TEMPERROR, a->status == DNS_TIMEOUT ? "no answer from the DNS" : "a failure of the DNS");
		return;
	}
	switch (want) {
	case SPF_WANT_NOTHING:
		break;
	case SPF_WANT_RECORD:
		take_record(s, a);
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

enum spf_step spf_next(struct spf *s)
{
	while (!s->done && s->want == SPF_WANT_NOTHING)
		next_term(s);
	return s->done ? SPF_DONE : SPF_ASKS;
}

/* ---- the start ---- */

/* The sender, or who stands for it (sections 2.4 and 4.3). Returns the domain. */
static struct span read_sender(struct span sender, struct span helo, struct span *local)
{
	size_t at = span_rfind(sender, '@');
	struct span domain = sender.n == 0 ? helo : at < sender.n ? span_from(sender, at + 1) : sender;

	*local = at > 0 && at < sender.n ? span_head(sender, at) : span_of("postmaster");
	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	return domain;
}

static void keep_sender(struct spf *s, struct span local)
{
	struct buf out = BUF_ON(s->sender_text);

	buf_addspan(&out, local);
	buf_addc(&out, '@');
	buf_adds(&out, s->domain);
	s->sender = buf_span(&out);
	s->local = span_head(s->sender, local.n);
	s->sender_domain = span_from(s->sender, local.n + 1);
}

void spf_begin(struct spf *s, const struct netaddr *client, struct span sender, struct span helo)
{
	struct buf domain = BUF_ON(s->domain), name = BUF_ON(s->helo);
	struct span local, given;

	sender = span_unwrap(sender, '<', '>');
	given = read_sender(sender, helo, &local);
	s->client = *client;
	netaddr_unmap(&s->client);
	s->done = false;
	s->broad = false;
	s->want = SPF_WANT_NOTHING;
	s->mechanism[0] = s->domain[0] = s->helo[0] = '\0';
	s->terms = s->voids = s->depth = s->names_good = 0;
	s->names_known = false;
	s->names.count = s->names.at = 0;
	s->frames[0].text = 0;
	if (!s->client.family || !is_domain(given) || sender.n > SPF_SENDER_MAX) {
		finish(s, SPF_NONE, !s->client.family ? "no client address" : "no domain to check");
		return;
	}
	buf_addlower(&domain, given);
	buf_addspan(&name, helo);
	keep_sender(s, local);
	enter(s, span_of(s->domain), false);
}

const char *spf_result_word(enum spf_result result)
{
	static const char *const words[] = {
		[SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral", [SPF_PASS] = "pass", [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
	};

	return words[result];
}
