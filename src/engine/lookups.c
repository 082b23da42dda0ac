#include "engine/lookups.h"

#include "base/log.h"
#include "dns/spfcheck.h"

struct lookups {
	struct lookups_options options;
	struct resolver *resolver;
	struct dnslists *dnslists;
	struct lookups_job *idle;	/* linked by `next` */
	unsigned jobs;
};

/* A question to a DNS list. */
struct question {
	struct resolver_query query;
	struct lookups_job *job;
	const struct lookup *lookup;
};

/* The questions of one request that are under way. */
struct lookups_job {
	struct lookups *lookups;
	struct lookups_found *found;
	struct loop_timer budget;
	uint64_t began_ns;
	unsigned waiting;		/* answers that are to come */
	bool starting;			/* answers may come at once */
	unsigned count;
	struct question questions[LOOKUPS_MAX];
	struct spfcheck *spf;		/* made when it is first needed */
	bool spf_asked;
	const struct lookup *spf_lookup;	/* of a rule; NULL when only the identity wants it */
	void (*done)(void *arg);
	void *arg;
	struct lookups_job *next;
};

/* --- Jobs ----------------------------------------------------------------------- */

static void on_budget(struct loop_timer *t);

static struct lookups_job *job_new(struct lookups *l, struct lookups_found *found)
{
	struct lookups_job *j = l->idle;

	if (j)
		l->idle = j->next;
	else if (!(j = calloc(1, sizeof *j)))
		return NULL;
	j->lookups = l;
	j->found = found;
	j->began_ns = clock_mono(&clock_system);
	j->waiting = j->count = 0;
	j->spf_asked = false;
	j->starting = true;
	loop_timer_init(&j->budget, l->options.loop, on_budget, j);
	found->job = j;
	l->jobs++;
	return j;
}

static void job_end(struct lookups_job *j)
{
	struct lookups *l = j->lookups;

	for (unsigned i = 0; i < j->count; i++)
		resolver_cancel(l->resolver, &j->questions[i].query);
	if (j->spf_asked)
		spfcheck_cancel(j->spf);
	loop_timer_cancel(&j->budget);
	j->found->waited_ms += (clock_mono(&clock_system) - j->began_ns) / CLOCK_NS_PER_MS;
	j->found->job = NULL;
	j->next = l->idle;
	l->idle = j;
	l->jobs--;
}

static void job_done(struct lookups_job *j)
{
	void (*done)(void *arg) = j->done;
	void *arg = j->arg;

	job_end(j);
	done(arg);
}

/* The budget is spent: what is not known by now is left open. */
static void on_budget(struct loop_timer *t)
{
	struct lookups_job *j = t->arg;

	j->found->answers.final = true;
	job_done(j);
}

void lookups_drop(struct lookups_found *found)
{
	if (found->job)
		job_end(found->job);
}

/* --- Answers -------------------------------------------------------------------- */

static void know(struct lookups_found *found, const struct lookup *l, unsigned bits)
{
	found->answers.known |= (uint64_t)1 << l->index;
	found->answers.bits[l->index] = (uint8_t)bits;
}

/* A list that does not answer leaves the question open: neither it nor its `not` holds. */
static void leave_open(struct lookups_found *found, const struct lookup *l)
{
	know(found, l, 0);
	found->answers.open |= (uint64_t)1 << l->index;
}

static void came(struct lookups_job *j)
{
	if (--j->waiting == 0 && !j->starting)
		job_done(j);
}

static void on_answer(struct resolver_query *query, const struct dns_answer *answer)
{
	struct question *q = query->arg;
	struct lookups_found *found = q->job->found;

	if (answer->status == DNS_FAILED || answer->status == DNS_TIMEOUT)
		leave_open(found, q->lookup);
	else
		know(found, q->lookup, dnslist_listed(&q->lookup->filter, answer) ? LOOKUP_YES : 0);
	came(q->job);
}

