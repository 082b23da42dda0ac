#include "engine/engine.h"

#include <time.h>

#include "engine/clientcache.h"
#include "engine/transaction.h"

/* A configuration and how many look at it. */
struct snapshot {
	struct config *config;
	unsigned users;
};

struct engine {
	struct engine_options options;
	struct snapshot *snapshot;
	struct transactions *transactions;
	struct clientcache *clients;
	struct metrics metrics;
	struct inquiry *idle;		/* free list, linked by `later` */
	struct inquiry *oldest, *newest;	/* waiting for the store */
	unsigned waiting;
	struct loop_timer deadline;
	bool deadline_set;
};

static void step(struct inquiry *q);

/* --- Snapshots --------------------------------------------------------------- */

static struct snapshot *snapshot_new(struct config *config)
{
	struct snapshot *s = malloc(sizeof *s);

	if (s)
		*s = (struct snapshot){ config, 1 };
	return s;
}

static void snapshot_drop(struct snapshot **s)
{
	if (*s && --(*s)->users == 0) {
		config_free(&(*s)->config);
		free(*s);
	}
	*s = NULL;
}

const struct config *engine_config(const struct engine *engine)
{
	return engine->snapshot->config;
}

const struct config *inquiry_config(const struct inquiry *q)
{
	return q->snapshot->config;
}

void engine_swap(struct engine *engine, struct config *config)
{
	struct snapshot *s = snapshot_new(config);

	if (!s) {
		config_free(&config);
		return;
	}
	snapshot_drop(&engine->snapshot);
	engine->snapshot = s;
}

/* --- Inquiries that wait for the store, oldest first ---------------------------- */

static void wait_unlink(struct inquiry *q)
{
	struct engine *e = q->engine;

	if (q->earlier)
		q->earlier->later = q->later;
	else
		e->oldest = q->later;
	if (q->later)
		q->later->earlier = q->earlier;
	else
		e->newest = q->earlier;
	q->earlier = q->later = NULL;
	e->waiting--;
}

static void set_deadline(struct engine *e)
{
	if (e->deadline_set || !e->oldest)
		return;
	uint64_t limit_ms = inquiry_config(e->oldest)->settings.store_deadline_ms;
	uint64_t waited_ms = (clock_mono(&clock_system) - e->oldest->started_ns) / CLOCK_NS_PER_MS;
	loop_timer_set(&e->deadline, (unsigned)(waited_ms < limit_ms ? limit_ms - waited_ms : 1));
	e->deadline_set = true;
}

static void wait_link(struct inquiry *q)
{
	struct engine *e = q->engine;

	q->earlier = e->newest;
	q->later = NULL;
	if (e->newest)
		e->newest->later = q;
	else
		e->oldest = q;
	e->newest = q;
	e->waiting++;
	set_deadline(e);
}

/* --- Ending ------------------------------------------------------------------- */

static void recycle(struct inquiry *q)
{
	struct engine *e = q->engine;

	if (!q->released || q->in_store)
		return;
	snapshot_drop(&q->snapshot);
	q->later = e->idle;
	e->idle = q;
}

static void end(struct inquiry *q)
{
	struct engine *e = q->engine;

	q->answered = true;
	if (!q->dry) {
		metrics_count(&e->metrics, &q->decision, clock_mono(&clock_system) - q->started_ns);
		if (e->options.report)
			e->options.report(q, inquiry_config(q), e->options.report_arg);
	}
	q->answer(q);
}

static void fault(struct inquiry *q, enum reason reason)
{
	decision_fault(&inquiry_config(q)->policy, &q->decision, reason);
	end(q);
}

static void on_deadline(struct loop_timer *t)
{
	struct engine *e = t->arg;
	uint64_t now = clock_mono(&clock_system);

	e->deadline_set = false;
	while (e->oldest) {
		struct inquiry *q = e->oldest;
		uint64_t limit_ms = inquiry_config(q)->settings.store_deadline_ms;
		if (now - q->started_ns < limit_ms * CLOCK_NS_PER_MS)
			break;
		wait_unlink(q);
		fault(q, REASON_STORE_TIMEOUT);
	}
	set_deadline(e);
}

/* --- Facts -------------------------------------------------------------------- */

static void remember(struct inquiry *q)
{
	struct fact_transaction verdict;
	const struct policy *policy = &inquiry_config(q)->policy;

	if (q->decision.reason == REASON_NULL_SENDER)
		transactions_put_recipient(q->engine->transactions, &q->request, q->now);
	else if (decision_remember(policy, &q->decision, q->now, &verdict))
		transactions_put(q->engine->transactions, &q->request, q->now, &verdict);
}

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

