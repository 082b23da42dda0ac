/* The facts that the decision asks for, one function each. */
#include <time.h>

#include "engine/inside.h"
#include "engine/livingruling.h"

/* --- Rules ---------------------------------------------------------------------- */

static void tell_local_time(struct inquiry *q)
{
	time_t now = (time_t)q->now;
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return;
	q->request.has_minute = q->request.has_weekday = true;
	q->request.local_minute = (uint16_t)(tm.tm_hour * 60 + tm.tm_min);
	q->request.local_weekday = (uint8_t)((tm.tm_wday + 6) % 7);
}

static void looking_begin(struct inquiry *q)
{
	struct engine *e = q->engine;

	q->earlier = NULL;
	q->later = e->looking;
	if (e->looking)
		e->looking->earlier = q;
	e->looking = q;
}

static void looking_end(struct inquiry *q)
{
	if (q->earlier)
		q->earlier->later = q->later;
	else
		q->engine->looking = q->later;
	if (q->later)
		q->later->earlier = q->earlier;
	q->earlier = q->later = NULL;
}

static void on_looked_up(void *arg)
{
	struct inquiry *q = arg;

	looking_end(q);
	q->store_since_ns = clock_mono(&clock_system);
	engine_step(q);
}

/* The store has gone by then, so nothing more can be found out. */
void facts_abandon(struct engine *e)
{
	while (e->looking) {
		struct inquiry *q = e->looking;
		looking_end(q);
		lookups_drop(&q->found);
		engine_fault(q, REASON_STORE_FAILURE);
	}
}

static bool set_ruled(struct inquiry *q, bool ruled)
{
	q->facts.ruled = ruled;
	q->facts.have |= FACT_RULING;
	return true;
}

/* An entry must not make us forget whom our own users write to. Nothing is looked up
 * to find that out. */
static bool is_outgoing(const struct inquiry *q, const struct ruleset *rules)
{
	struct lookup_answers answers = q->found.answers;
	struct ruling ruling;
	uint64_t wanted;

	answers.final = true;
	return rules && ruleset_match(rules, &q->request, &answers, &ruling, &wanted) == MATCH_DECIDED &&
	       ruling.action == ACTION_OUTGOING;
}

static bool recall_ruling(struct inquiry *q)
{
	const struct recalled *r = q->recalled;
	const char *list = r->list == ACTION_ALLOW ? "allow" : r->list == ACTION_BLOCK ? "block" : "trap";

	if (r->listed)
		livingruling_set(&q->facts.ruling, r->list, list);
	q->hit = (struct living_hit){ 0 };
	return r->listed;
}

static bool is_listed(struct inquiry *q, const struct ruleset *rules)
{
	struct ruling *ruling = &q->facts.ruling;
	bool found;

	if (q->recalled)
		found = q->recalled->list != ACTION_TRAP && recall_ruling(q);
	else
		found = livingruling_find(q->engine->options.living, &q->request, ruling, &q->hit);
	return found && (ruling->action != ACTION_ALLOW || !is_outgoing(q, rules));
}

static bool is_trapped(struct inquiry *q, enum match match)
{
	struct ruling *ruling = &q->facts.ruling;

	if (match != MATCH_NONE && ruling->action != ACTION_DEFER)
		return false;
	if (q->recalled)
		return q->recalled->list == ACTION_TRAP && recall_ruling(q);
	return livingruling_find_trap(q->engine->options.living, &q->request, ruling, &q->hit);
}

/* False when the answers come later. */
static bool look_up(struct inquiry *q, const struct ruleset *rules, uint64_t wanted, bool spf)
{
	const struct lookups_want want = {
		.rules = rules, .wanted = wanted, .spf = spf, .request = &q->request, .now = q->now, .count = !q->dry,
		.budget_ms = inquiry_config(q)->settings.dns_budget_ms, .done = on_looked_up, .arg = q,
	};

	if (lookups_find(q->engine->lookups, &q->found, &want))
		return true;
	looking_begin(q);
	return false;
}

static void tell_country(struct inquiry *q)
{
	if (q->engine->country && q->request.country.n == 0)
		q->request.country = country_of(q->engine->country, &q->request.client);
}

static bool fetch_ruling(struct inquiry *q)
{
	const struct ruleset *rules = inquiry_config(q)->rules;
	enum match match = MATCH_NONE;
	uint64_t wanted;

	if (rules && ruleset_wants_clock(rules))
		tell_local_time(q);
	if (rules && ruleset_wants_country(rules))
		tell_country(q);
	if (is_listed(q, rules))
		return set_ruled(q, true);
	while (rules && (match = ruleset_match(rules, &q->request, &q->found.answers, &q->facts.ruling, &wanted)) == MATCH_WANTS)
		if (!look_up(q, rules, wanted, false))
			return false;
	return set_ruled(q, is_trapped(q, match) || match != MATCH_NONE);
}

