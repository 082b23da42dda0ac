#include "dns/spfnets.h"

#include "dns/spfmacro.h"

static void skip(struct spfnets *n, struct span what, const char *why)
{
	if (n->skipped.n)
		buf_adds(&n->skipped, "; ");
	buf_addsafe(&n->skipped, what, 300);
	buf_addf(&n->skipped, " (%s)", why);
}

static void add_net(struct spfnets *n, const struct netprefix *p, struct span what)
{
	struct spf_term t = { .kind = p->addr.family == 4 ? SPF_IP4 : SPF_IP6, .network = *p };

	for (unsigned i = 0; i < n->count; i++)
		if (n->nets[i].bits == p->bits && netaddr_eq(&n->nets[i].addr, &p->addr))
			return;
	if (spfrecord_broad(&t, &p->addr))
		skip(n, what, "too large a network");
	else if (n->count == SPFNETS_MAX)
		skip(n, what, "too many networks");
	else
		n->nets[n->count++] = *p;
}

/* ---- the queue: breadth first, so that no record has to be kept ---- */

static bool is_same(const struct spfnets_lookup *a, const struct spfnets_lookup *b)
{
	return a->kind == b->kind && a->bits4 == b->bits4 && a->bits6 == b->bits6 &&
	       span_eq(span_of(a->name), span_of(b->name));
}

/* What was looked up already is not again: records that include each other end here. */
static void add_lookup(struct spfnets *n, const struct spfnets_lookup *how, struct span name, struct span what)
{
	struct spfnets_lookup l = *how;
	struct buf out = BUF_ON(l.name);

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (!spfmacro_name(name)) {
		skip(n, what, "no name");
		return;
	}
	buf_addlower(&out, name);
	for (unsigned i = 0; i < n->queued; i++)
		if (is_same(&n->queue[i], &l))
			return;
	if (l.depth > SPFNETS_DEPTH)
		skip(n, what, "nested too deeply");
	else if (n->queued == SPFNETS_LOOKUPS)
		skip(n, what, "too many look-ups");
	else
		n->queue[n->queued++] = l;
}

/* A term that leads to another name. */
static void add_target(struct spfnets *n, const struct spf_term *t, enum spf_kind kind)
{
	const struct spfnets_lookup *from = &n->queue[n->at];
	bool record = kind == SPF_INCLUDE;
	struct spfnets_lookup l = { .kind = kind, .depth = from->depth + record,
				    .bits4 = record ? 0 : t->bits4, .bits6 = record ? 0 : t->bits6 };

	if (spfmacro_any(t->target))
		skip(n, t->text, "a macro");
	else
		add_lookup(n, &l, t->target.n ? t->target : span_of(from->name), t->text);
}

/* ---- records ---- */

static void take_term(struct spfnets *n, const struct spf_term *t)
{
	switch (t->kind) {
	case SPF_IP4:
	case SPF_IP6:
		add_net(n, &t->network, t->text);
		break;
	case SPF_INCLUDE:
	case SPF_A:
	case SPF_MX:
		add_target(n, t, t->kind);
		break;
	case SPF_ALL:
		skip(n, t->text, "everybody");
		break;
	case SPF_PTR:
	case SPF_EXISTS:
		skip(n, t->text, "depends on the message");
		break;
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_MODIFIER:
		break;
	}
}

static bool is_directive(const struct spf_term *t)
{
	return t->kind != SPF_REDIRECT && t->kind != SPF_EXP && t->kind != SPF_MODIFIER;
}

static void read_record(struct spfnets *n, struct span terms)
{
	struct spf_term t, redirect;
	bool all = false;

	if (!spfrecord_check(terms, &redirect)) {
		skip(n, span_of(n->queue[n->at].name), "syntax error in its SPF record");
		return;
	}
	while (!all && spfrecord_term(&terms, &t) > 0) {
		all = t.kind == SPF_ALL;
		if (t.result == SPF_PASS)
			take_term(n, &t);
		else if (is_directive(&t) && !all)
			skip(n, t.text, "does not pass");
	}
	if (!all && redirect.kind == SPF_REDIRECT)
		add_target(n, &redirect, SPF_INCLUDE);
}