static void fetch_ruling(struct inquiry *q)
{
	const struct ruleset *rules = inquiry_config(q)->rules;

	if (rules && ruleset_wants_clock(rules))
		tell_local_time(q);
	q->facts.ruled = rules && ruleset_match(rules, &q->request, &q->facts.ruling) != MATCH_NONE;
	q->facts.have |= FACT_RULING;
}

/* Postfix names no recipient at DATA when there are several: a bounce is then
 * judged by the first, as seen at RCPT. */
static void fetch_transaction(struct inquiry *q)
{
	struct span first;

	transactions_find(q->engine->transactions, &q->request, q->now, &q->facts.transaction, &first);
	if (q->request.recipient.n == 0 && first.n) {
		buf_clear(&q->recipient);
		buf_addspan(&q->recipient, first);
		q->request.recipient = buf_span(&q->recipient);
	}
	q->facts.have |= FACT_TRANSACTION;
}

static struct fact_record *stored_fact(struct facts *f, unsigned fact)
{
	return fact == FACT_ALLOWED ? &f->allowed : fact == FACT_ADDRESS ? &f->address : &f->triplet;
}

static struct span stored_key(const struct decision *d, unsigned fact)
{
	return decision_key(d, fact == FACT_ALLOWED ? KEY_SLOT_ALLOWED :
			       fact == FACT_ADDRESS ? KEY_SLOT_ADDRESS : KEY_SLOT_TRIPLET);
}

static const unsigned stored_facts[] = { FACT_ALLOWED, FACT_ADDRESS, FACT_TRIPLET };

/* Which fact each key of q->get stands for, by position. */
static unsigned wanted_fact(const struct inquiry *q, unsigned position)
{
	for (unsigned i = 0; i < STORE_GET_MAX; i++) {
		struct span key = stored_key(&q->decision, stored_facts[i]);
		if (key.p == q->get.keys[position].p)
			return stored_facts[i];
	}
	return 0;
}

static void take_records(struct inquiry *q, enum store_status status)
{
	if (status != STORE_DONE) {
		q->facts.store_fault = REASON_STORE_FAILURE;
		return;
	}
	for (unsigned i = 0; i < q->get.count; i++) {
		unsigned fact = wanted_fact(q, i);
		*stored_fact(&q->facts, fact) =
			(struct fact_record){ q->get.found[i], q->get.records[i] };
		q->facts.have |= fact;
	}
}

/* True when the operation's owner still wants its result. */
static bool came_back(struct inquiry *q)
{
	q->in_store = false;
	if (q->answered) {
		recycle(q);
		return false;
	}
	wait_unlink(q);
	return true;
}

static void on_records(struct store_get *op, enum store_status status)
{
	struct inquiry *q = op->arg;

	if (!came_back(q))
		return;
	take_records(q, status);
	step(q);
}

/* False when the answer comes later. */
static bool fetch_records(struct inquiry *q, unsigned need)
{
	q->get = (struct store_get){ .done = on_records, .arg = q };
	for (unsigned i = 0; i < STORE_GET_MAX; i++) {
		struct span key = stored_key(&q->decision, stored_facts[i]);
		if (need & stored_facts[i] && key.n)
			q->get.keys[q->get.count++] = key;
		else if (need & stored_facts[i])
			q->facts.have |= stored_facts[i];
	}
	if (q->get.count == 0)
		return true;
	q->in_store = true;
	enum store_status status = store_get(q->engine->options.store, &q->get);
	if (status == STORE_PENDING) {
		wait_link(q);
		return false;
	}
	q->in_store = false;
	take_records(q, status);
	return true;
}

/* --- Writes ------------------------------------------------------------------- */

static void on_merged(struct store_merge *op, enum store_status status)
{
	struct inquiry *q = op->arg;

	if (!came_back(q))
		return;
	if (status == STORE_DONE)
		end(q);
	else
		fault(q, REASON_STORE_FAILURE);
}

static void write_later(struct inquiry *q)
{
	struct decision *d = &q->decision;

	for (unsigned i = 0; i < d->delta_count; i++)
		store_merge_later(q->engine->options.store, decision_key(d, d->deltas[i].slot),
				  &d->deltas[i].delta);
	end(q);
}

static void write_durably(struct inquiry *q)
{
	struct decision *d = &q->decision;

	q->merge = (struct store_merge){ .done = on_merged, .arg = q, .count = d->delta_count };
	for (unsigned i = 0; i < d->delta_count; i++)
		q->merge.deltas[i] = (struct store_delta){
			.key = decision_key(d, d->deltas[i].slot), .delta = d->deltas[i].delta,
			.fresh = d->deltas[i].fresh };
	q->in_store = true;
	enum store_status status = store_merge(q->engine->options.store, &q->merge);
	if (status == STORE_PENDING) {
		wait_link(q);
		return;
	}
	q->in_store = false;
	if (status == STORE_DONE)
		end(q);
	else
		fault(q, REASON_STORE_FAILURE);
}