/* Without an answer within the budget it is as if SPF did not confirm anybody. */
static bool fetch_spf(struct inquiry *q)
{
	struct fact_spf *f = &q->facts.spf;

	if (!q->found.spf_known && !q->found.answers.final && !look_up(q, NULL, 0, true))
		return false;
	f->passed = q->found.spf_known && q->found.spf == SPF_PASS && !q->found.spf_broad;
	f->org = f->passed ? names_org(q->engine->options.names, address_domain(q->request.sender)) : span_make("", 0);
	q->facts.have |= FACT_SPF;
	return true;
}

/* --- The transaction --------------------------------------------------------------- */

/* Postfix names no recipient at DATA when there are several: a bounce is then
 * judged by the first, as seen at RCPT. */
static bool fetch_transaction(struct inquiry *q)
{
	struct span first;

	transactions_find(q->engine->transactions, &q->request, q->now, &q->facts.transaction, &first);
	if (q->request.recipient.n == 0 && first.n) {
		buf_clear(&q->recipient);
		buf_addspan(&q->recipient, first);
		q->request.recipient = buf_span(&q->recipient);
	}
	q->facts.have |= FACT_TRANSACTION;
	return true;
}

/* --- What goes on around --------------------------------------------------------------- */

enum { COUNT_ATTEMPTS_MINUTE = 1, COUNT_ATTEMPTS, COUNT_REJECTIONS };

static uint64_t client_hash(const struct request *r, uint64_t seed)
{
	return span_hash(span_make((const char *)r->client.bytes, sizeof r->client.bytes), seed + r->client.family);
}

/* Of this mail by this client. A retry of the same transaction at DATA is no attempt of
 * its own; to look at the matter (greylag why) tells what counting it would. */
static uint32_t attempts(const struct inquiry *q, uint64_t what, int64_t window_s)
{
	struct rates *r = q->engine->rates;

	if (q->request.stage != STAGE_RCPT)
		return rates_look(r, what, q->now, window_s);
	return q->dry ? rates_would(r, what, q->now, window_s, PENALTY_APART_S) :
			rates_count(r, what, q->now, window_s, PENALTY_APART_S);
}

/* Whom a stranger belongs to, more widely than its identity: pools of one operator
 * often lie in several neighbouring networks. */
static uint64_t stranger_hash(const struct inquiry *q)
{
	const struct identity *id = &q->decision.identity;

	if (identity_is_organisation(id))
		return span_hash(identity_span(id), 0);
	struct netprefix wide = netaddr_network(&q->request.client, q->request.client.family == 4 ? 16 : 48);
	return span_hash(span_make((const char *)wide.addr.bytes, sizeof wide.addr.bytes), wide.bits);
}

static int64_t hopping(struct inquiry *q, bool add, struct span mail)
{
	const struct penalties *p = &inquiry_config(q)->policy.penalties;
	struct hopping *h = q->engine->hopping;
	const struct request *r = &q->request;
	uint64_t pair = span_hash(mail, 0), helo = span_hash(r->helo, span_hash(r->recipient, 1));
	int64_t until[2] = { hopping_look(h, pair, q->now), r->helo.n ? hopping_look(h, helo, q->now) : 0 };

	if (add) {
		uint64_t who = stranger_hash(q);
		until[0] = hopping_note(h, pair, who, q->now, p->hopping_senders, p->hopping_span_s, p->hopping_hold_s);
		if (r->helo.n)
			until[1] = hopping_note(h, helo, who, q->now, p->hopping_senders, p->hopping_span_s, p->hopping_hold_s);
	}
	return until[0] > until[1] ? until[0] : until[1];
}

static bool fetch_around(struct inquiry *q)
{
	const struct penalties *p = &inquiry_config(q)->policy.penalties;
	struct fact_around *a = &q->facts.around;
	struct span triplet = decision_key(&q->decision, KEY_SLOT_TRIPLET);
	bool add = !q->dry && q->request.stage == STAGE_RCPT;
	struct key_parts parts;

	*a = (struct fact_around){ .amnesty = amnesty_on(q->engine->amnesty, q->now) };
	a->expected = q->engine->options.living &&
		      livinglists_has(q->engine->options.living, span_of(LIVING_EXPECT), &q->request, NULL);
	if (q->recalled) {
		a->amnesty = q->recalled->amnesty && inquiry_config(q)->settings.amnesty_s;
		a->expected = q->recalled->expected;
	}
	q->facts.have |= FACT_AROUND;
	if (triplet.n == 0 || !key_split(triplet, &parts))
		return true;
	uint64_t attempt = client_hash(&q->request, span_hash(triplet, 0));
	if (p->hasty_attempts)
		a->attempts_minute = attempts(q, attempt + COUNT_ATTEMPTS_MINUTE, PENALTY_HASTY_SPAN_S);
	if (p->hammering_attempts)
		a->attempts = attempts(q, attempt + COUNT_ATTEMPTS, p->hammering_span_s);
	if (p->unwelcome_rejections)
		a->rejections = rates_look(q->engine->rates, client_hash(&q->request, COUNT_REJECTIONS), q->now, p->unwelcome_span_s);
	if (p->hopping_senders && q->request.sender.n)
		a->hopping_until = hopping(q, add, span_from(triplet, (size_t)(parts.sender.p - triplet.p)));
	if (p->unretried_triplets)
		a->waiting = store_waiting(q->engine->options.store, triplet);
	return true;
}

