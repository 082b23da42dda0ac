/* Sendmail: "ID: from=<s>, ..., relay=name [addr]", which comes when the transaction ends, and
 * "ID: to=<r>, ..., stat=Sent". Before the former a milter's "ID: Milter: to=<r>, reject=451 ..."
 * of a recipient it deferred; of several the last is known. */
#include "replay/maillogline_inside.h"

static bool says_greylist(struct span reject)
{
	struct span ignored;

	return reject.n && reject.p[0] == '4' && peer_after(reject, "reylist", &ignored);
}

static int from_milter(struct maillogline *m, struct span id, struct span text)
{
	struct span to, reject;

	if (!logged_value(text, "to=<", ">, reject=", &to) || !peer_after(text, ">, reject=", &reject) || !says_greylist(reject))
		return 0;
	struct queued *q = queued_open(m, id);
	if (q)
		queued_set(q->refused, sizeof q->refused, to);
	return 0;
}

/* What the client chose comes before the fields that we read, hence the last of each. */
static int from_sender(struct maillogline *m, const struct logline *l, struct span id, struct span text, struct entry *e,
		       struct buf *why)
{
	struct queued *q = queued_find(m, id);
	struct span relay, sender, proto;
	struct peer p;

	if (!peer_after_last(text, ", relay=", &relay) || !peer_read(relay, &p) || !logged_value(text, "from=", ", size=", &sender) ||
	    (!q && !(q = queued_open(m, id))))
		return 0;
	queued_set_peer(q, &p);
	queued_set(q->sender, sizeof q->sender, span_unwrap(sender, '<', '>'));
	q->sender_known = true;
	/* RFC 3848: a protocol that ends in A is a user's. */
	q->ours = logged_value(text, ", proto=", ",", &proto) && span_ends(proto, span_of("A"));
	if (!q->refused[0])
		return 0;
	int found = logged_queued(e, l, q, VERDICT_DEFER, span_of(q->refused), why);
	q->refused[0] = '\0';
	return found;
}

int logged_sendmail(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why)
{
	static const struct span milter = SPAN("Milter: "), sender = SPAN("from="), recipient = SPAN("to=<");
	size_t colon = span_find(l->text, ':');
	struct span id = span_head(l->text, colon), text = span_trim(span_from(l->text, colon + 1)), to, ignored;

	if (span_find(id, ' ') < id.n)
		return 0;
	if (span_starts(text, milter))
		return from_milter(m, id, span_from(text, milter.n));
	if (span_starts(text, sender))
		return from_sender(m, l, id, text, e, why);
	const struct queued *q = queued_find(m, id);
	if (!q || q->ours || !q->sender_known || !span_starts(text, recipient) || !peer_after(text, ", stat=Sent", &ignored) ||
	    !logged_value(text, "to=<", ">", &to))
		return 0;
	return logged_queued(e, l, q, VERDICT_PASS, to, why);
}
