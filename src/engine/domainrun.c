/* One resolution of a domain: is it due, what does the DNS say, and onto the list. */
#include "engine/livingdomains_inside.h"

#include <sys/random.h>

#include "base/log.h"
#include "dns/spfnets.h"
#include "lists/listvalue.h"

#define CHUNK 250		/* entries of one change */
#define VALUE_MAX 50		/* a network's text */
#define SKIPPED_LOGGED 400

enum phase { PHASE_READ, PHASE_ASK, PHASE_WRITE };

struct domain_run {
	struct livingdomains *d;
	struct domain *domain;
	struct domain_wait *waits;
	bool forced, stopped;
	enum phase phase;
	struct key key;			/* of the domain's entry */
	struct record record;
	struct store_get get;
	struct spfnets nets;
	unsigned next;			/* network to write */
	struct domain_result result;
	struct living_batch batch;
	struct living_item items[CHUNK];
	char values[CHUNK][VALUE_MAX];
	char comment[LIST_COMMENT_MAX + 1];
};

static void write_some(struct domain_run *r);

/* --- Its end -------------------------------------------------------------------------- */

/* So that the domains, and the daemons of one store, do not ask all at once. */
static int64_t spread(void)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
		return 0;
	return (int64_t)(random % (2 * DOMAIN_SPREAD_S)) - DOMAIN_SPREAD_S;
}

static void end(struct domain_run *r)
{
	struct livingdomains *d = r->d;
	struct domain *n = r->domain;

	if (r->stopped)
		d->stopping--;
	domain_wait_call(&r->waits, &r->result);
	free(r);
	domain_run_over(d, n);
}

static void give_up(struct domain_run *r)
{
	r->result = domain_given_up;
	r->domain->due = r->stopped ? 0 : clock_wall(r->d->options.clock) + DOMAIN_RETRY_S;
	end(r);
}

static void log_result(const struct domain_run *r, const struct domain *n, const char *why)
{
	char text[4 * SKIPPED_LOGGED];
	struct buf skipped = BUF_ON(text);

	buf_addsafe(&skipped, r->result.skipped, SKIPPED_LOGGED);
	log_msg(why ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "lists: %.*s: domain %.*s: %u networks%s%s%s%s%s",
		SPAN_ARG(domain_list(n)), SPAN_ARG(domain_value(n)), r->result.networks, why ? "; " : "", why ? why : "",
		skipped.n ? "; skipped: " : "", buf_str(&skipped), r->result.full ? "; the lists are full" : "");
}

/* A failure leaves the mark as it is, so that other daemons, with other resolvers, try too. */
static void fail(struct domain_run *r, int64_t now)
{
	struct domain *n = r->domain;
	int64_t wait = DOMAIN_RETRY_S;

	for (unsigned i = 0; i < n->failures && wait < DOMAIN_RETRY_MOST_S; i++)
		wait *= 2;
	n->failures++;
	n->due = now + (wait < DOMAIN_RETRY_MOST_S ? wait : DOMAIN_RETRY_MOST_S);
	r->result.outcome = DOMAIN_UNANSWERED;
	log_result(r, n, "the DNS did not answer all; asked again later");
}

static void mark_refreshed(struct domain_run *r, int64_t now)
{
	const struct record delta = { .generation = r->record.generation, .first_seen = r->record.first_seen,
				      .last_seen = now, .passed_at = r->record.passed_at,
				      .expires = r->record.expires, .passed = 1 };

	store_merge_later(r->d->options.store, key_span(&r->key), &delta);
}

static void conclude(struct domain_run *r)
{
	struct domain *n = r->domain;
	int64_t now = clock_wall(r->d->options.clock);

	r->result.found = r->nets.found;
	r->result.skipped = buf_span(&r->nets.skipped);
	if (r->nets.failed) {
		fail(r, now);
		end(r);
		return;
	}
	n->failures = 0;
	n->forced = false;
	n->due = now + DOMAIN_REFRESH_S + spread();
	mark_refreshed(r, now);
	r->result.outcome = r->nets.count ? DOMAIN_LISTED : DOMAIN_NOTHING;
	log_result(r, n, r->nets.count ? NULL : "nothing to list");
	end(r);
}

/* --- Onto the list ------------------------------------------------------------------------ */