static void conclude(struct inquiry *q)
{
	if (q->dry) {
		end(q);
		return;
	}
	remember(q);
	if (q->decision.delta_count == 0)
		end(q);
	else if (q->decision.durable)
		write_durably(q);
	else
		write_later(q);
}

/* --- Asking ------------------------------------------------------------------- */

/* Decides, or fetches what is missing, until the store makes it wait. */
static void step(struct inquiry *q)
{
	const struct policy *policy = &inquiry_config(q)->policy;

	for (;;) {
		unsigned need = decide(policy, &q->request, &q->facts, q->now, &q->decision);
		/* All that bears on the client is evidence, decisive or not. */
		if (need == 0 && q->dry && q->decision.subject && q->facts.store_fault == REASON_COUNT)
			need = FACTS_STORED & ~q->facts.have;
		if (need == 0)
			break;
		if (need & FACT_RULING)
			fetch_ruling(q);
		if (need & FACT_TRANSACTION)
			fetch_transaction(q);
		if (need & FACTS_STORED && !fetch_records(q, need & FACTS_STORED))
			return;
	}
	conclude(q);
}

/* What the rules and the decision need to know of the names in the request. */
static void complete_request(struct inquiry *q)
{
	struct request *r = &q->request;

	q->sender = buf_on(q->sender_text, sizeof q->sender_text);
	q->recipient = buf_on(q->recipient_text, sizeof q->recipient_text);
	if (names_ascii(&q->sender, r->sender) && !q->sender.over)
		r->sender = buf_span(&q->sender);
	if (names_ascii(&q->recipient, r->recipient) && !q->recipient.over)
		r->recipient = buf_span(&q->recipient);
	clientcache_complete(q->engine->clients, q->engine->options.names, r);
}

struct inquiry *engine_inquiry(struct engine *engine)
{
	struct inquiry *q = engine->idle;

	if (q)
		engine->idle = q->later;
	else if (!(q = malloc(sizeof *q)))
		return NULL;
	q->engine = engine;
	q->snapshot = NULL;
	q->request = (struct request){ 0 };
	q->dry = q->answered = q->released = q->in_store = false;
	q->earlier = q->later = NULL;
	return q;
}

void engine_ask(struct inquiry *q, void (*answer)(struct inquiry *q), void *arg)
{
	struct engine *e = q->engine;

	q->snapshot = e->snapshot;
	q->snapshot->users++;
	q->answer = answer;
	q->arg = arg;
	q->started_ns = clock_mono(&clock_system);
	q->now = clock_wall(e->options.clock);
	decision_begin(&q->decision);
	facts_begin(&q->facts);
	complete_request(q);
	if (e->waiting >= inquiry_config(q)->settings.limit_in_flight) {
		q->decision.ruled = false;
		fault(q, REASON_OVERLOAD);
		return;
	}
	step(q);
}

void engine_release(struct inquiry **q)
{
	struct inquiry *gone = *q;

	*q = NULL;
	if (!gone)
		return;
	gone->released = true;
	recycle(gone);
}

/* --- The engine ----------------------------------------------------------------- */

struct engine *engine_new(const struct engine_options *options, struct buf *why)
{
	struct engine *e = calloc(1, sizeof *e);

	if (e) {
		e->options = *options;
		e->snapshot = snapshot_new(options->config);
		e->transactions = transactions_new();
		e->clients = clientcache_new();
	}
	if (!e || !e->snapshot || !e->transactions || !e->clients) {
		buf_fail(why, "out of memory");
		if (e) {
			free(e->snapshot);
			transactions_free(&e->transactions);
			clientcache_free(&e->clients);
		}
		free(e);
		return NULL;
	}
	loop_timer_init(&e->deadline, options->loop, on_deadline, e);
	return e;
}

void engine_free(struct engine **engine)
{
	struct engine *e = *engine;

	if (!e)
		return;
	loop_timer_cancel(&e->deadline);
	while (e->oldest) {
		struct inquiry *q = e->oldest;
		wait_unlink(q);
		q->in_store = false;
		fault(q, REASON_STORE_FAILURE);
	}
	while (e->idle) {
		struct inquiry *q = e->idle;
		e->idle = q->later;
		free(q);
	}
	snapshot_drop(&e->snapshot);
	transactions_free(&e->transactions);
	clientcache_free(&e->clients);
	free(e);
	*engine = NULL;
}

const struct metrics *engine_metrics(const struct engine *engine)
{
	return &engine->metrics;
}

struct store *engine_store(const struct engine *engine)
{
	return engine->options.store;
}

unsigned engine_in_flight(const struct engine *engine)
{
	return engine->waiting;
}
