/* What a client's past is worth: trust that it earned, holds that it brought upon itself. */
#include "core/judging.h"

/* A hold doubles with each strike, so many times. */
#define STRIKES_MOST 5

/* --- Who ----------------------------------------------------------------------- */

static bool set_allowed_key(struct judging *j, enum key_slot slot, const struct identity *id)
{
	struct key k;

	return key_allowed(&k, identity_span(id)) && judging_key(j, slot, &k);
}

/* Identity and the keys of its records. Once a request. */
enum step standing_client(struct judging *j)
{
	struct decision *d = j->decision;
	struct identity address;

	if (d->subject)
		return STEP_ON;
	if (j->policy->identity_spf != IDENTITY_SPF_NO && !request_null_sender(j->request) &&
	    judging_needs(j, FACT_SPF) != STEP_ON)
		return STEP_NEEDS;
	identity_of(j->policy, j->request, j->facts->spf.passed ? j->facts->spf.org : span_make("", 0), &d->identity);
	identity_address(j->request, &address);
	if (identity_is_organisation(&d->identity))
		set_allowed_key(j, KEY_SLOT_ALLOWED, &d->identity);
	set_allowed_key(j, KEY_SLOT_ADDRESS, &address);
	d->subject = true;
	return STEP_ON;
}

/* --- Trust ---------------------------------------------------------------------- */

static bool is_trusted(const struct fact_record *f, int64_t now)
{
	return judging_live(f, now) && !record_pending(&f->record) && !record_held(&f->record, now);
}

/* Activity keeps a record: RFC 6647 section 5.3. */
static enum step trusted_as(struct judging *j, enum key_slot slot)
{
	const struct fact_record *f = judging_record(j, slot);

	if (judging_follows_deferral(j) || decision_key(j->decision, slot).n == 0)
		return STEP_ON;
	enum step s = judging_stored(j, fact_stored(slot));
	if (s != STEP_ON)
		return s;
	if (!is_trusted(f, j->now))
		return STEP_ON;
	judging_write(j, slot, (struct record){ .generation = f->record.generation, .last_seen = j->now,
		.expires = j->now + j->times.keep_s, .passed = 1 }, false);
	return judging_verdict(j, VERDICT_PASS, REASON_ALLOWED);
}

enum step standing_trusted_identity(struct judging *j)
{
	return trusted_as(j, KEY_SLOT_ALLOWED);
}

enum step standing_trusted_address(struct judging *j)
{
	return trusted_as(j, KEY_SLOT_ADDRESS);
}

/* RFC 6647 section 5.1: trusted altogether when its name is confirmed and not dynamic,
 * and in any case as its exact address, so that a name server's bad moment does not
 * make it a stranger. */
void standing_trust(struct judging *j, struct record pass)
{
	pass.generation = judging_generation(judging_record(j, KEY_SLOT_ADDRESS), j->now);
	judging_write(j, KEY_SLOT_ADDRESS, pass, true);
	pass.generation = judging_generation(judging_record(j, KEY_SLOT_ALLOWED), j->now);
	judging_write(j, KEY_SLOT_ALLOWED, pass, true);
	j->decision->durable = true;
}

/* A new generation of a record that has not passed takes the place of trust. */
static void withdraw_trust(struct judging *j, enum key_slot slot)
{
	const struct fact_record *f = judging_record(j, slot);

	if (!is_trusted(f, j->now))
		return;
	judging_write(j, slot, (struct record){ .generation = f->record.generation + 1, .first_seen = j->now,
		.last_seen = j->now, .expires = j->now + j->times.window_s, .blocked = 1 }, true);
	j->decision->durable = true;
}

/* --- Holds ---------------------------------------------------------------------- */

/* Big and old enough that one bad client of it says little: such organisations send
 * from pools that others use too. Each strike asks for more. */
static bool is_spared(const struct judging *j)
{
	const struct fact_record *f = judging_record(j, KEY_SLOT_ALLOWED);
	const struct record *r = &f->record;

	return decision_key(j->decision, KEY_SLOT_ALLOWED).n && is_trusted(f, j->now) && j->policy->penalties.spare &&
	       r->passed >= j->policy->penalties.spare * (1 + (uint64_t)r->strikes) &&
	       j->now - r->first_seen >= PENALTY_SPARE_AGE_S;
}

