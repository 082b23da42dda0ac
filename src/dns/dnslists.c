#include "dns/dnslists.h"

#include "base/log.h"

#define GOOD_MS 86400000
#define BAD_MS 600000
#define SILENT_MS 60000
#define PROBES 4

/* The test entries of RFC 5782 section 5. */
enum probe_number { LISTED, UNLISTED, LISTED_V6, UNLISTED_V6 };

static const struct netaddr test_addresses[PROBES] = {
	[LISTED] = { 4, { 127, 0, 0, 2 } },
	[UNLISTED] = { 4, { 127, 0, 0, 1 } },
	[LISTED_V6] = { 6, { [10] = 0xff, 0xff, 127, 0, 0, 2 } },
	[UNLISTED_V6] = { 6, { [10] = 0xff, 0xff, 127, 0, 0, 1 } },
};
static const char *const test_domains[] = { [LISTED] = "test", [UNLISTED] = "invalid" };

enum finding {
	PENDING,
	NOTHING,		/* not listed */
	A_LISTING,
	REFUSAL,		/* an answer that says so, 127.255.255.254 for example */
	NONSENSE,		/* an answer that no list gives */
	NO_ANSWER,
};

struct zone;

struct probe {
	struct resolver_query query;
	struct zone *zone;
	enum finding finding;
	struct netaddr answer;
	enum dns_status status;
};

struct zone {
	struct dnslists *lists;
	struct zone *next;
	enum dnslist_kind kind;
	char name[DNS_NAME_MAX + 1];
	bool wanted, fresh;		/* of dnslists_set */
	enum dnslists_health health;
	char why[400];
	int64_t tested_s;
	struct loop_timer timer;
	struct probe probes[PROBES];
	unsigned pending;
};

struct dnslists {
	struct dnslists_options options;
	struct zone *zones;
};

struct dnslists *dnslists_new(const struct dnslists_options *options)
{
	struct dnslists *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->options = *options;
	if (!l->options.good_ms)
		l->options.good_ms = GOOD_MS;
	if (!l->options.bad_ms)
		l->options.bad_ms = BAD_MS;
	if (!l->options.silent_ms)
		l->options.silent_ms = SILENT_MS;
	return l;
}

static void zone_free(struct zone *z)
{
	for (unsigned i = 0; i < PROBES; i++)
		resolver_cancel(z->lists->options.resolver, &z->probes[i].query);
	loop_timer_cancel(&z->timer);
	free(z);
}

void dnslists_free(struct dnslists **l)
{
	if (!*l)
		return;
	while ((*l)->zones) {
		struct zone *z = (*l)->zones;
		(*l)->zones = z->next;
		zone_free(z);
	}
	free(*l);
	*l = NULL;
}

static unsigned probe_count(const struct zone *z)
{
	return z->kind == DNSLIST_RHSBL ? 2 : PROBES;
}

static const struct probe *find(const struct zone *z, enum finding finding)
{
	for (unsigned i = 0; i < probe_count(z); i++)
		if (z->probes[i].finding == finding)
			return &z->probes[i];
	return NULL;
}

static bool is(const struct zone *z, enum probe_number n, enum finding finding)
{
	return n < probe_count(z) && z->probes[n].finding == finding;
}

/* What the findings say, worst first; what is wrong in why. */
static enum dnslists_health judge(const struct zone *z, struct buf *why)
{
	const struct probe *p;
	bool domains = z->kind == DNSLIST_RHSBL;

	if (is(z, UNLISTED, A_LISTING) || is(z, UNLISTED_V6, A_LISTING)) {
		buf_addf(why, "it lists %s, so it may list everybody: the list may have ended; remove it",
			 domains ? "the domain \"invalid\"" : "127.0.0.1");
		return DNSLISTS_BAD;
	}
	if ((p = find(z, REFUSAL))) {
		buf_adds(why, "it refuses to answer (");
		netaddr_add(why, &p->answer);
		buf_adds(why, "): ask by a resolver of your own, not a public one, or look at the list's terms of use");
		return DNSLISTS_BAD;
	}
	if ((p = find(z, NONSENSE))) {
		buf_adds(why, "it answers ");
		netaddr_add(why, &p->answer);
		buf_adds(why, ", which is outside 127.0.0.0/8: the list may have ended, or the resolver makes up answers");
		return DNSLISTS_BAD;
	}
	if (is(z, LISTED, A_LISTING) || is(z, LISTED_V6, A_LISTING))
		return DNSLISTS_GOOD;
	if ((p = find(z, NO_ANSWER))) {
		buf_addf(why, "%s: is the name right, and does the resolver work?",
			 p->status == DNS_TIMEOUT ? "it does not answer" : "its servers answer with an error");
		return DNSLISTS_SILENT;
	}
	if (z->kind == DNSLIST_DNSWL)
		return DNSLISTS_GOOD;
	buf_addf(why, "it has no test entry (%s): is the name right? The list may have ended",
		 domains ? "the domain \"test\"" : "127.0.0.2");
	return DNSLISTS_BAD;
}

/* Once for each change. */
static void tell(const struct zone *z, enum dnslists_health before, struct span why)
{
	const char *kind = dnslist_kind_word(z->kind);

	if (why.n)
		log_msg(LOG_LEVEL_WARNING, "%s %s is not used: %.*s", kind, z->name, SPAN_ARG(why));
	else if (before == DNSLISTS_BAD || before == DNSLISTS_SILENT)
		log_msg(LOG_LEVEL_NOTICE, "%s %s is used again: it passed its test", kind, z->name);
}

static unsigned next_test_ms(const struct zone *z)
{
	const struct dnslists_options *o = &z->lists->options;

	switch (z->health) {
	case DNSLISTS_GOOD:
		return o->good_ms;
	case DNSLISTS_BAD:
		return o->bad_ms;
	case DNSLISTS_UNTESTED:
	case DNSLISTS_SILENT:
		break;
	}
	return o->silent_ms;
}

