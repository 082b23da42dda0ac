/* Mail of our own people, and what comes back for it. */
#include "core/judging.h"

/* Keys under which mail of c's sender to one of us is expected. They are written from
 * one side and read from the other, so both normalise alike. */
void outgoing_reverse(struct judging *j, const struct correspondents *c)
{
	struct span they = buf_span(&c->sender), we = buf_span(&c->recipient);
	struct key k;

	/* Without a domain it is nobody's address, and could be the word for anybody. */
	if (we.n == 0 || address_domain(they).n == 0)
		return;
	if (j->policy->outbound.keep_s && key_written(&k, they, we))
		judging_key(j, KEY_SLOT_PAIR, &k);
	if (j->policy->outbound.expect_s && key_written(&k, span_of(KEY_ANYBODY), we))
		judging_key(j, KEY_SLOT_ANYBODY, &k);
}

static void write_until(struct judging *j, enum key_slot slot, int64_t keep_s)
{
	/* The generation is not known here, and needs not be: the end is the latest of all. */
	judging_write(j, slot, (struct record){ .first_seen = j->now, .last_seen = j->now, .passed_at = j->now,
		.expires = j->now + keep_s, .passed = 1 }, false);
}

enum step outgoing_pass(struct judging *j, enum reason reason)
{
	const struct request *r = j->request;
	struct correspondents c;

	if (decision_key(j->decision, KEY_SLOT_PAIR).n == 0 && r->stage == STAGE_RCPT && r->sender.n && r->recipient.n &&
	    correspondents_of(&c, r->recipient, r->sender))
		outgoing_reverse(j, &c);
	/* The answer may come within seconds; our own mail must not wait for the store. */
	j->decision->prompt = true;
	write_until(j, KEY_SLOT_PAIR, j->policy->outbound.keep_s);
	write_until(j, KEY_SLOT_ANYBODY, j->policy->outbound.expect_s);
	return judging_verdict(j, VERDICT_PASS, reason);
}

enum step outgoing_authenticated(struct judging *j)
{
	if (j->request->sasl_username.n || j->request->sasl_method.n)
		return outgoing_pass(j, REASON_AUTHENTICATED);
	return STEP_ON;
}

static bool is_live(const struct judging *j, enum key_slot slot)
{
	return decision_key(j->decision, slot).n && judging_live(judging_record(j, slot), j->now);
}

enum step outgoing_expected(struct judging *j)
{
	enum step s = judging_needs(j, FACT_AROUND);
	if (s == STEP_ON)
		s = judging_stored(j, fact_stored(KEY_SLOT_PAIR) | fact_stored(KEY_SLOT_ANYBODY) |
				   fact_stored(KEY_SLOT_TRIPLET) | fact_stored(KEY_SLOT_NETWORK));
	if (s != STEP_ON)
		return s;
	if (is_live(j, KEY_SLOT_PAIR))
		return judging_verdict(j, VERDICT_PASS, REASON_CORRESPONDENT);
	if (j->facts->around.expected || is_live(j, KEY_SLOT_ANYBODY))
		return judging_verdict(j, VERDICT_PASS, REASON_EXPECTED);
	return STEP_ON;
}
