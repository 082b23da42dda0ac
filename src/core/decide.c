#include "core/judging.h"

#include "core/mailaddr.h"

enum step judging_verdict(struct judging *j, enum verdict v, enum reason reason)
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

static int64_t at_least_one(int64_t seconds)
{
	return seconds > 1 ? seconds : 1;
}

enum step judging_defer(struct judging *j, enum reason reason, int64_t passes_at)
{
	j->decision->wait_s = at_least_one(passes_at - j->now);
	return judging_verdict(j, VERDICT_DEFER, reason);
}

enum step judging_needs(struct judging *j, unsigned facts)
{
	unsigned missing = facts & ~j->facts->have;

	if (missing == 0)
		return STEP_ON;
	j->need = missing;
	return STEP_NEEDS;
}

enum step judging_stored(struct judging *j, unsigned facts)
{
	if (j->facts->store_fault != REASON_COUNT) {
		decision_fault(j->policy, j->decision, j->facts->store_fault);
		return STEP_DECIDED;
	}
	return judging_needs(j, facts);
}

void judging_write(struct judging *j, enum key_slot slot, struct record delta, bool fresh)
{
	struct decision *d = j->decision;

	if (decision_key(d, slot).n && d->delta_count < DECISION_DELTAS)
		d->deltas[d->delta_count++] = (struct decision_delta){ slot, delta, fresh };
}

bool judging_key(struct judging *j, enum key_slot slot, const struct key *k)
{
	struct decision *d = j->decision;

	if (k->n == 0 || k->n > sizeof d->keys_text - d->keys_used)
		return false;
	memcpy(d->keys_text + d->keys_used, k->text, k->n);
	d->keys[slot].at = (uint16_t)d->keys_used;
	d->keys[slot].n = (uint16_t)k->n;
	d->keys_used += k->n;
	return true;
}

/* --- Steps that need no record ---------------------------------------------- */

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
	return judging_verdict(j, VERDICT_PASS, REASON_STAGE);
}

static enum step well_formed(struct judging *j)
{
	const struct request *r = j->request;

	if (r->client.family == 0)
		return judging_verdict(j, j->policy->on_malformed, REASON_MALFORMED);
	return STEP_ON;
}

static int64_t chosen(int64_t rule_s, int64_t policy_s)
{
	return rule_s >= 0 ? rule_s : policy_s;
}