/* Holds the exact client, and withdraws trust from its organisation. Both records must
 * have been fetched. Returns for how long; 0 when it is spared, which costs it a strike. */
static int64_t hold(struct judging *j, enum hold cause, int64_t hold_s)
{
	const struct fact_record *f = judging_record(j, KEY_SLOT_ADDRESS);
	uint32_t strikes = judging_live(f, j->now) ? f->record.strikes : 0;
	struct record held = { .generation = judging_generation(f, j->now), .first_seen = j->now, .last_seen = j->now,
			       .blocked = 1, .held_for = (uint8_t)cause, .strikes = 1 };

	if (hold_s == 0)
		return 0;
	/* Several recipients of one mail, or a burst of mails, are one offence. */
	bool together = record_held(&f->record, j->now) && (uint8_t)cause <= f->record.held_for &&
			j->now - f->record.last_seen < PENALTY_TOGETHER_S;
	if (together)
		return f->record.held_until - j->now;
	if (is_spared(j)) {
		judging_write(j, KEY_SLOT_ALLOWED, (struct record){
			.generation = judging_record(j, KEY_SLOT_ALLOWED)->record.generation, .strikes = 1 }, false);
		return 0;
	}
	/* What was trusted starts anew as a stranger, and keeps its strikes. */
	if (is_trusted(f, j->now)) {
		held.generation++;
		held.strikes += strikes;
	}
	hold_s <<= strikes < STRIKES_MOST ? strikes : STRIKES_MOST;
	held.held_until = j->now + hold_s;
	held.expires = held.held_until + j->times.keep_s;
	judging_write(j, KEY_SLOT_ADDRESS, held, true);
	withdraw_trust(j, KEY_SLOT_ALLOWED);
	j->decision->durable = true;
	return hold_s;
}

static enum step refuse(struct judging *j, enum verdict v, enum reason reason, int64_t passes_at)
{
	if (v == VERDICT_DEFER)
		return judging_defer(j, reason, passes_at);
	return judging_verdict(j, v, reason);
}

static enum step standing_records(struct judging *j)
{
	enum step s = standing_client(j);

	if (s != STEP_ON)
		return s;
	return judging_stored(j, fact_stored(KEY_SLOT_ALLOWED) | fact_stored(KEY_SLOT_ADDRESS));
}

static enum step trap_records(struct judging *j)
{
	enum step s = standing_records(j);

	if (s == STEP_ON)
		s = triplet_correspondents(j);
	return s == STEP_ON ? triplet_records(j) : s;
}

/* A trap for first attempts, say at the last of several MXs: who tried another one
 * before is known here, by this triplet or altogether. */
static bool springs(const struct judging *j)
{
	return !j->decision->ruling.first_only ||
	       !(triplet_record(j)->found || is_trusted(judging_record(j, KEY_SLOT_ALLOWED), j->now) ||
		 is_trusted(judging_record(j, KEY_SLOT_ADDRESS), j->now));
}

/* A mail that is tried again, as a deferral asks for, is no further offence: it has cost a
 * hold, or a strike of an organisation that is trusted still. */
static bool has_paid(const struct judging *j)
{
	const struct fact_record *triplet = triplet_record(j), *client = judging_record(j, KEY_SLOT_ADDRESS);
	bool held = client->found && record_held(&client->record, j->now);

	return judging_live(triplet, j->now) && record_pending(&triplet->record) &&
	       (held || is_trusted(judging_record(j, KEY_SLOT_ALLOWED), j->now));
}

enum step standing_trap(struct judging *j)
{
	const struct ruling *rule = &j->decision->ruling;
	const struct penalties *p = &j->policy->penalties;

