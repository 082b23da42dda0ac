#include "daemon/recent.h"

static void copy(char *to, size_t size, struct span from)
{
	size_t n = from.n < size ? from.n : size - 1;

	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

void recent_add(struct recent *r, const struct inquiry *q)
{
	struct recent_verdict *v = &r->verdicts[r->count % RECENT_MAX];
	const struct decision *d = &q->decision;

	v->number = ++r->count;
	v->at = q->now;
	v->verdict = d->verdict;
	v->reason = d->reason;
	v->wait_s = d->verdict == VERDICT_DEFER ? d->wait_s : 0;
	v->delayed_s = d->reason == REASON_RETRIED ? d->delayed_s : 0;
	v->has_sender = q->request.has_sender;
	copy(v->client, sizeof v->client, q->request.client_text);
	copy(v->identity, sizeof v->identity, d->subject ? identity_span(&d->identity) : span_make("", 0));
	copy(v->sender, sizeof v->sender, q->request.sender);
	copy(v->recipient, sizeof v->recipient, q->request.recipient);
}

const struct recent_verdict *recent_after(const struct recent *r, uint64_t number)
{
	uint64_t oldest = r->count > RECENT_MAX ? r->count - RECENT_MAX : 0;

	if (number < oldest)
		number = oldest;
	return number < r->count ? &r->verdicts[number % RECENT_MAX] : NULL;
}