static void take_record(struct spfnets *n, const struct dns_answer *a)
{
	struct span terms = span_of(""), found = terms;
	struct span name = span_of(n->queue[n->at].name);
	unsigned count = 0;

	for (unsigned i = 0; i < a->count; i++)
		if (spfrecord_is(a->records[i].text, &terms)) {
			found = terms;
			count++;
		}
	if (count == 0) {
		skip(n, name, "no SPF record");
		return;
	}
	n->found = true;
	if (count > 1 || found.n > SPFRECORD_MAX)
		skip(n, name, count > 1 ? "more than one SPF record" : "SPF record too long");
	else
		read_record(n, found);
}

/* ---- answers ---- */

static void take_mx(struct spfnets *n, const struct dns_answer *a)
{
	struct spfnets_lookup l = n->queue[n->at];

	l.kind = SPF_A;
	for (unsigned i = 0; i < a->count; i++) {
		struct span host = a->records[i].text;
		/* A null MX (RFC 7505) is no host. */
		if (host.n == 0 || span_eq(host, span_of(".")))
			continue;
		n->found = true;
		add_lookup(n, &l, host, host);
	}
}

static void take_addresses(struct spfnets *n, const struct dns_answer *a)
{
	const struct spfnets_lookup *l = &n->queue[n->at];

	for (unsigned i = 0; i < a->count; i++) {
		const struct netaddr *address = &a->records[i].address;
		struct netprefix p = netaddr_network(address, address->family == 4 ? l->bits4 : l->bits6);
		if (address->family)
			add_net(n, &p, span_of(l->name));
	}
}

static void take(struct spfnets *n, const struct dns_answer *a)
{
	const struct spfnets_lookup *l = &n->queue[n->at];

	if (a->status == DNS_FAILED || a->status == DNS_TIMEOUT) {
		n->failed = true;
		skip(n, span_of(l->name), a->status == DNS_TIMEOUT ? "no answer from the DNS" : "a failure of the DNS");
	} else if (l->kind == SPF_INCLUDE) {
		take_record(n, a);
	} else if (l->kind == SPF_MX) {
		take_mx(n, a);
	} else {
		take_addresses(n, a);
	}
	if (l->kind == SPF_A && n->asking == DNS_A) {
		n->asking = DNS_AAAA;
	} else {
		n->asking = DNS_A;
		n->at++;
	}
}

static void ask(struct spfnets *n)
{
	const struct spfnets_lookup *l = &n->queue[n->at];

	if (l->kind == SPF_INCLUDE)
		n->asking = DNS_TXT;
	else if (l->kind == SPF_MX)
		n->asking = DNS_MX;
	else if (n->asking != DNS_AAAA)
		n->asking = DNS_A;
	resolver_ask(n->resolver, &n->query, n->asking, span_of(l->name));
}

static void finish(struct spfnets *n)
{
	if (n->skipped.over)
		memcpy(n->skipped_text + n->skipped.n - 3, "...", 3);
	n->done(n);
}

/* A loop, as in spfcheck.c. */
static void drive(struct spfnets *n)
{
	n->driving = true;
	do {
		if (n->at == n->queued) {
			finish(n);
			return;
		}
		n->answered = false;
		ask(n);
	} while (n->answered);
	n->driving = false;
}

static void on_answer(struct resolver_query *q, const struct dns_answer *answer)
{
	struct spfnets *n = q->arg;

	take(n, answer);
	n->answered = true;
	if (!n->driving)
		drive(n);
}

void spfnets_start(struct spfnets *n, struct resolver *resolver, struct span domain,
		   void (*done)(struct spfnets *n), void *arg)
{
	static const struct spfnets_lookup record = { .kind = SPF_INCLUDE };
	static const struct spfnets_lookup exchangers = { .kind = SPF_MX, .bits4 = 32, .bits6 = 128 };

	n->count = n->at = n->queued = 0;
	n->found = n->failed = false;
	n->skipped = buf_on(n->skipped_text, sizeof n->skipped_text);
	n->arg = arg;
	n->resolver = resolver;
	n->query = (struct resolver_query){ .done = on_answer, .arg = n };
	n->done = done;
	n->asking = DNS_TXT;
	add_lookup(n, &record, domain, domain);
	add_lookup(n, &exchangers, domain, domain);
	drive(n);
}

void spfnets_cancel(struct spfnets *n)
{
	resolver_cancel(n->resolver, &n->query);
}
