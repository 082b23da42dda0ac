#include "core/decide.h"

#include "core/mailaddr.h"

/* One pass over the order of judgement. */
struct judging {
	const struct policy *policy;
	const struct request *request;
	const struct facts *facts;
	int64_t now;
	struct greylist times;		/* the policy's, or the matching rule's */
	struct decision *decision;
	unsigned need;
};

enum step { STEP_ON, STEP_DECIDED, STEP_NEEDS };

static enum step verdict(struct judging *j, enum verdict v, enum reason reason)
{
	struct decision *d = j->decision;

	d->would = v;
	d->verdict = v;
	d->reason = reason;
	bool observe = j->policy->observe || (d->ruled && d->ruling.observe);
	if (observe && v != VERDICT_PASS)
		d->verdict = VERDICT_OBSERVE;
	return STEP_DECIDED;
}

static enum step needs(struct judging *j, unsigned facts)
{
	unsigned missing = facts & ~j->facts->have;

	if (missing == 0)
		return STEP_ON;
	j->need = missing;
	return STEP_NEEDS;
}

static void write(struct judging *j, enum key_slot slot, struct record delta, bool fresh)
{
	struct decision *d = j->decision;

	if (decision_key(d, slot).n == 0)
		return;
	d->deltas[d->delta_count++] = (struct decision_delta){ slot, delta, fresh };
}

/* --- The steps, in the order of the table below ---------------------------- */

static enum step at_stage(struct judging *j)
{
	switch (j->request->stage) {
	case STAGE_RCPT:
	case STAGE_DATA:
	case STAGE_END_OF_MESSAGE:
		return STEP_ON;
	case STAGE_CONNECT:
	case STAGE_HELO:
	case STAGE_MAIL:
	case STAGE_OTHER:
		break;
	}
	return verdict(j, VERDICT_PASS, REASON_STAGE);
}

static enum step well_formed(struct judging *j)
{
	const struct request *r = j->request;

	if (r->client.family == 0)
		return verdict(j, j->policy->on_malformed, REASON_MALFORMED);
	return STEP_ON;
}

static enum step authenticated(struct judging *j)
{
	if (j->request->sasl_username.n || j->request->sasl_method.n)
		return verdict(j, VERDICT_PASS, REASON_AUTHENTICATED);
	return STEP_ON;
}

static int64_t chosen(int64_t rule_s, int64_t policy_s)
{
	return rule_s >= 0 ? rule_s : policy_s;
}

static enum step rules(struct judging *j)
{
	if (needs(j, FACT_RULING) != STEP_ON)
		return STEP_NEEDS;
	if (!j->facts->ruled)
		return STEP_ON;
	const struct ruling *rule = &j->facts->ruling;
	j->decision->ruled = true;
	j->decision->ruling = *rule;
	switch (rule->action) {
	case ACTION_ALLOW:
		return verdict(j, VERDICT_PASS, REASON_ALLOW_RULE);
	case ACTION_BLOCK:
		return verdict(j, VERDICT_REJECT, REASON_BLOCK_RULE);
	case ACTION_DEFER:
		j->times.delay_s = chosen(rule->delay_s, j->times.delay_s);
		j->times.window_s = chosen(rule->window_s, j->times.window_s);
		j->times.keep_s = chosen(rule->keep_s, j->times.keep_s);
		break;
	}
	return STEP_ON;
}

/* RFC 6647 section 4.2: a callout sends the null sender and goes no further than
 * RCPT, so it must not be deferred there. */
static enum step null_sender(struct judging *j)
{
	if (request_null_sender(j->request) && j->request->stage == STAGE_RCPT)
		return verdict(j, VERDICT_PASS, REASON_NULL_SENDER);
	return STEP_ON;
}

static enum step transaction(struct judging *j)
{
	if (needs(j, FACT_TRANSACTION) != STEP_ON)
		return STEP_NEEDS;
	const struct fact_transaction *t = &j->facts->transaction;
	if (!t->found)
		return STEP_ON;
	/* At DATA only recipients that were accepted are left. */
	if (t->verdict == VERDICT_PASS || j->request->stage != STAGE_RCPT)
		return verdict(j, VERDICT_PASS, REASON_TRANSACTION);
	return STEP_ON;
}

static enum step has_recipient(struct judging *j)
{
	if (j->request->recipient.n == 0)
		return verdict(j, VERDICT_PASS, REASON_NO_RECIPIENT);
	return STEP_ON;
}

