#include "dns/spfstep.h"

#include "dns/spfmacro.h"

static void finish(struct spf *s, enum spf_result result, const char *why)
{
	s->result = result;
	s->why = why;
	s->broad = s->broad && result == SPF_PASS;
	s->want = SPF_WANT_NOTHING;
	s->done = true;
}

void spf_ask(struct spf *s, enum spf_want want, enum dns_type type, struct span name)
{
	struct buf out = BUF_ON(s->ask_name);

	buf_addspan(&out, name);
	s->want = want;
	s->ask_type = type;
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

void spf_fail(struct spf *s, enum spf_result result, const char *why)
{
	note_mechanism(s);
	finish(s, result, why);
}

/* Starts on a domain in the top frame; its text is what the frame had or will have. */
void spf_enter(struct spf *s, struct span domain, bool redirected)
{
	struct spf_frame *f = spf_top(s);
	struct buf out = BUF_ON(f->domain);

	buf_addlower(&out, domain);
	f->redirected = redirected;
	f->terms = span_of("");
	f->term = (struct spf_term){ .kind = SPF_MODIFIER };
	spf_ask(s, SPF_WANT_RECORD, DNS_TXT, span_of(f->domain));
}

/* The end of the top frame's record. A frame below goes on, or ends with it (section 5.2). */
static void leave(struct spf *s, enum spf_result result, const char *why)
{
	while (s->depth > 0) {
		if (result == SPF_NONE) {
			spf_fail(s, SPF_PERMERROR, why);
			return;
		}
		s->depth--;
		if (result != SPF_PASS) {
			s->mechanism[0] = '\0';
			return;
		}
		result = spf_top(s)->term.result;
	}
	if (result == SPF_NONE && spf_top(s)->redirected)
		result = SPF_PERMERROR;
	finish(s, result, why);
}

void spf_match(struct spf *s)
{
	s->broad = spfrecord_broad(&spf_top(s)->term, &s->client);
	note_mechanism(s);
	leave(s, spf_top(s)->term.result, "");
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
	struct spf_frame *f = spf_top(s);
	unsigned count = 0;
	const struct dns_record *r = a->status == DNS_FOUND ? select_record(a, &count) : NULL;
	struct span text;

	if (count > 1) {
		spf_fail(s, SPF_PERMERROR, "more than one SPF record");
		return;
	}
	if (!r) {
		leave(s, SPF_NONE, "no SPF record");
		return;
	}
	if (r->text.n > SPFRECORD_MAX || r->text.n > sizeof s->text - f->text) {
		spf_fail(s, SPF_PERMERROR, "SPF record too long");
		return;
	}
	memcpy(s->text + f->text, r->text.p, r->text.n);
	text = span_make(s->text + f->text, r->text.n);
	if (!spfrecord_is(text, &f->terms) || !spfrecord_check(f->terms, &f->redirect))
		spf_fail(s, SPF_PERMERROR, "syntax error in an SPF record");
}

/* ---- terms ---- */

void spf_push(struct spf *s)
{
	const struct spf_frame *below = spf_top(s);
	/* An included record is put behind what is left to read of the one that includes it,
	 * and of its redirect. */
	size_t end = (size_t)(below->terms.p + below->terms.n - s->text);

	s->depth++;
	spf_top(s)->text = end;
	spf_enter(s, span_of(s->target), false);
}

/* Section 4.3: what is no name of several labels has no record. */
bool spf_is_domain(struct span name)
{
	struct netaddr a;

	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f)
			return false;
	return spfmacro_name(name) && span_find(name, '.') < name.n && !netaddr_parse(name, &a);
}

static void end_of_record(struct spf *s)
{
	struct spf_frame *f = spf_top(s);

	f->term = f->redirect;
	if (f->redirect.kind == SPF_REDIRECT)
		spf_term_begin(s);
	else
		leave(s, SPF_NEUTRAL, "");
}

static void next_term(struct spf *s)
{
	struct spf_frame *f = spf_top(s);

	if (spfrecord_term(&f->terms, &f->term) <= 0) {
		end_of_record(s);
		return;
	}
	switch (f->term.kind) {
	case SPF_ALL:
		spf_match(s);
		break;
	case SPF_IP4:
	case SPF_IP6:
		if (netprefix_contains(&f->term.network, &s->client))
			spf_match(s);
		break;
	case SPF_INCLUDE:
	case SPF_A:
	case SPF_MX:
	case SPF_PTR:
	case SPF_EXISTS:
		spf_term_begin(s);
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

void spf_take(struct spf *s, const struct dns_answer *a)
{
	enum spf_want want = s->want;
	bool about_client = want == SPF_WANT_NAMES || want == SPF_WANT_NAME_ADDRESS;

	s->want = SPF_WANT_NOTHING;
	if (want != SPF_WANT_NOTHING && is_failure(a) && !about_client) {
		spf_fail(s, SPF_TEMPERROR, a->status == DNS_TIMEOUT ? "no answer from the DNS" : "a failure of the DNS");
		return;
	}
	if (want == SPF_WANT_RECORD)
		take_record(s, a);
	else
		spf_term_take(s, want, a);
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
	if (!s->client.family || !spf_is_domain(given) || sender.n > SPF_SENDER_MAX) {
		finish(s, SPF_NONE, !s->client.family ? "no client address" : "no domain to check");
		return;
	}
	buf_addlower(&domain, given);
	buf_addspan(&name, helo);
	keep_sender(s, local);
	spf_enter(s, span_of(s->domain), false);
}

const char *spf_result_word(enum spf_result result)
{
	static const char *const words[] = {
		[SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral", [SPF_PASS] = "pass", [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
	};

	return words[result];
}