	if (!j->decision->ruled || rule->action != ACTION_TRAP || j->request->recipient.n == 0)
		return STEP_ON;
	enum step s = trap_records(j);
	if (s != STEP_ON || !springs(j))
		return s;
	int64_t hold_s = rule->hold_s >= 0 ? rule->hold_s : p->trap_hold_s;
	int64_t passes_at = judging_record(j, KEY_SLOT_ADDRESS)->record.held_until;
	if (!has_paid(j))
		passes_at = j->now + hold(j, HOLD_TRAP, hold_s);
	triplet_attempt(j);
	return refuse(j, p->on_trap, REASON_TRAP, passes_at > j->now ? passes_at : j->now + hold_s);
}

static const enum reason held_reason[HOLD_COUNT] = {
	[HOLD_NONE] = REASON_MISBEHAVED, [HOLD_HASTY] = REASON_HASTY, [HOLD_HOPPING] = REASON_HOPPING,
	[HOLD_UNWELCOME] = REASON_UNWELCOME, [HOLD_MISBEHAVED] = REASON_MISBEHAVED, [HOLD_SPAM] = REASON_SPAM,
	[HOLD_HAMMERING] = REASON_HAMMERING, [HOLD_TRAP] = REASON_TRAPPED,
};

static enum verdict held_verdict(const struct penalties *p, uint8_t held_for)
{
	return held_for == HOLD_TRAP ? p->on_trap : held_for == HOLD_HAMMERING ? p->on_hammering : VERDICT_DEFER;
}

/* Goes on and on, now or while it is held. */
static bool hammers(const struct judging *j)
{
	const struct penalties *p = &j->policy->penalties;

	return p->hammering_attempts && j->facts->around.attempts > p->hammering_attempts;
}

/* A series of patches looks as retries do: one mail after the other between two people.
 * Who has a name of his own is believed to send such. */
static bool is_hasty(const struct judging *j)
{
	const struct penalties *p = &j->policy->penalties;

	return p->hasty_attempts && j->facts->around.attempts_minute > p->hasty_attempts
	       && !identity_is_organisation(&j->decision->identity);
}

static enum step begin_hold(struct judging *j, enum hold cause, enum verdict v, enum reason reason, int64_t hold_s)
{
	int64_t held_s = hold(j, cause, hold_s);

	return held_s ? refuse(j, v, reason, j->now + held_s) : STEP_ON;
}

enum step standing_held(struct judging *j)
{
	const struct penalties *p = &j->policy->penalties;
	if (judging_follows_deferral(j))
		return STEP_ON;
	enum step s = standing_records(j);
	const struct record *r = &judging_record(j, KEY_SLOT_ADDRESS)->record;

	if (s != STEP_ON || !judging_record(j, KEY_SLOT_ADDRESS)->found || !record_held(r, j->now))
		return s;
	s = judging_needs(j, FACT_AROUND);
	if (s != STEP_ON)
		return s;
	if (hammers(j) && r->held_for < HOLD_HAMMERING)
		return begin_hold(j, HOLD_HAMMERING, p->on_hammering, REASON_HAMMERING, p->hammering_hold_s);
	judging_write(j, KEY_SLOT_ADDRESS, (struct record){ .generation = r->generation, .last_seen = j->now,
		.blocked = 1 }, false);
	return refuse(j, held_verdict(p, r->held_for), held_reason[r->held_for], r->held_until);
}

/* Not for those whom the steps before trust. */
enum step standing_penalties(struct judging *j)
{
	const struct penalties *p = &j->policy->penalties;
	const struct fact_around *a = &j->facts->around;
	if (judging_follows_deferral(j))
		return STEP_ON;
	enum step s = standing_records(j);

	if (s == STEP_ON)
		s = judging_needs(j, FACT_AROUND);
	if (s != STEP_ON || a->amnesty)
		return s;
	if (hammers(j))
		s = begin_hold(j, HOLD_HAMMERING, p->on_hammering, REASON_HAMMERING, p->hammering_hold_s);
	else if (p->unwelcome_rejections && a->rejections > p->unwelcome_rejections)
		s = begin_hold(j, HOLD_UNWELCOME, VERDICT_DEFER, REASON_UNWELCOME, p->unwelcome_hold_s);
	else if (a->hopping_until > j->now)
		s = begin_hold(j, HOLD_HOPPING, VERDICT_DEFER, REASON_HOPPING, p->hopping_hold_s);
	else if (is_hasty(j))
		s = begin_hold(j, HOLD_HASTY, VERDICT_DEFER, REASON_HASTY, p->hasty_hold_s);
	return s;
}