/* Who: identity and the keys of its records. Once a request. */
static enum step client(struct judging *j)
{
	struct decision *d = j->decision;
	struct identity address;

	if (d->subject)
		return STEP_ON;
	identity_of(j->policy, j->request, &d->identity);
	identity_address(j->request, &address);
	if (d->identity.kind == IDENTITY_HOST)
		key_allowed(&d->allowed_key, identity_span(&d->identity));
	key_allowed(&d->address_key, identity_span(&address));
	d->subject = true;
	return STEP_ON;
}

/* A store that failed answers everything from here on. */
static enum step stored(struct judging *j, unsigned facts)
{
	if (j->facts->store_fault != REASON_COUNT) {
		decision_fault(j->policy, j->decision, j->facts->store_fault);
		return STEP_DECIDED;
	}
	return needs(j, facts);
}

static bool is_trusted(const struct fact_record *f, int64_t now)
{
	return f->found && !record_pending(&f->record) && !record_expired(&f->record, now);
}

/* Activity keeps a record: RFC 6647 section 5.3. */
static struct record renewal(const struct judging *j, const struct record *old)
{
	return (struct record){ .generation = old->generation, .last_seen = j->now,
				.expires = j->now + j->times.keep_s, .passed = 1 };
}

static enum step allowed_as(struct judging *j, enum key_slot slot, const struct fact_record *f)
{
	if (!is_trusted(f, j->now))
		return STEP_ON;
	write(j, slot, renewal(j, &f->record), false);
	return verdict(j, VERDICT_PASS, REASON_ALLOWED);
}

static bool follows_deferral(const struct judging *j)
{
	return j->facts->transaction.found && j->facts->transaction.verdict == VERDICT_DEFER;
}

static enum step allowed_identity(struct judging *j)
{
	if (follows_deferral(j) || j->decision->allowed_key.n == 0)
		return STEP_ON;
	enum step s = stored(j, FACT_ALLOWED);
	return s == STEP_ON ? allowed_as(j, KEY_SLOT_ALLOWED, &j->facts->allowed) : s;
}

static enum step allowed_address(struct judging *j)
{
	if (follows_deferral(j))
		return STEP_ON;
	enum step s = stored(j, FACT_ADDRESS);
	return s == STEP_ON ? allowed_as(j, KEY_SLOT_ADDRESS, &j->facts->address) : s;
}

bool decision_triplet(struct key *out, const struct request *r, struct span identity)
{
	char recipient[REQUEST_ADDRESS_MAX + 1], sender[REQUEST_ADDRESS_MAX + 1];
	struct buf to = buf_on(recipient, sizeof recipient), from = buf_on(sender, sizeof sender);

	mailaddr_recipient(&to, r->recipient);
	mailaddr_sender(&from, r->sender, buf_span(&to));
	return !to.over && !from.over && key_triplet(out, identity, buf_span(&from), buf_span(&to));
}

/* From whom to whom: the triplet's key. Most requests never get here. */
static enum step correspondents(struct judging *j)
{
	struct decision *d = j->decision;

	if (d->triplet_key.n || decision_triplet(&d->triplet_key, j->request, identity_span(&d->identity)))
		return STEP_ON;
	return verdict(j, j->policy->on_malformed, REASON_MALFORMED);
}

static bool is_live(const struct fact_record *f, int64_t now)
{
	return f->found && !record_expired(&f->record, now);
}

/* Generation in which a record starts, or goes on while it lives. */
static uint32_t generation(const struct fact_record *f, int64_t now)
{
	return !f->found ? 0 : f->record.generation + (record_expired(&f->record, now) ? 1 : 0);
}

/* A fresh record's retry is due after the delay; a live one's attempt adds one to its count. */
static void write_attempt(struct judging *j, bool fresh)
{
	struct record delta = { .generation = generation(&j->facts->triplet, j->now),
				.first_seen = j->now, .last_seen = j->now, .blocked = 1 };

	if (fresh)
		delta.expires = j->now + j->times.window_s;
	write(j, KEY_SLOT_TRIPLET, delta, fresh);
	j->decision->durable = fresh;
}

static int64_t at_least_one(int64_t seconds)
{
	return seconds > 1 ? seconds : 1;
}

static enum step defer(struct judging *j, enum reason reason, int64_t passes_at)
{
	j->decision->wait_s = at_least_one(passes_at - j->now);
	return verdict(j, VERDICT_DEFER, reason);
}

