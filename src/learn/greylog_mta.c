/* Deferrals and acceptances in the logs of Postfix, Sendmail and Exim. */
#include "learn/greylog_inside.h"

static bool digits_4xx(struct span s)
{
	return s.n > 3 && s.p[0] == '4' && ascii_digit(s.p[1]) && ascii_digit(s.p[2]);
}

/* --- Postfix ------------------------------------------------------------------------------ */

/* "RCPT from NAME[ADDR]: 450 4.2.0 <R>: ...; from=<S> to=<R> proto=ESMTP helo=<H>". The client wrote
 * the HELO, which stands last, and the addresses, in which Postfix leaves no blank unquoted. */
static enum maillog_line postfix_reject(struct greylog *g, const struct logline *l, struct span text)
{
	struct greylog_event e = { .deferred = true, .at = l->at };
	struct span reply, envelope;

	if (!peer_read(text, &e.peer) || !peer_after(text, "]: ", &reply) || !digits_4xx(reply))
		return MAILLOG_OTHER;
	if (!peer_after(reply, "; from=<", &envelope) || !peer_after(reply, "> to=<", &e.recipient))
		return MAILLOG_OTHER;
	if (!greylog_greylisted(span_head(reply, (size_t)(envelope.p - reply.p))))
		return MAILLOG_OTHER;
	e.sender = span_head(envelope, (size_t)(e.recipient.p - envelope.p) - 6);
	e.recipient = span_head(e.recipient, span_find(e.recipient, '>'));
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

static enum maillog_line postfix_queue(struct greylog *g, const struct logline *l, struct span id, struct span text)
{
	static const char client[] = "client=";
	struct span sender, recipient, ignored;
	struct peer p;

	if (span_starts(text, span_of(client))) {
		struct greymail *m = peer_read(span_from(text, sizeof client - 1), &p) ? greylog_mail(g, 'p', id, true) : NULL;
		/* Who logs in is not greylisted. */
		if (!m || peer_after(text, ", sasl_", &ignored))
			return MAILLOG_OTHER;
		greymail_set_peer(m, &p);
		m->at = l->at;
		return MAILLOG_READ;
	}
	struct greymail *m = greylog_find(g, 'p', id);
	if (!m || !m->has_peer)
		return MAILLOG_OTHER;
	if (span_starts(text, span_of("from=<")) && greylog_between(text, "from=<", '>', &sender)) {
		greymail_set_sender(m, sender);
		return MAILLOG_READ;
	}
	if (!span_starts(text, span_of("to=<")) || !peer_after(text, ", status=", &ignored))
		return MAILLOG_OTHER;
	if (!greylog_between(text, ", orig_to=<", '>', &recipient) && !greylog_between(text, "to=<", '>', &recipient))
		return MAILLOG_OTHER;
	greylog_tell_mail(g, m, false, recipient);
	return MAILLOG_READ;
}

enum maillog_line greylog_postfix(struct greylog *g, const struct logline *l)
{
	size_t colon = span_find(l->text, ':');
	struct span text = span_trim(span_from(l->text, colon + 1));
	static const char reject[] = "reject: RCPT from ", milter[] = "milter-reject: RCPT from ";

	if (span_starts(text, span_of(reject)))
		return postfix_reject(g, l, span_from(text, sizeof reject - 1));
	if (span_starts(text, span_of(milter)))
		return postfix_reject(g, l, span_from(text, sizeof milter - 1));
	return postfix_queue(g, l, span_head(l->text, colon), text);
}

/* --- Sendmail ----------------------------------------------------------------------------- */

/* The sender is logged after the recipients that were refused. */
static enum maillog_line sendmail_from(struct greylog *g, const struct logline *l, struct span id, struct span text)
{
	struct greymail *m = greylog_mail(g, 's', id, false);
	struct span sender, relay;
	struct peer p;

	if (!m || !greylog_between(text, "from=<", '>', &sender) || !peer_after_last(text, ", relay=", &relay) || !peer_read(relay, &p))
		return MAILLOG_OTHER;
	greymail_set_peer(m, &p);
	greymail_set_sender(m, sender);
	m->at = l->at;
	for (unsigned i = 0; i < m->refused_count; i++)
		greylog_tell_mail(g, m, true, span_of(m->refused[i]));
	m->refused_count = 0;
	return MAILLOG_READ;
}

static enum maillog_line sendmail_refused(struct greylog *g, const struct logline *l, struct span id, struct span text,
					  const char *open)
{
	struct span recipient, reply;

	if (!greylog_between(text, open, '>', &recipient) || !peer_after_last(text, ", reject=", &reply) || !digits_4xx(reply) ||
	    !greylog_greylisted(reply))
		return MAILLOG_OTHER;
	struct greymail *m = greylog_mail(g, 's', id, false);
	if (!m)
		return MAILLOG_OTHER;
	m->at = l->at;
	if (m->has_sender) {
		greylog_tell_mail(g, m, true, recipient);
	} else if (m->refused_count < GREYMAIL_REFUSED) {
		struct buf b = BUF_ON(m->refused[m->refused_count++]);
		buf_addspan(&b, recipient);
	}
	return MAILLOG_READ;
}

/* "to=<A>,<B>, delay=00:00:01, ..., stat=Sent": whatever became of it, it had been accepted. */
static enum maillog_line sendmail_to(struct greylog *g, struct span id, struct span text)
{
	struct greymail *m = greylog_find(g, 's', id);
	struct span stat, one, rest = span_from(text, 3);