static enum step rules(struct judging *j)
{
	if (judging_needs(j, FACT_RULING) != STEP_ON)
		return STEP_NEEDS;
	if (!j->facts->ruled)
		return STEP_ON;
	const struct ruling *rule = &j->facts->ruling;
	j->decision->ruled = true;
	j->decision->ruling = *rule;
	switch (rule->action) {
	case ACTION_ALLOW:
		return judging_verdict(j, VERDICT_PASS, rule->listed ? REASON_ALLOW_LIST : REASON_ALLOW_RULE);
	case ACTION_BLOCK:
		return judging_verdict(j, VERDICT_REJECT, rule->listed ? REASON_BLOCK_LIST : REASON_BLOCK_RULE);
	case ACTION_OUTGOING:
		return outgoing_pass(j, REASON_OUTGOING);
	case ACTION_DEFER:
	case ACTION_TRAP:
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
		return judging_verdict(j, VERDICT_PASS, REASON_NULL_SENDER);
	return STEP_ON;
}

static enum step transaction(struct judging *j)
{
	if (judging_needs(j, FACT_TRANSACTION) != STEP_ON)
		return STEP_NEEDS;
	const struct fact_transaction *t = &j->facts->transaction;
	if (!t->found)
		return STEP_ON;
	/* At DATA only recipients that were accepted are left. */
	if (t->verdict == VERDICT_PASS || j->request->stage != STAGE_RCPT)
		return judging_verdict(j, VERDICT_PASS, REASON_TRANSACTION);
	return STEP_ON;
}

static enum step has_recipient(struct judging *j)
{
	if (j->request->recipient.n == 0)
		return judging_verdict(j, VERDICT_PASS, REASON_NO_RECIPIENT);
	return STEP_ON;
}

/* The order of judgement, from top to bottom: the first step that decides ends it. */
static enum step (*const order[])(struct judging *) = {
	standing_report,		/* a door tells something, and asks nothing */
	at_stage,			/* greylisting acts at RCPT, DATA and end of message */
	well_formed,			/* a usable client address */
	outgoing_authenticated,		/* RFC 6647 section 5.7 */
	rules,				/* allow, block and outgoing end here, defer brings its own times */
	null_sender,			/* at RCPT: left for DATA */
	standing_trap,			/* a trap rule matched */
	transaction,			/* an earlier recipient of this mail passed */
	has_recipient,
	standing_client,		/* identity */
	standing_trusted_identity,	/* the sending organisation proved itself */
	standing_trusted_address,	/* this exact address proved itself */
	triplet_correspondents,		/* normalised addresses */
	standing_held,			/* this exact address is held for what it did */
	outgoing_expected,		/* the recipient wrote to the sender, or expects mail */
	standing_penalties,		/* what it does just now */
	triplet_transaction,		/* an earlier recipient of this mail was deferred */
	triplet_judge,			/* new, early, lapsed, retried, known */
};

unsigned decide(const struct policy *p, const struct request *r, const struct facts *f,
		int64_t now, struct decision *d)
{
	struct judging j = { .policy = p, .request = r, .facts = f, .now = now,
			     .times = p->greylist, .decision = d };

	d->ruled = false;
	d->durable = d->prompt = false;
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
	judging_verdict(&j, VERDICT_PASS, REASON_STAGE);
	return 0;
}

void decision_begin(struct decision *d)
{
	d->subject = false;
	d->delta_count = 0;
	d->identity.n = 0;
	d->keys_used = 0;
	memset(d->keys, 0, sizeof d->keys);
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
	d->durable = d->prompt = false;
}

bool correspondents_of(struct correspondents *out, struct span sender, struct span recipient)
{
	out->recipient = buf_on(out->texts[0], sizeof out->texts[0]);
	out->sender = buf_on(out->texts[1], sizeof out->texts[1]);
	mailaddr_recipient(&out->recipient, recipient);
	mailaddr_sender(&out->sender, sender, buf_span(&out->recipient));
	return !out->recipient.over && !out->sender.over;
}

bool decision_triplet(struct key *out, const struct request *r, struct span identity)
{
	struct correspondents c;

	return correspondents_of(&c, r->sender, r->recipient) &&
	       key_triplet(out, identity, buf_span(&c.sender), buf_span(&c.recipient));
}

struct span decision_key(const struct decision *d, enum key_slot slot)
{
	return span_make(d->keys_text + d->keys[slot].at, d->keys[slot].n);
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
	case REASON_UNRETRIED:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_DEFER, .passes_at = now + d->wait_s };
		return true;
	case REASON_RETRIED:
	case REASON_KNOWN:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_PASS, .unproved = p->trust_delivery };
		return true;
	case REASON_ALLOWED:
	case REASON_AMNESTY:
		*out = (struct fact_transaction){ .found = true, .verdict = VERDICT_PASS };
		return true;
	case REASON_ALLOW_RULE:
	case REASON_BLOCK_RULE:
	case REASON_ALLOW_LIST:
	case REASON_BLOCK_LIST:
	case REASON_OUTGOING:
	case REASON_CORRESPONDENT:
	case REASON_EXPECTED:
	case REASON_TRAP:
	case REASON_TRAPPED:
	case REASON_HASTY:
	case REASON_HAMMERING:
	case REASON_HOPPING:
	case REASON_UNWELCOME:
	case REASON_MISBEHAVED:
	case REASON_SPAM:
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