static enum step deferred_transaction(struct judging *j)
{
	if (!follows_deferral(j))
		return STEP_ON;
	enum step s = stored(j, FACT_TRIPLET);
	if (s != STEP_ON)
		return s;
	const struct fact_record *f = &j->facts->triplet;
	if (!is_live(f, j->now) || record_pending(&f->record))
		write_attempt(j, !is_live(f, j->now));
	return defer(j, REASON_TRANSACTION, j->facts->transaction.passes_at);
}

/* The client is trusted from now on (RFC 6647 section 5.1), altogether when its name is
 * confirmed and not dynamic, and in any case as its exact address, so that a name
 * server's bad moment does not make it a stranger. */
static void write_trust(struct judging *j, struct record pass)
{
	pass.generation = generation(&j->facts->address, j->now);
	write(j, KEY_SLOT_ADDRESS, pass, true);
	if (j->decision->allowed_key.n) {
		pass.generation = generation(&j->facts->allowed, j->now);
		write(j, KEY_SLOT_ALLOWED, pass, true);
	}
	j->decision->durable = true;
}

/* The retry was good. */
static enum step first_pass(struct judging *j)
{
	const struct record *triplet = &j->facts->triplet.record;
	struct record pass = { .generation = triplet->generation, .last_seen = j->now,
			       .passed_at = j->now, .expires = j->now + j->times.keep_s, .passed = 1 };
	int64_t first = triplet->first_seen < j->now ? triplet->first_seen : j->now;

	write(j, KEY_SLOT_TRIPLET, pass, false);
	pass.first_seen = first;
	if (!j->policy->trust_delivery)
		write_trust(j, pass);
	j->decision->delayed_s = j->now - first;
	j->decision->durable = true;
	return verdict(j, VERDICT_PASS, REASON_RETRIED);
}

static enum step triplet(struct judging *j)
{
	const struct fact_record *f = &j->facts->triplet;
	const struct record *r = &f->record;
	enum step s = stored(j, FACT_TRIPLET);

	if (s != STEP_ON)
		return s;
	if (!is_live(f, j->now)) {
		write_attempt(j, true);
		enum reason reason = f->found && record_pending(r) ? REASON_LAPSED : REASON_NEW;
		return defer(j, reason, j->now + j->times.delay_s);
	}
	if (!record_pending(r)) {
		write(j, KEY_SLOT_TRIPLET, renewal(j, r), false);
		return verdict(j, VERDICT_PASS, REASON_KNOWN);
	}
	int64_t passes_at = r->first_seen + j->times.delay_s;
	if (j->now >= passes_at)
		return first_pass(j);
	/* A clock that was set back must not hold anyone longer than the delay. */
	if (passes_at > j->now + j->times.delay_s)
		passes_at = j->now + j->times.delay_s;
	write_attempt(j, false);
	return defer(j, REASON_EARLY, passes_at);
}

/* The mail of a transaction that passed has been kept. */
static enum step delivered(struct judging *j)
{
	struct record pass = { .first_seen = j->now, .last_seen = j->now, .passed_at = j->now,
			       .expires = j->now + j->times.keep_s, .passed = 1 };

	if (needs(j, FACT_TRANSACTION) != STEP_ON)
		return STEP_NEEDS;
	if (j->facts->transaction.found && j->facts->transaction.unproved) {
		client(j);
		enum step s = stored(j, FACT_ALLOWED | FACT_ADDRESS);
		if (s != STEP_ON)
			return s;
		write_trust(j, pass);
	}
	return verdict(j, VERDICT_PASS, REASON_DELIVERED);
}

/* A new generation of a record that has not passed takes the place of trust. */
static void write_distrust(struct judging *j, enum key_slot slot, const struct fact_record *f)
{
	if (!is_trusted(f, j->now))
		return;
	write(j, slot, (struct record){ .generation = f->record.generation + 1, .first_seen = j->now, .last_seen = j->now,
					.expires = j->now + j->times.window_s, .blocked = 1 }, true);
	j->decision->durable = true;
}

static enum step misbehaved(struct judging *j)
{
	client(j);
	enum step s = stored(j, FACT_ALLOWED | FACT_ADDRESS);
	if (s != STEP_ON)
		return s;
	write_distrust(j, KEY_SLOT_ALLOWED, &j->facts->allowed);
	write_distrust(j, KEY_SLOT_ADDRESS, &j->facts->address);
	return verdict(j, VERDICT_PASS, REASON_DISTRUSTED);
}