static void test_ended(struct zone *z)
{
	enum dnslists_health before = z->health;
	char text[sizeof z->why];
	struct buf why = buf_on(text, sizeof text);

	z->health = judge(z, &why);
	z->tested_s = clock_wall(z->lists->options.clock);
	if (z->health != before)
		tell(z, before, buf_span(&why));
	memcpy(z->why, text, sizeof text);
	loop_timer_set(&z->timer, next_test_ms(z));
}

static enum finding finding_of(struct probe *p, const struct dns_answer *answer)
{
	p->status = answer->status;
	if (answer->status == DNS_NONE)
		return NOTHING;
	if (answer->status != DNS_FOUND)
		return NO_ANSWER;
	enum finding worst = A_LISTING;
	for (unsigned i = 0; i < answer->count; i++) {
		const struct netaddr *a = &answer->records[i].address;
		if (dnslist_is_loopback(a) && !dnslist_is_refusal(a))
			continue;
		worst = dnslist_is_loopback(a) ? REFUSAL : NONSENSE;
		p->answer = *a;
	}
	return worst;
}

static void on_answer(struct resolver_query *q, const struct dns_answer *answer)
{
	struct probe *p = q->arg;
	struct zone *z = p->zone;

	p->finding = finding_of(p, answer);
	if (--z->pending == 0)
		test_ended(z);
}

/* A name too long to be asked is one that the list cannot have. */
static bool probe_name(const struct zone *z, unsigned n, struct buf *out)
{
	struct span zone = span_of(z->name);

	return z->kind == DNSLIST_RHSBL ? dnslist_query_domain(out, span_of(test_domains[n]), zone) :
					  dnslist_query_address(out, &test_addresses[n], zone);
}

static void test_begin(struct loop_timer *t)
{
	struct zone *z = t->arg;
	char text[DNS_NAME_MAX + 1];
	struct buf name = BUF_ON(text);

	/* One more than are asked, so that answers that are there at once do not end the test. */
	z->pending = probe_count(z) + 1;
	for (unsigned i = 0; i < probe_count(z); i++) {
		struct probe *p = &z->probes[i];
		p->finding = PENDING;
		p->query.done = on_answer;
		p->query.arg = p;
		p->zone = z;
		if (!probe_name(z, i, &name)) {
			p->finding = NOTHING;
			z->pending--;
			continue;
		}
		resolver_forget(z->lists->options.resolver, DNS_A, buf_span(&name));
		resolver_ask(z->lists->options.resolver, &p->query, DNS_A, buf_span(&name));
	}
	if (--z->pending == 0)
		test_ended(z);
}

static struct zone *lookup(const struct dnslists *l, enum dnslist_kind kind, struct span name)
{
	struct zone *z = l->zones;

	while (z && (z->kind != kind || !span_ieq(span_of(z->name), name)))
		z = z->next;
	return z;
}

/* At its end, so that the order is that of the configuration. */
static struct zone *zone_add(struct dnslists *l, const struct dnslists_zone *new)
{
	struct zone *z = calloc(1, sizeof *z), **at = &l->zones;

	if (!z)
		return NULL;
	z->lists = l;
	z->fresh = true;
	z->kind = new->kind;
	snprintf(z->name, sizeof z->name, "%s", new->zone);
	loop_timer_init(&z->timer, l->options.loop, test_begin, z);
	while (*at)
		at = &(*at)->next;
	*at = z;
	return z;
}

/* Frees those that are not wanted, and starts the tests of those that are new. */
static void settle(struct dnslists *l)
{
	struct zone **at = &l->zones;

	while (*at) {
		struct zone *z = *at;
		if (!z->wanted) {
			*at = z->next;
			zone_free(z);
			continue;
		}
		at = &z->next;
		if (z->fresh)
			loop_timer_set(&z->timer, 0);
		z->fresh = false;
	}
}

int dnslists_set(struct dnslists *l, const struct dnslists_zone *zones, unsigned count, struct buf *why)
{
	bool complete = true;

	for (struct zone *z = l->zones; z; z = z->next)
		z->wanted = false;
	for (unsigned i = 0; i < count && complete; i++) {
		struct zone *z = lookup(l, zones[i].kind, span_of(zones[i].zone));
		if (!z)
			z = zone_add(l, &zones[i]);
		complete = z != NULL;
		if (z)
			z->wanted = true;
	}
	if (complete) {
		settle(l);
		return 0;
	}
	for (struct zone *z = l->zones; z; z = z->next)
		z->wanted = !z->fresh;
	settle(l);
	return buf_fail(why, "DNS lists: out of memory");
}

bool dnslists_usable(const struct dnslists *l, enum dnslist_kind kind, struct span zone)
{
	const struct zone *z = lookup(l, kind, zone);

	return z && (z->health == DNSLISTS_UNTESTED || z->health == DNSLISTS_GOOD);
}

const char *dnslists_health_word(enum dnslists_health health)
{
	switch (health) {
	case DNSLISTS_UNTESTED: return "untested";
	case DNSLISTS_GOOD: return "good";
	case DNSLISTS_BAD: return "bad";
	case DNSLISTS_SILENT: return "silent";
	}
	return "";
}

bool dnslists_status(const struct dnslists *l, unsigned i, struct dnslists_status *out)
{
	const struct zone *z = l->zones;

	while (z && i-- > 0)
		z = z->next;
	if (!z)
		return false;
	*out = (struct dnslists_status){ .kind = z->kind, .zone = z->name, .health = z->health, .why = z->why,
					 .tested_s = z->tested_s };
	return true;
}
