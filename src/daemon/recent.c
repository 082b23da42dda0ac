#include "daemon/recent.h"

#include "daemon/verdictlog.h"

struct ring {
	struct recent_verdict verdicts[RECENT_EACH];
	unsigned next;			/* where the next goes: the oldest, once all are used */
};

struct recent {
	struct ring shown, passes;
	uint64_t count;
};

static const struct {
	const char *word;
	size_t most;
} fields[RECENT_FIELDS] = {
	[RECENT_RULE] = { "rule", VERDICTLOG_NAME }, [RECENT_CLIENT] = { "client", NETADDR_TEXT },
	[RECENT_NAME] = { "name", VERDICTLOG_NAME }, [RECENT_IDENTITY] = { "identity", VERDICTLOG_NAME },
	[RECENT_HELO] = { "helo", VERDICTLOG_NAME }, [RECENT_FROM] = { "from", VERDICTLOG_ADDRESS },
	[RECENT_TO] = { "to", VERDICTLOG_ADDRESS }, [RECENT_STAGE] = { "stage", VERDICTLOG_NAME },
	[RECENT_QUEUE] = { "queue", VERDICTLOG_NAME },
};

struct recent *recent_new(void)
{
	return calloc(1, sizeof(struct recent));
}

void recent_free(struct recent **r)
{
	free(*r);
	*r = NULL;
}

const char *recent_word(enum recent_field field)
{
	return fields[field].word;
}

size_t recent_most(enum recent_field field)
{
	return fields[field].most;
}

/* --- Adding ---------------------------------------------------------------------------- */

static struct span text_of(const struct inquiry *q, enum recent_field field, struct span rule)
{
	const struct request *r = &q->request;

	switch (field) {
	case RECENT_RULE: return rule;
	case RECENT_CLIENT: return r->client_text;
	case RECENT_NAME: return r->client_name;
	case RECENT_IDENTITY: return q->decision.subject ? identity_span(&q->decision.identity) : (struct span){ 0 };
	case RECENT_HELO: return r->helo;
	case RECENT_FROM: return r->sender;
	case RECENT_TO: return r->recipient;
	case RECENT_STAGE: return r->stage == STAGE_RCPT ? (struct span){ 0 } : span_of(stage_word(r->stage));
	case RECENT_QUEUE: return r->queue_id;
	}
	return (struct span){ 0 };
}

static void take_texts(struct recent_verdict *v, const struct inquiry *q)
{
	const struct ruling *ruling = &q->decision.ruling;
	char rule_text[VERDICTLOG_NAME + 2];
	struct buf text = BUF_ON(v->text), rule = BUF_ON(rule_text);

	if (q->decision.ruled && ruling->listed)
		buf_addf(&rule, "%s:%s", ruling->file, q->hit.value);
	else if (q->decision.ruled)
		buf_addf(&rule, "%s:%u", ruling->file, ruling->line);
	for (enum recent_field f = RECENT_RULE; f < RECENT_FIELDS; f++) {
		buf_addspan(&text, span_head(text_of(q, f, buf_span(&rule)), fields[f].most + 1));
		v->ends[f] = (uint16_t)text.n;
	}
}

static bool is_plain_pass(const struct decision *d)
{
	return d->verdict == VERDICT_PASS && d->reason != REASON_RETRIED &&
	       reason_kind(d->reason) != REASON_KIND_TROUBLE;
}

void recent_add(struct recent *r, const struct inquiry *q)
{
	const struct decision *d = &q->decision;
	struct ring *ring = is_plain_pass(d) ? &r->passes : &r->shown;
	struct recent_verdict *v = &ring->verdicts[ring->next];

	ring->next = (ring->next + 1) % RECENT_EACH;
	v->number = ++r->count;
	v->time_s = q->now;
	v->verdict = d->verdict;
	v->would = d->would;
	v->reason = d->reason;
	v->wait_s = d->wait_s;
	v->delayed_s = d->delayed_s;
	v->has_sender = q->request.has_sender;
	take_texts(v, q);
}

/* --- Reading ---------------------------------------------------------------------------- */

/* Its numbers rise from the oldest to the newest. */
static const struct recent_verdict *peek(const struct ring *ring, unsigned *at, uint64_t after)
{
	for (; *at < RECENT_EACH; ++*at) {
		const struct recent_verdict *v = &ring->verdicts[(ring->next + *at) % RECENT_EACH];
		if (v->number > after)
			return v;
	}
	return NULL;
}

const struct recent_verdict *recent_next(const struct recent *r, struct recent_cursor *at)
{
	const struct recent_verdict *a = peek(&r->shown, &at->shown, at->after), *b = peek(&r->passes, &at->passes, at->after);

	if (a && (!b || a->number < b->number)) {
		at->shown++;
		return a;
	}
	if (b)
		at->passes++;
	return b;
}

struct span recent_text(const struct recent_verdict *v, enum recent_field field)
{
	size_t start = field ? v->ends[field - 1] : 0;

	return span_make(v->text + start, v->ends[field] - start);
}