static void know_spf(struct lookups_found *found, const struct lookup *l)
{
	if (l)
		know(found, l, found->spf_known ? 1u << found->spf : 0);
	if (l && !found->spf_known)
		leave_open(found, l);
}

static void on_spf(struct spfcheck *c)
{
	struct lookups_job *j = c->arg;

	j->found->spf_known = true;
	j->found->spf = c->spf.result;
	j->found->spf_broad = c->spf.broad;
	know_spf(j->found, j->spf_lookup);
	came(j);
}

/* --- Questions ------------------------------------------------------------------- */

static enum dnslist_kind dnslist_kind_of(const struct lookup *l)
{
	return l->kind == LOOKUP_DNSBL ? DNSLIST_DNSBL : l->kind == LOOKUP_DNSWL ? DNSLIST_DNSWL : DNSLIST_RHSBL;
}

static void ask_dnslist(struct lookups_job *j, const struct lookup *l, const struct request *r)
{
	char text[DNS_NAME_MAX + 1];
	struct buf name = BUF_ON(text);
	struct span zone = span_of(l->filter.zone), domain = address_domain(r->sender);
	bool asks = l->kind == LOOKUP_RHSBL ? domain.n && dnslist_query_domain(&name, domain, zone) :
					      dnslist_query_address(&name, &r->client, zone);

	if (!dnslists_usable(j->lookups->dnslists, dnslist_kind_of(l), zone)) {
		leave_open(j->found, l);
		return;
	}
	if (!asks) {
		know(j->found, l, 0);
		return;
	}
	struct question *q = &j->questions[j->count++];
	*q = (struct question){ .job = j, .lookup = l };
	q->query.done = on_answer;
	q->query.arg = q;
	j->waiting++;
	resolver_ask(j->lookups->resolver, &q->query, DNS_A, buf_span(&name));
}

static unsigned rate_bits(struct lookups *l, const struct lookup *rate, const struct request *r, int64_t now, bool count)
{
	uint64_t what = span_hash(span_make((const char *)r->client.bytes, sizeof r->client.bytes),
				  span_hash(span_of(rate->text), rate->index));
	uint32_t n = count ? rates_count(l->options.rates, what, now, (int64_t)rate->window_s, 0) :
			     rates_would(l->options.rates, what, now, (int64_t)rate->window_s, 0);

	return n > rate->most ? LOOKUP_YES : 0;
}

/* A list that was not read yet leaves open what it does not have. */
static void look_into_list(const struct lookups *l, struct lookups_found *found, const struct lookup *lookup,
			   const struct request *r)
{
	const struct livinglists *living = l->options.living;

	if (living && livinglists_has(living, span_of(lookup->text), r, NULL))
		know(found, lookup, LOOKUP_YES);
	else if (living && livinglists_loaded(living))
		know(found, lookup, 0);
	else
		leave_open(found, lookup);
}

static void ask_spf(struct lookups_job *j, const struct lookup *l, const struct request *r)
{
	if (!j->spf && !(j->spf = malloc(sizeof *j->spf))) {
		know_spf(j->found, l);
		return;
	}
	j->spf_asked = true;
	j->spf_lookup = l;
	j->waiting++;
	spfcheck_start(j->spf, j->lookups->resolver, &r->client, r->sender, r->helo, on_spf, j);
}

/* What is asked of the DNS; j is NULL when no time is left, or no memory. */
static void ask(struct lookups_job *j, struct lookups_found *found, const struct lookup *l, const struct request *r)
{
	if (lookup_asks_dnslist(l) && j)
		ask_dnslist(j, l, r);
	else if (l->kind == LOOKUP_SPF && (found->spf_known || !j))
		know_spf(found, l);
	else if (l->kind == LOOKUP_SPF)
		ask_spf(j, l, r);
	else
		leave_open(found, l);
}

static bool asks_dns(const struct lookup *l)
{
	return lookup_asks_dnslist(l) || l->kind == LOOKUP_SPF;
}

