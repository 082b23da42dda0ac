#include "engine/inside.h"

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
	if (!engine->options.offline)
		lookups_use(engine->lookups, config->rules);
	history_keep(engine->history, config->settings.history_keep_s);
}

/* --- Ending ------------------------------------------------------------------- */

void engine_recycle(struct inquiry *q)
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
		history_count(e->history, q->now, &q->decision);
		if (e->options.report)
			e->options.report(q, inquiry_config(q), e->options.report_arg);
	}
	q->answer(q);
}

void engine_fault(struct inquiry *q, enum reason reason)
{
	decision_fault(&inquiry_config(q)->policy, &q->decision, reason);
	end(q);
}

/* --- Writes ------------------------------------------------------------------- */

static void on_merged(struct store_merge *op, enum store_status status)
{
	struct inquiry *q = op->arg;

	if (!waiting_over(q))
		return;
	if (status == STORE_DONE)
		end(q);
	else
		engine_fault(q, REASON_STORE_FAILURE);
}

static void write_later(struct inquiry *q)
{
	struct decision *d = &q->decision;

	for (unsigned i = 0; i < d->delta_count; i++)
		store_merge_later(q->engine->options.store, decision_key(d, d->deltas[i].slot),
				  &d->deltas[i].delta);
	end(q);
}

static enum store_status merge(struct inquiry *q)
{
	struct decision *d = &q->decision;

	q->merge = (struct store_merge){ .done = on_merged, .arg = q, .count = d->delta_count, .keep = true };
	for (unsigned i = 0; i < d->delta_count; i++)
		q->merge.deltas[i] = (struct store_delta){
			.key = decision_key(d, d->deltas[i].slot), .delta = d->deltas[i].delta,
			.fresh = d->deltas[i].fresh };
	q->in_store = true;
	enum store_status status = store_merge(q->engine->options.store, &q->merge);
	q->in_store = status == STORE_PENDING;
	return status;
}

static void write_durably(struct inquiry *q)
{
	enum store_status status = merge(q);

	if (status == STORE_PENDING) {
		waiting_link(q);
		return;
	}
	if (status == STORE_DONE)
		end(q);
	else
		engine_fault(q, REASON_STORE_FAILURE);
}

/* The inquiry stays until the store has taken it. */
static void write_promptly(struct inquiry *q)
{
	merge(q);
	end(q);
}

static void conclude(struct inquiry *q)
{
	if (q->dry) {
		end(q);
		return;
	}
	facts_remember(q);
	if (q->decision.delta_count == 0)
		end(q);
	else if (q->decision.durable)
		write_durably(q);
	else if (q->decision.prompt)
		write_promptly(q);
	else
		write_later(q);
}

/* --- Asking ------------------------------------------------------------------- */

void engine_step(struct inquiry *q)
{
	const struct policy *policy = &inquiry_config(q)->policy;

	for (;;) {
		unsigned need = decide(policy, &q->request, &q->facts, q->now, &q->decision);
		/* All that bears on the client is evidence, decisive or not. */
		if (need == 0 && q->dry && q->decision.subject && q->facts.store_fault == REASON_COUNT)
			need = FACTS_STORED & ~q->facts.have;
		if (need == 0)
			break;
		if (!facts_fetch(q, need))
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
	q->found = (struct lookups_found){ 0 };
	q->recalled = NULL;
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
	q->started_ns = q->store_since_ns = clock_mono(&clock_system);
	q->now = clock_wall(e->options.clock);
	decision_begin(&q->decision);
	facts_begin(&q->facts);
	complete_request(q);
	if (engine_in_flight(e) >= inquiry_config(q)->settings.limit_in_flight) {
		q->decision.ruled = false;
		engine_fault(q, REASON_OVERLOAD);
		return;
	}
	engine_step(q);
}

void engine_release(struct inquiry **q)
{
	struct inquiry *gone = *q;

	*q = NULL;
	if (!gone)
		return;
	gone->released = true;
	engine_recycle(gone);
}

/* --- The engine ----------------------------------------------------------------- */

static void free_parts(struct engine *e)
{
	lookups_free(&e->lookups);
	amnesty_free(&e->amnesty);
	history_free(&e->history);
	country_free(&e->country);
	transactions_free(&e->transactions);
	clientcache_free(&e->clients);
	rates_free(&e->rates);
	hopping_free(&e->hopping);
	forwarders_free(&e->forwarders);
	free(e);
}

static bool make_parts(struct engine *e, struct buf *why)
{
	e->transactions = transactions_new();
	e->clients = clientcache_new();
	e->rates = rates_new();
	e->hopping = hopping_new();
	e->forwarders = forwarders_new();
	e->history = history_new(e->options.loop, e->options.clock, e->options.store);
	if (!e->transactions || !e->clients || !e->rates || !e->hopping || !e->forwarders || !e->history) {
		buf_fail(why, "out of memory");
		return false;
	}
	const char *countries = e->options.config->settings.country_database;
	char text[200];
	struct buf problem = BUF_ON(text);
	if (countries[0] && !(e->country = country_new(countries, &problem)))
		return buf_fail(why, "country-database %s: %s", countries, buf_str(&problem)) == 0;
	const struct lookups_options lookups = { .loop = e->options.loop, .clock = e->options.clock, .rates = e->rates, .living = e->options.living,
						 .servers = e->options.config->settings.dns_servers,
						 .remember = (unsigned)e->options.config->settings.dns_remember };
	e->lookups = lookups_new(&lookups, why);
	return e->lookups != NULL;
}

static bool begin(struct engine *e, struct buf *why)
{
	struct config *config = e->options.config;

	if (!make_parts(e, why))
		return false;
	/* Last: the store may still have to answer it. */
	e->amnesty = amnesty_new(e->options.loop, e->options.clock, e->options.store, config->settings.amnesty_s);
	if (!e->amnesty) {
		buf_fail(why, "out of memory");
		return false;
	}
	if (!e->options.offline)
		lookups_use(e->lookups, config->rules);
	history_keep(e->history, config->settings.history_keep_s);
	waiting_init(e);
	return true;
}

struct engine *engine_new(const struct engine_options *options, struct buf *why)
{
	struct config *config = options->config;
	struct engine *e = calloc(1, sizeof *e);

	if (!e) {
		config_free(&config);
		buf_fail(why, "out of memory");
		return NULL;
	}
	e->options = *options;
	e->snapshot = snapshot_new(config);
	if (!e->snapshot) {
		config_free(&config);
		buf_fail(why, "out of memory");
	} else if (begin(e, why)) {
		return e;
	}
	snapshot_drop(&e->snapshot);
	free_parts(e);
	return NULL;
}

void engine_stop(struct engine *engine)
{
	history_stop(engine->history);
}

void engine_free(struct engine **engine)
{
	struct engine *e = *engine;

	if (!e)
		return;
	waiting_abandon(e);
	facts_abandon(e);
	while (e->idle) {
		struct inquiry *q = e->idle;
		e->idle = q->later;
		free(q);
	}
	snapshot_drop(&e->snapshot);
	free_parts(e);
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
	return engine->waiting + lookups_pending(engine->lookups);
}

int64_t engine_amnesty_until(const struct engine *engine)
{
	return amnesty_until(engine->amnesty);
}

struct history *engine_history(const struct engine *engine)
{
	return engine->history;
}

const struct forwarders *engine_forwarders(const struct engine *engine)
{
	return engine->forwarders;
}

const struct lookups *engine_lookups(const struct engine *engine)
{
	return engine->lookups;
}
