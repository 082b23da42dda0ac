/* Sendmail: "QID: from=<...>, ..., relay=mx.example.org [192.0.2.1]", and later of the same
 * queue id "stat=Sent". A name is confirmed unless "(may be forged)" follows. */
#include "learn/maillog_format.h"

#define KIND 's'

static bool mine(const struct logline *l)
{
	static const struct span sendmail = SPAN("sendmail"), mta = SPAN("sm-");

	return span_eq(l->program, sendmail) || span_starts(l->program, mta);
}

/* What the client chose (sender, message id) comes before the fields that we read, hence
 * the last of each. RFC 3848: a protocol that ends in A is a user's. */
static enum maillog_line from(struct maillog *m, struct span id, struct span text)
{
	struct span relay, proto, ignored;
	struct peer p;

	if (!peer_after_last(text, ", relay=", &relay))
		return MAILLOG_OTHER;
	/* A local user's "relay=root@localhost". A message that was not taken has no id. */
	if (!peer_read(relay, &p) || !peer_after(text, ", msgid=", &ignored))
		return MAILLOG_OTHER;
	struct session *s = sessions_open(maillog_sessions(m), KIND, id);
	if (!s)
		return MAILLOG_BAD;
	session_set_peer(s, &p);
	if (peer_after_last(text, ", proto=", &proto)) {
		size_t end = span_find(proto, ',');
		s->ours = end > 5 && proto.p[end - 1] == 'A';
	}
	return MAILLOG_READ;
}

static enum maillog_line to(struct maillog *m, const struct logline *l, struct span id, struct span text)
{
	struct session *s = sessions_find(maillog_sessions(m), KIND, id);
	struct span stat;

	if (!s || !peer_after(text, ", stat=", &stat))
		return MAILLOG_OTHER;
	if (!span_starts(stat, span_of("Sent")))
		return MAILLOG_READ;
	if (!s->ours)
		maillog_accepted(m, l, session_peer(s));
	sessions_drop(maillog_sessions(m), s);
	return MAILLOG_READ;
}

/* "mx.example.org [192.0.2.1] did not issue ...": before and after the address nothing else,
 * for other lines quote what the client sent. */
static bool did_nothing(struct span text)
{
	static const struct span forged = SPAN(" (may be forged)"), words = SPAN(" did not issue MAIL/EXPN/VRFY/ETRN during connection");
	struct span name = span_trim(span_head(text, span_find(text, '['))), rest = span_from(text, span_find(text, ']') + 1);

	if (span_starts(rest, forged))
		rest = span_from(rest, forged.n);
	return span_find(name, ' ') == name.n && span_starts(rest, words);
}

/* The words for those who leave early or do not wait for their turn. */
static enum maillog_line misdeed(struct maillog *m, const struct logline *l, struct span text)
{
	static const char *const heads[] = { "lost input channel from ", "rejecting commands from ",
					     "rejecting server HELO from ", "rejecting server EHLO from " };

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		if (span_starts(text, span_of(heads[i])))
			return maillog_lost_text(m, l, span_from(text, strlen(heads[i])));
	return did_nothing(text) ? maillog_lost_text(m, l, text) : MAILLOG_OTHER;
}

static enum maillog_line take(struct maillog *m, const struct logline *l)
{
	static const struct span sender = SPAN("from="), recipient = SPAN("to=");
	size_t colon = span_find(l->text, ':');
	struct span id = span_head(l->text, colon), text = span_trim(span_from(l->text, colon + 1));

	if (span_find(id, ' ') < id.n)
		return misdeed(m, l, l->text);
	if (span_starts(text, sender))
		return from(m, id, text);
	if (span_starts(text, recipient))
		return to(m, l, id, text);
	return misdeed(m, l, text);
}

const struct maillog_format maillog_sendmail = { "sendmail", mine, take };
