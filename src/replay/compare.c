#include "replay/compare.h"

#include "engine/clientcache.h"
#include "replay/retries.h"

#define FLAGGED 65536		/* clients; a newer one takes an older one's place */
#define DELAYS_MAX ((size_t)1000000)	/* that medians are made of */

struct delays {
	int64_t *rows;
	size_t count, room;
};

struct replay {
	struct replay_options options;
	struct side sides[2];
	struct messages *messages;
	struct retries retries;
	struct replay_totals totals;
	struct delays delays[2];	/* later, sooner */
	int64_t window_s;
	uint64_t flagged[FLAGGED];
	struct entry spare;		/* for what is restored */
	bool out_of_memory;
};

const char *change_word(enum change c)
{
	switch (c) {
	case CHANGE_LATER: return "later";
	case CHANGE_SOONER: return "sooner";
	case CHANGE_REFUSED: return "refused";
	case CHANGE_ACCEPTED: return "accepted";
	}
	return "?";
}

const char *guess_word(enum guess g)
{
	switch (g) {
	case GUESS_LEGITIMATE: return "legitimate";
	case GUESS_SPAM: return "spam";
	case GUESS_UNCLEAR: return "unclear";
	}
	return "?";
}

/* --- Signs ------------------------------------------------------------------------------ */

static bool is_offence(enum reason r)
{
	static const enum reason offences[] = { REASON_TRAP, REASON_TRAPPED, REASON_HAMMERING, REASON_HOPPING, REASON_UNWELCOME,
						REASON_MISBEHAVED, REASON_SPAM, REASON_UNRETRIED, REASON_BLOCK_RULE, REASON_BLOCK_LIST };

	for (size_t i = 0; i < sizeof offences / sizeof *offences; i++)
		if (r == offences[i])
			return true;
	return false;
}

static bool is_trust(enum reason r)
{
	static const enum reason trusts[] = { REASON_RETRIED, REASON_KNOWN, REASON_ALLOWED, REASON_ALLOW_RULE, REASON_ALLOW_LIST,
					      REASON_CORRESPONDENT, REASON_EXPECTED, REASON_AUTHENTICATED, REASON_OUTGOING };

	for (size_t i = 0; i < sizeof trusts / sizeof *trusts; i++)
		if (r == trusts[i])
			return true;
	return false;
}

static bool is_fault(enum reason r)
{
	return r == REASON_STORE_FAILURE || r == REASON_STORE_TIMEOUT || r == REASON_OVERLOAD;
}

static uint64_t client_hash(const struct request *r)
{
	return span_hash(span_make((const char *)r->client.bytes, sizeof r->client.bytes), r->client.family) | 1;
}

static enum guess guess_of(const struct replay *r, const struct message *m)
{
	if (m->offended || r->flagged[m->client % FLAGGED] == m->client)
		return GUESS_SPAM;
	if (m->retried || m->trusted)
		return GUESS_LEGITIMATE;
	return m->accepted || !m->over ? GUESS_UNCLEAR : GUESS_SPAM;
}

/* --- The end of a message ------------------------------------------------------------------ */

static void note_delay(struct delays *d, int64_t s)
{
	if (d->count == DELAYS_MAX)
		return;
	if (d->count == d->room) {
		size_t room = d->room ? d->room * 2 : 1024;
		int64_t *rows = realloc(d->rows, room * sizeof *rows);
		if (!rows)
			return;
		d->rows = rows;
		d->room = room;
	}
	d->rows[d->count++] = s;
}

static bool change_of(const struct message *m, enum change *what, int64_t *by_s)
{
	int64_t was = m->views[0].passed_at, now = m->views[1].passed_at;

	*by_s = 0;
	if (was && now) {
		*by_s = now > was ? now - was : was - now;
		*what = now > was ? CHANGE_LATER : CHANGE_SOONER;
		return now != was;
	}
	*what = was ? CHANGE_REFUSED : CHANGE_ACCEPTED;
	return was || now;
}

static void tell(struct replay *r, const struct message *m, enum change what, enum guess guess, int64_t by_s)
{
	struct replay_totals *t = &r->totals;
	const struct replay_change c = { what, guess, by_s, m, &r->spare };

	t->changes[what][guess]++;
	if (what == CHANGE_LATER || what == CHANGE_SOONER) {
		note_delay(&r->delays[what], by_s);
		if (by_s > t->most_s[what])
			t->most_s[what] = by_s;
	}
	if (!r->options.changed || !m->copy)
		return;
	entry_restore(&r->spare, m->copy);
	r->options.changed(r->options.arg, &c);
}