/* A busy newcomer has many triplets waiting too, but one of them has passed long before
 * the time is over. From when on there were so many is kept in the record of the address. */
bool standing_never_retries(struct judging *j)
{
	const struct penalties *p = &j->policy->penalties;
	const struct fact_record *f = judging_record(j, KEY_SLOT_ADDRESS);
	bool marked = judging_live(f, j->now);

	if (p->unretried_triplets == 0 || j->facts->around.waiting < p->unretried_triplets)
		return false;
	if (!marked)
		judging_write(j, KEY_SLOT_ADDRESS, (struct record){ .generation = judging_generation(f, j->now),
			.first_seen = j->now, .last_seen = j->now, .expires = j->now + j->times.keep_s, .blocked = 1 }, true);
	return marked && record_pending(&f->record) && j->now - f->record.first_seen >= p->unretried_after_s;
}

/* --- What doors and people report -------------------------------------------------- */

static struct record pass_now(const struct judging *j)
{
	return (struct record){ .first_seen = j->now, .last_seen = j->now, .passed_at = j->now,
				.expires = j->now + j->times.keep_s, .passed = 1 };
}

/* The mail of a transaction that passed has been kept. */
static enum step delivered(struct judging *j)
{
	if (judging_needs(j, FACT_TRANSACTION) != STEP_ON)
		return STEP_NEEDS;
	if (j->facts->transaction.found && j->facts->transaction.unproved) {
		enum step s = standing_records(j);
		if (s != STEP_ON)
			return s;
		standing_trust(j, pass_now(j));
	}
	return judging_verdict(j, VERDICT_PASS, REASON_DELIVERED);
}

static enum step misbehaved(struct judging *j)
{
	enum step s = standing_records(j);

	if (s != STEP_ON)
		return s;
	if (hold(j, HOLD_MISBEHAVED, j->policy->penalties.misbehaved_hold_s) == 0 && !is_spared(j)) {
		withdraw_trust(j, KEY_SLOT_ALLOWED);
		withdraw_trust(j, KEY_SLOT_ADDRESS);
	}
	return judging_verdict(j, VERDICT_PASS, REASON_DISTRUSTED);
}

/* Good mail ends a hold that a report of spam began, and no other. */
static enum step good(struct judging *j)
{
	enum step s = standing_records(j);
	const struct fact_record *f = judging_record(j, KEY_SLOT_ADDRESS);

	if (s != STEP_ON)
		return s;
	if (record_held(&f->record, j->now) && f->record.held_for == HOLD_SPAM) {
		struct record anew = pass_now(j);
		anew.generation = f->record.generation + 1;
		judging_write(j, KEY_SLOT_ADDRESS, anew, true);
		j->decision->durable = true;
	} else {
		standing_trust(j, pass_now(j));
	}
	return judging_verdict(j, VERDICT_PASS, REASON_LEARNED);
}

static enum step bad(struct judging *j)
{
	enum step s = standing_records(j);

	if (s != STEP_ON)
		return s;
	hold(j, HOLD_SPAM, j->policy->penalties.spam_hold_s);
	return judging_verdict(j, VERDICT_PASS, REASON_LEARNED);
}

enum step standing_report(struct judging *j)
{
	if (j->request->report != REPORT_NONE && j->request->client.family == 0)
		return judging_verdict(j, VERDICT_PASS, REASON_MALFORMED);
	switch (j->request->report) {
	case REPORT_NONE: break;
	case REPORT_ACCEPTED: return delivered(j);
	case REPORT_ABORTED: return judging_verdict(j, VERDICT_PASS, REASON_ABORTED);
	case REPORT_MISBEHAVED: return misbehaved(j);
	case REPORT_KNOWN:
	case REPORT_HAM: return good(j);
	case REPORT_SPAM: return bad(j);
	}
	return STEP_ON;
}
