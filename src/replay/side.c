#include "replay/side.h"

int side_begin(struct side *s, const struct names *names, struct config *config, int64_t now, struct buf *why)
{
	*s = (struct side){ .recorded = config == NULL };
	if (s->recorded)
		return 0;
	const struct world_options options = { .names = names, .config = config, .now = now, .offline = true, .in_memory = true };
	return world_begin(&s->world, &options, why);
}

void side_end(struct side *s)
{
	if (!s->recorded)
		world_end(&s->world);
}

static const struct entry_answer *find_answer(const struct entry *e, const struct lookup *l)
{
	for (unsigned i = 0; i < e->answer_count; i++)
		if (span_eq(e->answers[i].kind, span_of(lookup_kind_word(l->kind))) &&
		    span_ieq(e->answers[i].text, span_of(l->text)))
			return &e->answers[i];
	return NULL;
}

static void know(struct lookups_found *found, const struct lookup *l, const struct entry *e)
{
	const struct entry_answer *a = find_answer(e, l);
	uint64_t bit = (uint64_t)1 << l->index;

	if (l->kind == LOOKUP_SPF && e->spf_known) {
		found->answers.known |= bit;
		found->answers.bits[l->index] = (uint8_t)(1u << e->spf);
	} else if (a) {
		found->answers.known |= bit;
		found->answers.open |= a->open ? bit : 0;
		found->answers.bits[l->index] = a->bits;
	}
}

/* What was found out then is not asked again, and nothing else is asked: no time is left. */
static void recall_answers(struct inquiry *q, const struct ruleset *rules, const struct entry *e)
{
	const struct lookup *l;

	q->found.waited_ms = UINT64_MAX;
	q->found.spf_known = e->spf_known;
	q->found.spf = e->spf;
	q->found.spf_broad = e->spf_broad;
	for (unsigned i = 0; rules && (l = ruleset_lookup(rules, i)) != NULL; i++)
		know(&q->found, l, e);
}

static struct side_verdict judge(struct world *w, struct entry *e, uint64_t *unanswered)
{
	struct inquiry *q = engine_inquiry(w->engine);
	struct side_verdict v = { VERDICT_PASS, REASON_OVERLOAD, 0 };

	if (!q)
		return v;
	q->request = e->request;
	q->recalled = &e->recalled;
	recall_answers(q, engine_config(w->engine)->rules, e);
	uint64_t open = q->found.answers.open;
	world_at(w, e->at);
	if (!world_ask(w, q))
		return v;
	v = (struct side_verdict){ q->decision.verdict, q->decision.reason, q->decision.wait_s };
	*unanswered += (q->found.answers.open & ~open) != 0;
	world_done(w, &q);
	return v;
}

struct side_verdict side_judge(struct side *s, struct entry *e, int64_t since)
{
	struct side_verdict v = { e->verdict, e->reason, e->wait_s };

	e->recalled.since = since;
	if (!s->recorded)
		v = judge(&s->world, e, &s->unanswered);
	if (v.verdict == VERDICT_OBSERVE)
		v.verdict = VERDICT_PASS;
	return v;
}
