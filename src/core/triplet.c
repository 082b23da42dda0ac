/* Greylisting proper: the triplet and its retry. */
#include "core/judging.h"

/* From whom to whom: the triplet's keys. Most requests never get here. */
enum step triplet_correspondents(struct judging *j)
{
	struct decision *d = j->decision;
	struct correspondents c;
	struct identity network;
	struct key k;

	if (decision_key(d, KEY_SLOT_TRIPLET).n)
		return STEP_ON;
	if (!correspondents_of(&c, j->request->sender, j->request->recipient) ||
	    !key_triplet(&k, identity_span(&d->identity), buf_span(&c.sender), buf_span(&c.recipient)) ||
	    !judging_key(j, KEY_SLOT_TRIPLET, &k))
		return judging_verdict(j, j->policy->on_malformed, REASON_MALFORMED);
	outgoing_reverse(j, &c);
	if (!identity_is_organisation(&d->identity))
		return STEP_ON;
	identity_network(j->policy, j->request, &network);
	if (key_triplet(&k, identity_span(&network), buf_span(&c.sender), buf_span(&c.recipient)))
		judging_key(j, KEY_SLOT_NETWORK, &k);
	return STEP_ON;
}

/* --- The record ----------------------------------------------------------------- */

const struct fact_record *triplet_record(const struct judging *j)
{
	return j->adopted.found ? &j->adopted : judging_record(j, KEY_SLOT_TRIPLET);
}

/* What was remembered while the client had no confirmed name, or comes from a system
 * that knows networks only (greylag import), goes on under the name. */
static void adopt(struct judging *j)
{
	const struct fact_record *own = judging_record(j, KEY_SLOT_TRIPLET), *network = judging_record(j, KEY_SLOT_NETWORK);

	if (judging_live(own, j->now) || !judging_live(network, j->now))
		return;
	j->adopted = *network;
	j->adopted.record.generation = judging_generation(own, j->now);
}

enum step triplet_records(struct judging *j)
{
	enum step s = judging_stored(j, fact_stored(KEY_SLOT_TRIPLET) | fact_stored(KEY_SLOT_NETWORK));

	if (s == STEP_ON)
		adopt(j);
	return s;
}

/* An adoption is answered when it is safe: the next request would adopt once more, and
 * what was counted would count twice. */
static void write_triplet(struct judging *j, struct record delta, bool fresh)
{
	struct record whole = j->adopted.record;

	if (j->adopted.found)
		record_merge(&whole, &delta);
	j->decision->durable |= j->adopted.found;
	judging_write(j, KEY_SLOT_TRIPLET, j->adopted.found ? whole : delta, fresh || j->adopted.found);
}

/* A fresh record's retry is due after the delay; a live one's attempt adds one to its count. */
static void write_attempt(struct judging *j, bool fresh)
{
	struct record delta = { .generation = judging_generation(triplet_record(j), j->now),
				.first_seen = j->now, .last_seen = j->now, .blocked = 1 };

	if (fresh)
		delta.expires = j->now + j->times.window_s;
	write_triplet(j, delta, fresh);
	j->decision->durable |= fresh;
}

void triplet_attempt(struct judging *j)
{
	const struct fact_record *f = triplet_record(j);
	bool live = judging_live(f, j->now);

	if (!live || record_pending(&f->record))
		write_attempt(j, !live);
}

enum step triplet_transaction(struct judging *j)
{
	if (!judging_follows_deferral(j))
		return STEP_ON;
	enum step s = triplet_records(j);
	if (s != STEP_ON)
		return s;
	triplet_attempt(j);
	return judging_defer(j, REASON_TRANSACTION, j->facts->transaction.passes_at);
}

/* The retry was good. */
static enum step first_pass(struct judging *j)
{
	const struct record *triplet = &triplet_record(j)->record;
	struct record pass = { .generation = triplet->generation, .last_seen = j->now,
			       .passed_at = j->now, .expires = j->now + j->times.keep_s, .passed = 1 };
	int64_t first = triplet->first_seen < j->now ? triplet->first_seen : j->now;

	write_triplet(j, pass, false);
	pass.first_seen = first;
	if (!j->policy->trust_delivery)
		standing_trust(j, pass);
	j->decision->delayed_s = j->now - first;
	j->decision->durable = true;
	return judging_verdict(j, VERDICT_PASS, REASON_RETRIED);
}

/* The store knows too little to judge by: the triplet is remembered as one that
 * passed, its client is not trusted yet. */
static enum step amnesty(struct judging *j)
{
	const struct fact_record *f = triplet_record(j);
	struct record pass = { .generation = judging_generation(f, j->now), .first_seen = j->now, .last_seen = j->now,
			       .passed_at = j->now, .expires = j->now + j->times.keep_s, .passed = 1 };

	write_triplet(j, pass, !judging_live(f, j->now));
	return judging_verdict(j, VERDICT_PASS, REASON_AMNESTY);
}

static enum step first_attempt(struct judging *j)
{
	const struct fact_record *f = triplet_record(j);
	const struct penalties *p = &j->policy->penalties;
	enum reason reason = f->found && record_pending(&f->record) ? REASON_LAPSED : REASON_NEW;

	if (p->unretried_delay_s > j->times.delay_s && standing_never_retries(j)) {
		j->times.delay_s = p->unretried_delay_s;
		reason = REASON_UNRETRIED;
	}
	write_attempt(j, true);
	return judging_defer(j, reason, j->now + j->times.delay_s);
}

static enum step retry(struct judging *j)
{
	const struct record *r = &triplet_record(j)->record;
	const struct penalties *p = &j->policy->penalties;

	if (p->unretried_delay_s > j->times.delay_s && standing_never_retries(j))
		j->times.delay_s = p->unretried_delay_s;
	int64_t passes_at = r->first_seen + j->times.delay_s;
	if (j->now >= passes_at)
		return first_pass(j);
	/* A clock that was set back must not hold anyone longer than the delay. */
	if (passes_at > j->now + j->times.delay_s)
		passes_at = j->now + j->times.delay_s;
	write_attempt(j, false);
	return judging_defer(j, REASON_EARLY, passes_at);
}

/* Activity keeps a record: RFC 6647 section 5.3. */
static enum step known(struct judging *j, const struct record *r)
{
	write_triplet(j, (struct record){ .generation = r->generation, .last_seen = j->now,
		.expires = j->now + j->times.keep_s, .passed = 1 }, false);
	return judging_verdict(j, VERDICT_PASS, REASON_KNOWN);
}

enum step triplet_judge(struct judging *j)
{
	enum step s = triplet_records(j);

	if (s == STEP_ON)
		s = judging_needs(j, FACT_AROUND);
	if (s != STEP_ON)
		return s;
	const struct fact_record *f = triplet_record(j);
	if (judging_live(f, j->now) && !record_pending(&f->record))
		return known(j, &f->record);
	if (j->facts->around.amnesty)
		return amnesty(j);
	return judging_live(f, j->now) ? retry(j) : first_attempt(j);
}