/* Looks up one thing that a rule wants; makes *j when that takes the DNS. */
static void find(struct lookups *l, struct lookups_found *found, const struct lookups_want *w, const struct lookup *lookup,
		 struct lookups_job **j)
{
	if (lookup->kind == LOOKUP_RATE)
		know(found, lookup, rate_bits(l, lookup, w->request, w->now, w->count));
	else if (lookup->kind == LOOKUP_LISTED)
		look_into_list(l, found, lookup, w->request);
	if (!asks_dns(lookup))
		return;
	if (!*j && found->waited_ms < w->budget_ms)
		*j = job_new(l, found);
	ask(*j, found, lookup, w->request);
}

bool lookups_find(struct lookups *l, struct lookups_found *found, const struct lookups_want *w)
{
	struct lookups_job *j = NULL;
	const struct lookup *lookup;

	for (unsigned i = 0; w->rules && (lookup = ruleset_lookup(w->rules, i)) != NULL; i++)
		if (w->wanted & (uint64_t)1 << i)
			find(l, found, w, lookup, &j);
	if (w->spf && !found->spf_known && found->waited_ms < w->budget_ms && (j || (j = job_new(l, found))) && !j->spf_asked)
		ask_spf(j, NULL, w->request);
	if (!j)
		return true;
	j->done = w->done;
	j->arg = w->arg;
	j->starting = false;
	if (j->waiting == 0) {
		job_end(j);
		return true;
	}
	loop_timer_set(&j->budget, (unsigned)(w->budget_ms - found->waited_ms));
	return false;
}

/* --- The whole --------------------------------------------------------------------- */

struct lookups *lookups_new(const struct lookups_options *options, struct buf *why)
{
	struct lookups *l = calloc(1, sizeof *l);

	if (!l) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	l->options = *options;
	const struct resolver_options resolver = { .loop = options->loop, .clock = options->clock, .servers = options->servers,
						   .entries = options->remember };
	l->resolver = resolver_new(&resolver, why);
	if (l->resolver) {
		const struct dnslists_options lists = { .loop = options->loop, .resolver = l->resolver, .clock = options->clock };
		l->dnslists = dnslists_new(&lists);
		if (!l->dnslists)
			buf_fail(why, "out of memory");
	}
	if (!l->dnslists)
		lookups_free(&l);
	return l;
}

void lookups_free(struct lookups **lookups)
{
	struct lookups *l = *lookups;

	if (!l)
		return;
	dnslists_free(&l->dnslists);
	resolver_free(&l->resolver);
	while (l->idle) {
		struct lookups_job *j = l->idle;
		l->idle = j->next;
		free(j->spf);
		free(j);
	}
	free(l);
	*lookups = NULL;
}

void lookups_use(struct lookups *l, const struct ruleset *rules)
{
	struct dnslists_zone zones[LOOKUPS_MAX];
	char text[200];
	struct buf why = BUF_ON(text);
	const struct lookup *lookup;
	unsigned count = 0;

	for (unsigned i = 0; (lookup = ruleset_lookup(rules, i)) != NULL; i++)
		if (lookup_asks_dnslist(lookup))
			zones[count++] = (struct dnslists_zone){ dnslist_kind_of(lookup), lookup->filter.zone };
	if (dnslists_set(l->dnslists, zones, count, &why) != 0)
		log_msg(LOG_LEVEL_ERROR, "dns: the lists of the rules are not looked after: %s", buf_str(&why));
}

const struct dnslists *lookups_dnslists(const struct lookups *l)
{
	return l->dnslists;
}

struct resolver *lookups_resolver(const struct lookups *l)
{
	return l->resolver;
}

unsigned lookups_pending(const struct lookups *l)
{
	return l->jobs;
}

void lookups_stats(const struct lookups *l, struct resolver_stats *out)
{
	resolver_stats(l->resolver, out);
}