static bool is_listed(const struct domain_run *r)
{
	return !r->stopped && !r->d->stopped &&
	       livinglists_until(r->d->options.living, domain_list(r->domain), LIST_DOMAIN, domain_value(r->domain));
}

static void on_written(struct living_batch *b, const char *error)
{
	struct domain_run *r = b->arg;
	unsigned full = 0;

	if (error) {
		log_msg(LOG_LEVEL_WARNING, "lists: the networks of domain %.*s: %s", SPAN_ARG(domain_value(r->domain)), error);
		give_up(r);
		return;
	}
	for (unsigned i = 0; i < b->count; i++)
		full += b->items[i].outcome == LIVING_FULL;
	r->result.networks += b->count - full;
	r->result.full += full;
	write_some(r);
}

static void write_some(struct domain_run *r)
{
	int64_t now = clock_wall(r->d->options.clock), until = now + DOMAIN_NETWORKS_S;

	if (r->record.expires < until)
		until = r->record.expires;
	if (!is_listed(r) || until <= now) {
		give_up(r);
		return;
	}
	if (r->next == r->nets.count) {
		conclude(r);
		return;
	}
	r->batch = (struct living_batch){ .list = domain_list(r->domain), .author = span_of(DOMAIN_AUTHOR), .until = until,
					  .items = r->items, .done = on_written, .arg = r };
	for (; r->batch.count < CHUNK && r->next < r->nets.count; r->next++) {
		struct buf value = BUF_ON(r->values[r->batch.count]);
		listvalue_add_client(&value, &r->nets.nets[r->next]);
		r->items[r->batch.count++] = (struct living_item){ .kind = LIST_CLIENT, .value = buf_span(&value),
								    .comment = span_of(r->comment) };
	}
	livinglists_change(r->d->options.living, &r->batch);
}

/* --- Asking --------------------------------------------------------------------------------- */

static void on_nets(struct spfnets *nets)
{
	struct domain_run *r = nets->arg;

	r->phase = PHASE_WRITE;
	write_some(r);
}

/* Some daemon refreshed it not long ago, or took it up a moment ago and is about to. */
static bool is_fresh(const struct domain_run *r, int64_t now)
{
	const struct record *k = &r->record;

	return !r->forced && k->last_seen <= now && k->last_seen + (k->passed ? DOMAIN_FRESH_S : 10) > now;
}

static void on_record(struct store_get *op, enum store_status status)
{
	struct domain_run *r = op->arg;
	int64_t now = clock_wall(r->d->options.clock);

	r->record = op->records[0];
	if (r->stopped || status != STORE_DONE || !op->found[0] || record_expired(&r->record, now)) {
		give_up(r);
		return;
	}
	if (is_fresh(r, now)) {
		r->domain->due = r->record.passed ? r->record.last_seen + DOMAIN_REFRESH_S + spread() : now + 10;
		r->result = domain_given_up;
		end(r);
		return;
	}
	r->phase = PHASE_ASK;
	spfnets_start(&r->nets, r->d->options.resolver, domain_value(r->domain), on_nets, r);
}

bool domain_run_start(struct livingdomains *d, struct domain *n)
{
	struct domain_run *r = calloc(1, sizeof *r);

	if (!r)
		return false;
	r->d = d;
	r->domain = n;
	r->forced = n->forced || n->waits;
	while (n->waits) {
		struct domain_wait *w = n->waits;
		domain_wait_cancel(w);
		domain_wait_add(&r->waits, w);
	}
	struct buf comment = BUF_ON(r->comment);
	buf_adds(&comment, DOMAIN_COMMENT);
	buf_addspan(&comment, domain_value(n));
	listkey_entry(&r->key, domain_list(n), LIST_DOMAIN, domain_value(n));
	r->get = (struct store_get){ .count = 1, .keys = { key_span(&r->key) }, .done = on_record, .arg = r };
	n->run = r;
	enum store_status status = store_get(d->options.store, &r->get);
	if (status != STORE_PENDING)
		on_record(&r->get, status);
	return true;
}

void domain_run_stop(struct domain_run *r)
{
	if (r->stopped)
		return;
	r->stopped = true;
	r->d->stopping++;
	domain_wait_call(&r->waits, &domain_given_up);
	if (r->phase != PHASE_ASK)
		return;
	spfnets_cancel(&r->nets);
	give_up(r);
}

void domain_run_free(struct domain_run **r)
{
	free(*r);
	*r = NULL;
}