static void finish(struct replay *r, struct message *m)
{
	enum guess guess = guess_of(r, m);
	unsigned was = m->views[0].refused, now = m->views[1].refused;
	enum change what;
	int64_t by_s;

	if (guess == GUESS_SPAM && now > was)
		r->totals.spam_more += now - was;
	else if (guess == GUESS_SPAM)
		r->totals.spam_fewer += was - now;
	if (change_of(m, &what, &by_s))
		tell(r, m, what, guess, by_s);
	messages_drop(r->messages, m);
}

static bool is_settled(const struct message *m)
{
	return m->accepted && (m->views[0].passed_at || m->views[0].final) && (m->views[1].passed_at || m->views[1].final);
}

static bool is_waiting(const struct message *m)
{
	return m->views[0].planned || m->views[1].planned;
}

static void finish_if_settled(struct replay *r, struct message *m)
{
	if (is_settled(m) || (m->over && !is_waiting(m)))
		finish(r, m);
}

/* What began before the window can pass no more by a retry of its own. */
static void expire(struct replay *r, int64_t now)
{
	struct message *m;

	while ((m = messages_oldest(r->messages)) != NULL && now - m->first_at > r->window_s) {
		messages_retire(r->messages, m);
		finish_if_settled(r, m);
	}
}

/* --- Retries that are made up ---------------------------------------------------------------- */

static void plan(struct replay *r, struct message *m, unsigned side, int64_t last_at)
{
	struct message_view *v = &m->views[side];
	int64_t step = m->gap_s > 0 ? m->gap_s : REPLAY_RETRY_S;

	for (unsigned i = 0; i < v->tries && step < REPLAY_RETRY_MOST_S; i++)
		step *= 2;
	if (step > REPLAY_RETRY_MOST_S && v->tries)
		step = REPLAY_RETRY_MOST_S;
	if (last_at + step - m->first_at > REPLAY_GIVE_UP_S) {
		v->final = true;
		return;
	}
	v->planned = retries_add(&r->retries, last_at + step, m, side);
	r->out_of_memory |= !v->planned;
}

static void settle(struct message_view *v, const struct side_verdict *said, int64_t at)
{
	v->reason = said->reason;
	if (said->verdict == VERDICT_PASS)
		v->passed_at = at;
	v->final = said->verdict == VERDICT_REJECT;
}

static void try_again(struct replay *r, const struct retry *t)
{
	struct message *m = messages_find(r->messages, t->hash);

	if (!m || m->id != t->id)
		return;
	struct message_view *v = &m->views[t->side];
	v->planned = false;
	if (!v->passed_at && !v->final && m->copy) {
		entry_restore(&r->spare, m->copy);
		r->spare.at = t->at;
		/* Another transaction, of which nothing is remembered. */
		r->spare.request.instance = span_make("", 0);
		struct side_verdict said = side_judge(&r->sides[t->side], &r->spare, r->totals.first_at);
		r->totals.made_up++;
		v->tries++;
		settle(v, &said, t->at);
		if (said.verdict == VERDICT_DEFER)
			plan(r, m, t->side, t->at);
	}
	finish_if_settled(r, m);
}

static void run_retries(struct replay *r, int64_t until)
{
	struct retry t;

	while (retries_take(&r->retries, until, &t))
		try_again(r, &t);
}

/* --- Attempts ----------------------------------------------------------------------------- */

/* Of a mail's requests the one that greylisting decides: a null sender's is that at DATA. */
static bool is_attempt(const struct request *q, enum reason recorded)
{
	if (q->report != REPORT_NONE || q->client.family == 0 || q->recipient.n == 0 || is_fault(recorded))
		return false;
	if (q->stage == STAGE_RCPT)
		return q->sender.n != 0;
	return (q->stage == STAGE_DATA || q->stage == STAGE_END_OF_MESSAGE) && recorded != REASON_TRANSACTION;
}

/* Clients are told apart as by default, whatever the configurations say. */
static bool message_hash(const struct replay *r, struct request q, uint64_t *out)
{
	static const struct policy plain = { .identity = IDENTITY_HOST, .ipv4_bits = 24, .ipv6_bits = 64 };
	struct identity id;
	struct key k;

	client_find_out(r->options.names, &q);
	identity_of(&plain, &q, span_make("", 0), &id);
	if (!decision_triplet(&k, &q, identity_span(&id)))
		return false;
	*out = span_hash(key_span(&k), 0);
	return true;
}