static void note_rejection(struct inquiry *q)
{
	const struct penalties *p = &inquiry_config(q)->policy.penalties;

	if (q->decision.verdict == VERDICT_REJECT && p->unwelcome_rejections)
		rates_count(q->engine->rates, client_hash(&q->request, COUNT_REJECTIONS), q->now, p->unwelcome_span_s, 0);
}

static void note_forwarder(struct inquiry *q)
{
	char text[300], address[NETADDR_TEXT];
	struct buf name = BUF_ON(text), client = BUF_ON(address);
	enum reason reason = q->decision.reason;
	struct forwarder f;

	if ((reason != REASON_ALLOWED && reason != REASON_KNOWN && reason != REASON_RETRIED) ||
	    !forwarders_note(q->engine->forwarders, &q->request, q->now, &f))
		return;
	netaddr_add(&client, &f.client);
	buf_adds(&name, f.name[0] ? f.name : "no name");
	log_msg(LOG_LEVEL_NOTICE, "%s (%s) brings mail of about %u domains: when it forwards to you, or is an exchanger of "
		"yours, allow it: greylag allow client %s", buf_str(&client), buf_str(&name), f.domains, buf_str(&client));
}

void facts_remember(struct inquiry *q)
{
	struct fact_transaction verdict;
	const struct policy *policy = &inquiry_config(q)->policy;

	if (q->decision.reason == REASON_NULL_SENDER)
		transactions_put_recipient(q->engine->transactions, &q->request, q->now);
	else if (decision_remember(policy, &q->decision, q->now, &verdict))
		transactions_put(q->engine->transactions, &q->request, q->now, &verdict);
	note_rejection(q);
	note_forwarder(q);
}

/* --- Records -------------------------------------------------------------------- */

/* A record of before the replay's time, which its store, in memory, cannot have. */
static void recall(struct inquiry *q, unsigned i)
{
	const struct fact_record *was = q->recalled ? &q->recalled->records[q->slots[i]] : NULL;

	if (!was || !was->found || q->get.found[i] || was->record.first_seen >= q->recalled->since)
		return;
	q->get.found[i] = true;
	q->get.records[i] = was->record;
	q->merge = (struct store_merge){ .count = 1, .deltas = { { .key = q->get.keys[i], .delta = was->record, .fresh = true } } };
	(void)store_merge(q->engine->options.store, &q->merge);
}

static void take_records(struct inquiry *q, enum store_status status)
{
	if (status != STORE_DONE) {
		q->facts.store_fault = REASON_STORE_FAILURE;
		return;
	}
	for (unsigned i = 0; i < q->get.count; i++) {
		recall(q, i);
		if (q->get.found[i])
			metrics_meet(&q->engine->metrics, q->get.records[i].last_seen, q->now);
		q->facts.records[q->slots[i]] = (struct fact_record){ q->get.found[i], q->get.records[i] };
		q->facts.have |= fact_stored(q->slots[i]);
	}
}

static void on_records(struct store_get *op, enum store_status status)
{
	struct inquiry *q = op->arg;

	if (!waiting_over(q))
		return;
	take_records(q, status);
	engine_step(q);
}

static bool fetch_records(struct inquiry *q, unsigned need)
{
	q->get = (struct store_get){ .done = on_records, .arg = q };
	for (enum key_slot slot = 0; slot < KEY_SLOTS; slot++) {
		struct span key = decision_key(&q->decision, slot);
		if (!(need & fact_stored(slot)))
			continue;
		if (key.n == 0) {
			q->facts.have |= fact_stored(slot);
			continue;
		}
		q->slots[q->get.count] = slot;
		q->get.keys[q->get.count++] = key;
	}
	if (q->get.count == 0)
		return true;
	q->in_store = true;
	enum store_status status = store_get(q->engine->options.store, &q->get);
	if (status == STORE_PENDING) {
		waiting_link(q);
		return false;
	}
	q->in_store = false;
	take_records(q, status);
	return true;
}

bool facts_fetch(struct inquiry *q, unsigned need)
{
	if (need & FACT_RULING && !fetch_ruling(q))
		return false;
	if (need & FACT_TRANSACTION && !fetch_transaction(q))
		return false;
	if (need & FACT_AROUND && !fetch_around(q))
		return false;
	if (need & FACT_SPF && !fetch_spf(q))
		return false;
	return !(need & FACTS_STORED) || fetch_records(q, need & FACTS_STORED);
}