static enum step report(struct judging *j)
{
	if (j->request->report != REPORT_NONE && j->request->client.family == 0)
		return verdict(j, VERDICT_PASS, REASON_MALFORMED);
	switch (j->request->report) {
	case REPORT_NONE: break;
	case REPORT_ACCEPTED: return delivered(j);
	case REPORT_ABORTED: return verdict(j, VERDICT_PASS, REASON_ABORTED);
	case REPORT_MISBEHAVED: return misbehaved(j);
	case REPORT_KNOWN:
	case REPORT_HAM:
	case REPORT_SPAM: return verdict(j, VERDICT_PASS, REASON_LEARNED);
	}
	return STEP_ON;
}

/* The order of judgement, from top to bottom: the first step that decides ends it. */
static enum step (*const order[])(struct judging *) = {
	report,			/* a door tells something, and asks nothing */
	at_stage,		/* greylisting acts at RCPT, DATA and end of message */
	well_formed,		/* a usable client address */
	authenticated,		/* RFC 6647 section 5.7 */
	rules,			/* allow and block end here, defer brings its own times */
	null_sender,		/* at RCPT: left for DATA */
	transaction,		/* an earlier recipient of this mail passed */
	has_recipient,
	client,			/* identity */
	allowed_identity,	/* the sending organisation proved itself */
	allowed_address,	/* this exact address proved itself */
	correspondents,		/* normalised addresses */
	deferred_transaction,	/* an earlier recipient of this mail was deferred */
	triplet,		/* new, early, lapsed, retried, known */
};

unsigned decide(const struct policy *p, const struct request *r, const struct facts *f,
		int64_t now, struct decision *d)
{
	struct judging j = { .policy = p, .request = r, .facts = f, .now = now,
			     .times = p->greylist, .decision = d };

	d->ruled = false;
	d->durable = false;
	d->delta_count = 0;
	d->wait_s = d->delayed_s = 0;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		switch (order[i](&j)) {
		case STEP_ON:
			continue;
		case STEP_DECIDED:
			return 0;
		case STEP_NEEDS:
			return j.need;
		}
	}
	verdict(&j, VERDICT_PASS, REASON_STAGE);
	return 0;
}

void decision_begin(struct decision *d)
{
	d->subject = false;
	d->delta_count = 0;
	d->identity.n = 0;
	d->allowed_key.n = d->address_key.n = d->triplet_key.n = 0;
}

void facts_begin(struct facts *f)
{
	*f = (struct facts){ .store_fault = REASON_COUNT };
}

void decision_fault(const struct policy *p, struct decision *d, enum reason fault)
{
	bool observe = p->observe || (d->ruled && d->ruling.observe);

	d->reason = fault;
	d->would = p->on_store_failure;
	d->verdict = observe && d->would != VERDICT_PASS ? VERDICT_OBSERVE : d->would;
	d->wait_s = d->would == VERDICT_DEFER ? at_least_one(p->greylist.delay_s) : 0;
	d->delayed_s = 0;
	d->delta_count = 0;
	d->durable = false;
}

struct span decision_key(const struct decision *d, enum key_slot slot)
{
	switch (slot) {
	case KEY_SLOT_ALLOWED: return key_span(&d->allowed_key);
	case KEY_SLOT_ADDRESS: return key_span(&d->address_key);
	case KEY_SLOT_TRIPLET: return key_span(&d->triplet_key);
	}
	return span_make("", 0);
}

bool decision_remember(const struct policy *p, const struct decision *d, int64_t now,
		       struct fact_transaction *out)
{
	if (d->verdict == VERDICT_OBSERVE && !p->observe)
		return false;
	switch (d->reason) {
	case REASON_NEW:
	case REASON_EARLY:
	case REASON_LAPSED:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_DEFER, .passes_at = now + d->wait_s };
		return true;
	case REASON_RETRIED:
	case REASON_KNOWN:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_PASS, .unproved = p->trust_delivery };
		return true;
	case REASON_ALLOWED:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_PASS };
		return true;
	case REASON_ALLOW_RULE:
	case REASON_BLOCK_RULE:
	case REASON_AUTHENTICATED:
	case REASON_NULL_SENDER:
	case REASON_TRANSACTION:
	case REASON_STAGE:
	case REASON_NO_RECIPIENT:
	case REASON_DELIVERED:
	case REASON_ABORTED:
	case REASON_DISTRUSTED:
	case REASON_LEARNED:
	case REASON_MALFORMED:
	case REASON_STORE_FAILURE:
	case REASON_STORE_TIMEOUT:
	case REASON_OVERLOAD:
	case REASON_COUNT:
		break;
	}
	return false;
}