static void note_attempt(struct message *m, const struct entry *e)
{
	bool passes = e->verdict == VERDICT_PASS || e->verdict == VERDICT_OBSERVE;

	if (m->attempts)
		m->gap_s = e->at - m->last_at;
	m->attempts++;
	m->last_at = e->at;
	m->client = client_hash(&e->request);
	m->offended |= is_offence(e->reason);
	m->trusted |= passes && is_trust(e->reason);
	m->retried |= passes && m->attempts > 1;
	m->accepted |= passes;
}

static void judge_attempt(struct replay *r, struct message *m, struct entry *e)
{
	bool differ = false;

	note_attempt(m, e);
	for (unsigned i = 0; i < 2; i++) {
		struct message_view *v = &m->views[i];
		if (v->passed_at)
			continue;
		struct side_verdict said = side_judge(&r->sides[i], e, r->totals.first_at);
		v->refused += said.verdict != VERDICT_PASS;
		settle(v, &said, e->at);
	}
	differ = !m->views[0].passed_at != !m->views[1].passed_at;
	for (unsigned i = 0; i < 2; i++)
		differ |= m->accepted && !m->views[i].passed_at;
	if (differ && !m->copy && !(m->copy = entry_copy(e)))
		r->out_of_memory = true;
	for (unsigned i = 0; i < 2; i++)
		if (m->accepted && !m->views[i].passed_at && !m->views[i].final && !m->views[i].planned)
			plan(r, m, i, e->at);
	finish_if_settled(r, m);
}

static void judge_other(struct replay *r, struct entry *e)
{
	for (unsigned i = 0; i < 2; i++)
		(void)side_judge(&r->sides[i], e, r->totals.first_at);
}

bool replay_take(struct replay *r, struct entry *e)
{
	uint64_t hash, client = client_hash(&e->request);
	struct message *m = NULL;

	run_retries(r, e->at);
	expire(r, e->at);
	r->totals.requests++;
	r->totals.last_at = e->at;
	r->totals.faults += is_fault(e->reason);
	if (e->request.report == REPORT_SPAM || is_offence(e->reason))
		r->flagged[client % FLAGGED] = client;
	if (is_attempt(&e->request, e->reason) && message_hash(r, e->request, &hash)) {
		m = messages_get(r->messages, hash, e->at);
		r->out_of_memory |= m == NULL;
	}
	if (m) {
		r->totals.messages += m->attempts == 0;
		judge_attempt(r, m, e);
	} else {
		judge_other(r, e);
	}
	return !r->out_of_memory;
}

/* --- The whole ------------------------------------------------------------------------------ */

struct replay *replay_new(const struct replay_options *options, int64_t begins_at, struct buf *why)
{
	struct replay *r = calloc(1, sizeof *r);
	struct config *now = options->config, *was = options->against;

	if (!r || !(r->messages = messages_new())) {
		config_free(&now);
		config_free(&was);
		free(r);
		buf_fail(why, "out of memory");
		return NULL;
	}
	r->options = *options;
	r->totals.first_at = begins_at;
	r->window_s = now->policy.greylist.window_s;
	if (was && was->policy.greylist.window_s > r->window_s)
		r->window_s = was->policy.greylist.window_s;
	r->sides[1].recorded = true;
	if (side_begin(&r->sides[0], options->names, was, begins_at, why) != 0) {
		config_free(&now);
		replay_free(&r);
	} else if (side_begin(&r->sides[1], options->names, now, begins_at, why) != 0) {
		replay_free(&r);
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(struct delays *d)
{
	if (d->count == 0)
		return 0;
	qsort(d->rows, d->count, sizeof *d->rows, compare);
	return d->rows[d->count / 2];
}

void replay_end(struct replay *r, struct replay_totals *out)
{
	struct message *m;

	run_retries(r, INT64_MAX);
	/* Of what came last it is not known whether it would have come back. */
	while ((m = messages_oldest(r->messages)) != NULL)
		finish(r, m);
	for (unsigned i = 0; i < 2; i++)
		r->totals.median_s[i] = median(&r->delays[i]);
	r->totals.unanswered = r->sides[1].unanswered;
	*out = r->totals;
}

void replay_free(struct replay **replay)
{
	struct replay *r = *replay;

	if (!r)
		return;
	side_end(&r->sides[0]);
	side_end(&r->sides[1]);
	messages_free(&r->messages);
	retries_free(&r->retries);
	free(r->delays[0].rows);
	free(r->delays[1].rows);
	free(r);
	*replay = NULL;
}
