/* What greylisters themselves log, and qmail, where they are in front of it. */
#include "learn/greylog_inside.h"

/* Up to a blank or the end. */
static struct span word_after(struct span s, const char *label)
{
	struct span rest;

	if (!peer_after(s, label, &rest))
		return span_make("", 0);
	return span_head(rest, span_find(rest, ' '));
}

/* "verdict=defer reason=new ... client=A name=N ... from=<S> to=<R>". Values that clients wrote have
 * no unescaped blanks. */
enum maillog_line greylog_greylagd(struct greylog *g, const struct logline *l)
{
	struct greylog_event e = { .at = l->at };
	struct span verdict = word_after(l->text, "verdict=");

	e.deferred = span_eq(verdict, span_of("defer"));
	if (!e.deferred && !span_eq(verdict, span_of("pass")))
		return MAILLOG_OTHER;
	e.recipient = span_unwrap(word_after(l->text, " to="), '<', '>');
	e.sender = span_unwrap(word_after(l->text, " from="), '<', '>');
	if (!netaddr_parse(word_after(l->text, " client="), &e.peer.client) || e.recipient.n == 0)
		return MAILLOG_OTHER;
	e.peer.name = peer_name(word_after(l->text, " name="));
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* Up to the comma in front of the next field or the end. */
static struct span field_after(struct span s, const char *label)
{
	struct span rest;

	if (!peer_after(s, label, &rest))
		return span_make("", 0);
	for (size_t i = 0; i + 1 < rest.n; i++)
		if (rest.p[i] == ',' && rest.p[i + 1] == ' ')
			return span_head(rest, i);
	return rest;
}

/* "[ID: ]action=greylist, reason=new, client_name=N, client_address=A, sender=S, recipient=R". */
enum maillog_line greylog_postgrey(struct greylog *g, const struct logline *l)
{
	struct greylog_event e = { .at = l->at };
	struct span action = field_after(l->text, "action=");

	e.deferred = span_eq(action, span_of("greylist"));
	if (!e.deferred && !span_eq(action, span_of("pass")))
		return MAILLOG_OTHER;
	if (!netaddr_parse(field_after(l->text, ", client_address="), &e.peer.client))
		return MAILLOG_OTHER;
	e.peer.name = peer_name(field_after(l->text, ", client_name="));
	e.sender = field_after(l->text, ", sender=");
	e.recipient = field_after(l->text, ", recipient=");
	if (e.recipient.n == 0)
		return MAILLOG_OTHER;
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* "grey: new: 203.0.113(203.0.113.5), a@x -> u@y", "grey: reconnect ok: ... -> u@y (00:05:10)". */
enum maillog_line greylog_sqlgrey(struct greylog *g, const struct logline *l)
{
	struct greylog_event e = { .at = l->at, .peer.name = span_make("", 0) };
	struct span ignored, address, rest;

	e.deferred = peer_after(l->text, "grey: new: ", &ignored) || peer_after(l->text, "grey: early reconnect: ", &ignored);
	if (!e.deferred && !peer_after(l->text, "grey: reconnect ok: ", &ignored))
		return MAILLOG_OTHER;
	if (!greylog_between(l->text, "(", ')', &address) || !netaddr_parse(address, &e.peer.client) ||
	    !peer_after(l->text, "), ", &rest) || !peer_after(rest, " -> ", &e.recipient))
		return MAILLOG_OTHER;
	e.sender = span_head(rest, (size_t)(e.recipient.p - rest.p) - 4);
	e.recipient = span_head(e.recipient, span_find(e.recipient, ' '));
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* milter-greylist: "ID: addr NAME[ADDR] from <S> to <R> delayed for 00:30:00 (ACL 12)". */
enum maillog_line greylog_milter(struct greylog *g, const struct logline *l)
{
	struct greylog_event e = { .deferred = true, .at = l->at };
	struct span who, rest, ignored;

	if (!peer_after(l->text, "addr ", &who) || !peer_read(who, &e.peer) || !peer_after(who, "] from ", &rest) ||
	    !peer_after(rest, " to ", &e.recipient) || !peer_after_last(e.recipient, " delayed for ", &ignored))
		return MAILLOG_OTHER;
	e.sender = span_unwrap(span_head(rest, (size_t)(e.recipient.p - rest.p) - 4), '<', '>');
	e.recipient = span_unwrap(span_head(e.recipient, span_find(e.recipient, ' ')), '<', '>');
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* s/qmail: "qmail-smtpd: pid 12 Deferred::SNDR::Grey_Listed: P:ESMTP S:NAME:ADDR H:HELO F:S T:R"; an
 * IPv6 address has colons of its own, a name has none. */
static enum maillog_line qmail_said(struct greylog *g, const struct logline *l, struct span text)
{
	struct greylog_event e = { .at = l->at, .peer.name = span_make("", 0) };
	struct span what = word_after(text, "Accept::RCPT::"), server = word_after(text, " S:");
	size_t colon = span_find(server, ':');

	e.deferred = what.n == 0;
	if (e.deferred && !greylog_greylisted(span_head(text, span_find(text, ' '))) && !peer_after(text, "Grey_Listed", &what))
		return MAILLOG_OTHER;
	if (!netaddr_parse(span_from(server, colon + 1), &e.peer.client))
		return MAILLOG_OTHER;
	e.sender = span_unwrap(word_after(text, " F:"), '<', '>');
	e.recipient = span_unwrap(word_after(text, " T:"), '<', '>');
	if (e.recipient.n == 0)
		return MAILLOG_OTHER;
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* jgreylist knows clients only: "192.0.2.1: GREY first time", "192.0.2.1: OK known". */
enum maillog_line greylog_qmail(struct greylog *g, const struct logline *l)
{
	struct greylog_event e = { .at = l->at, .peer.name = span_make("", 0), .sender = span_make("", 0),
				   .recipient = span_make("", 0) };
	struct span said, text = l->text;

	if (peer_after(text, "qmail-smtpd: pid ", &said))
		return qmail_said(g, l, said);
	if (span_starts(text, span_of("pid ")) && span_starts(l->program, span_of("qmail")))
		return qmail_said(g, l, text);
	e.deferred = peer_after(text, ": GREY ", &said);
	if (!e.deferred && !peer_after(text, ": OK known", &said))
		return MAILLOG_OTHER;
	struct span front = span_head(text, (size_t)(said.p - text.p) - (e.deferred ? 7 : 10));
	if (!netaddr_parse(span_from(front, span_rfind(front, ' ') < front.n ? span_rfind(front, ' ') + 1 : 0), &e.peer.client))
		return MAILLOG_OTHER;
	greylog_tell(g, &e);
	return MAILLOG_READ;
}
