/* Exim's main log: "H=name (helo) [addr] F=<sender> temporarily rejected RCPT <recipient>: ...",
 * "ID <= sender H=name (helo) [addr]:port ... P=esmtp" and "ID => recipient ..." (Exim's
 * specification, "Log files"). */
#include "replay/maillogline_inside.h"

/* "name (helo) [addr]:port", up to `end`: a HELO may hold brackets, so the address is the last. */
static bool read_host(struct span s, struct peer *p)
{
	size_t open = span_rfind(s, '[');
	struct span name = span_trim(span_head(s, span_find(s, '(')));

	if (open == s.n || !peer_read(span_from(s, open), p))
		return false;
	p->name = peer_name(span_head(name, span_find(name, ' ')));
	return true;
}

static struct span helo_of(struct span host)
{
	size_t open = span_find(host, '('), close = span_rfind(host, ')');

	return open < close && close < host.n ? span_make(host.p + open + 1, close - open - 1) : span_make("", 0);
}

static int from_reject(const struct logline *l, struct span text, struct entry *e, struct buf *why)
{
	struct span host, rest, to, sender, ignored;
	struct peer p;

	if (!peer_after(text, "H=", &host) || !peer_after_last(host, "> temporarily rejected RCPT ", &rest) ||
	    !peer_after(rest, "reylist", &ignored) || !peer_after(host, " F=<", &sender))
		return 0;
	struct span from = span_head(sender, (size_t)(rest.p - sender.p) - strlen("> temporarily rejected RCPT "));
	host = span_head(host, (size_t)(sender.p - host.p) - strlen(" F=<"));
	if (!read_host(host, &p) || (!logged_value(rest, "<", ">", &to) && !logged_value(rest, "", ":", &to)))
		return buf_fail(why, "a reject without a client");
	logged_begin(e, l->at, VERDICT_DEFER);
	logged_put_peer(e, &p);
	logged_put(e, &e->request.helo, helo_of(host), REQUEST_NAME_MAX);
	logged_put(e, &e->request.sender, from, REQUEST_ADDRESS_MAX);
	logged_put(e, &e->request.recipient, to, REQUEST_ADDRESS_MAX);
	return logged_end(e, why);
}

/* A sender is a word, unless it is quoted; "<>" is that of a bounce. */
static int from_arrival(struct maillogline *m, struct span id, struct span text)
{
	struct span host, ignored;
	struct peer p;
	size_t end = span_find(text, ' ');

	if (!peer_after(text, " H=", &host))
		return 0;
	if (peer_after(host, " P=", &ignored))
		host = span_head(host, (size_t)(ignored.p - host.p));
	size_t close = span_rfind(host, ']');
	struct queued *q = read_host(span_head(host, close + 1), &p) ? queued_open(m, id) : NULL;
	if (!q)
		return 0;
	queued_set_peer(q, &p);
	queued_set(q->sender, sizeof q->sender, span_unwrap(span_head(text, end), '<', '>'));
	q->sender_known = true;
	q->ours = peer_after(text, " A=", &ignored);
	return 0;
}

/* "alias <original@example.net> R=...", or the address alone. */
static int from_delivery(const struct logline *l, const struct queued *q, struct span text, struct entry *e, struct buf *why)
{
	struct span head = text, original, ignored;

	if (q->ours || !q->sender_known)
		return 0;
	if (peer_after(text, " R=", &ignored))
		head = span_head(text, (size_t)(ignored.p - text.p) - 3);
	if (!logged_value(head, "<", ">", &original) || original.n == 0)
		original = span_head(head, span_find(head, ' '));
	return logged_queued(e, l, q, VERDICT_PASS, original, why);
}

int logged_exim(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why)
{
	static const struct span arrival = SPAN("<= "), delivery = SPAN("=> "), further = SPAN("-> ");
	struct span text = l->text, id, rest;

	/* With +pid in log_selector. */
	if (text.n && text.p[0] == '[')
		text = span_trim(span_from(text, span_find(text, ']') + 1));
	if (span_starts(text, span_of("H=")))
		return from_reject(l, text, e, why);
	id = span_head(text, span_find(text, ' '));
	rest = span_from(text, id.n + 1);
	if (span_starts(rest, arrival))
		return from_arrival(m, id, span_from(rest, arrival.n));
	const struct queued *q = queued_find(m, id);
	if (!q || (!span_starts(rest, delivery) && !span_starts(rest, further)))
		return 0;
	return from_delivery(l, q, span_from(rest, delivery.n), e, why);
}