	if (!m || !peer_after_last(text, ", stat=", &stat))
		return MAILLOG_OTHER;
	rest = span_head(rest, (size_t)(stat.p - rest.p));
	while (rest.n && rest.p[0] == '<' && greylog_between(rest, "<", '>', &one)) {
		greylog_tell_mail(g, m, false, one);
		rest = span_from(rest, one.n + 2);
		if (rest.n && rest.p[0] == ',')
			rest = span_from(rest, 1);
	}
	return MAILLOG_READ;
}

enum maillog_line greylog_sendmail(struct greylog *g, const struct logline *l)
{
	size_t colon = span_find(l->text, ':');
	struct span id = span_head(l->text, colon), text = span_trim(span_from(l->text, colon + 1));

	if (span_starts(text, span_of("from=<")))
		return sendmail_from(g, l, id, text);
	if (span_starts(text, span_of("Milter: to=<")))
		return sendmail_refused(g, l, id, text, "to=<");
	if (span_starts(text, span_of("ruleset=check_rcpt, arg1=<")))
		return sendmail_refused(g, l, id, text, "arg1=<");
	if (span_starts(text, span_of("to=<")))
		return sendmail_to(g, id, text);
	return MAILLOG_OTHER;
}

/* --- Exim ------------------------------------------------------------------------------------ */

/* "NAME (HELO) [ADDR]:PORT ...": the address is in the last brackets, since a HELO may have some. */
static bool exim_host(struct span s, struct peer *out)
{
	size_t open = span_rfind(s, '[');
	struct span rest = span_from(s, open), name = span_head(s, span_find(s, ' '));

	if (open == s.n || !peer_read(rest, out))
		return false;
	/* One in parentheses is the HELO's, or was not confirmed. */
	out->name = peer_name(name);
	return true;
}

static enum maillog_line exim_rejected(struct greylog *g, const struct logline *l, struct span text)
{
	struct greylog_event e = { .deferred = true, .at = l->at };
	struct span host, reason;

	if (!peer_after_last(text, " temporarily rejected RCPT ", &reason) || !peer_after(text, "H=", &host))
		return MAILLOG_OTHER;
	/* The sender stands between " F=<" and the words that were just found. */
	struct span front = span_head(host, (size_t)(reason.p - host.p));
	if (!peer_after_last(front, " F=<", &e.sender))
		return MAILLOG_OTHER;
	struct span where = span_head(host, (size_t)(e.sender.p - host.p) - 4);
	e.sender = span_head(e.sender, span_find(e.sender, '>'));
	size_t colon = span_find(reason, ':');
	e.recipient = span_unwrap(span_trim(span_head(reason, colon)), '<', '>');
	if (!greylog_greylisted(span_from(reason, colon)) || !exim_host(where, &e.peer))
		return MAILLOG_OTHER;
	greylog_tell(g, &e);
	return MAILLOG_READ;
}

/* "<= SENDER H=NAME (HELO) [ADDR] P=esmtp ..."; with A= the client had logged in. */
static enum maillog_line exim_arrived(struct greylog *g, const struct logline *l, struct span id, struct span text)
{
	struct span sender = span_head(text, span_find(text, ' ')), host, ignored;
	struct peer p;

	if (!peer_after(text, " H=", &host) || peer_after(host, " A=", &ignored))
		return MAILLOG_OTHER;
	struct span protocol;
	if (peer_after(host, " P=", &protocol))
		host = span_head(host, (size_t)(protocol.p - host.p) - 3);
	struct greymail *m = exim_host(host, &p) ? greylog_mail(g, 'e', id, true) : NULL;
	if (!m)
		return MAILLOG_OTHER;
	greymail_set_peer(m, &p);
	greymail_set_sender(m, span_eq(sender, span_of("<>")) ? span_make("", 0) : sender);
	m->at = l->at;
	return MAILLOG_READ;
}

/* "=> bob <bob@example.net> R=local T=...": the address that was meant is in brackets when it is another. */
static enum maillog_line exim_delivered(struct greylog *g, struct span id, struct span text)
{
	struct greymail *m = greylog_find(g, 'e', id);
	struct span router, recipient;

	if (!m || !peer_after(text, " R=", &router))
		return MAILLOG_OTHER;
	text = span_head(text, (size_t)(router.p - text.p) - 3);
	if (!greylog_between_last(text, "<", '>', &recipient))
		recipient = span_head(text, span_find(text, ' '));
	greylog_tell_mail(g, m, false, recipient);
	return MAILLOG_READ;
}

enum maillog_line greylog_exim(struct greylog *g, const struct logline *l)
{
	static const char *const arrows[] = { "=> ", "-> ", ">> ", "== ", "** " };
	struct span text = l->text;

	/* With +pid in log_selector; through syslog its own time comes first. */
	if (text.n && text.p[0] == '[')
		text = span_trim(span_from(text, span_find(text, ']') + 1));
	if (text.n > 20 && text.p[4] == '-' && text.p[7] == '-' && text.p[10] == ' ')
		text = span_trim(span_from(text, 19));
	if (span_starts(text, span_of("H=")))
		return exim_rejected(g, l, text);
	size_t blank = span_find(text, ' ');
	struct span id = span_head(text, blank), rest = span_from(text, blank + 1);
	if (span_starts(rest, span_of("<= ")))
		return exim_arrived(g, l, id, span_from(rest, 3));
	if (span_starts(rest, span_of("H=")))
		return exim_rejected(g, l, rest);
	for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++)
		if (span_starts(rest, span_of(arrows[i])))
			return exim_delivered(g, id, span_from(rest, 3));
	return MAILLOG_OTHER;
}
