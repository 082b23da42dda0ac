/* OpenSMTPD: lines of one session have its id in front, "c4e8... smtp connected
 * address=192.0.2.1 host=mx.example.org", "c4e8... smtp message msgid=..." for each message
 * that was accepted, "c4e8... smtp disconnected reason=quit". Until 6.3 they read "smtp
 * event=connected", "event=closed". The host is only the reverse name, so it is not taken. */
#include "learn/maillog_format.h"

#define KIND 'o'
#define ID_DIGITS 16

/* Splits "ID smtp WORD REST". */
static bool split(struct span text, struct span *id, struct span *word, struct span *rest)
{
	static const struct span smtp = SPAN(" smtp "), event = SPAN("event=");

	*id = span_head(text, ID_DIGITS);
	*rest = span_from(text, ID_DIGITS);
	for (size_t i = 0; i < id->n; i++)
		if (!ascii_hex(id->p[i]))
			return false;
	if (!span_starts(*rest, smtp))
		return false;
	*rest = span_from(*rest, smtp.n);
	if (span_starts(*rest, event))
		*rest = span_from(*rest, event.n);
	return span_cut(rest, ' ', word);
}

static bool mine(const struct logline *l)
{
	static const struct span smtpd = SPAN("smtpd");
	struct span id, word, rest;

	return (l->program.n == 0 || span_eq(l->program, smtpd)) && split(l->text, &id, &word, &rest);
}

/* "address=192.0.2.1 host=x"; a local user's is "local". */
static enum maillog_line connected(struct maillog *m, struct span id, struct span rest)
{
	static const struct span address = SPAN("address=");
	struct peer p = { .name = span_make("", 0) };
	struct span text = span_from(rest, address.n);
	struct session *s;

	if (!span_starts(rest, address))
		return MAILLOG_BAD;
	if (!netaddr_parse(span_head(text, span_find(text, ' ')), &p.client))
		return MAILLOG_OTHER;
	if (!(s = sessions_open(maillog_sessions(m), KIND, id)))
		return MAILLOG_BAD;
	session_set_peer(s, &p);
	return MAILLOG_READ;
}

/* Whoever goes without QUIT, and has sent nothing. */
static enum maillog_line disconnected(struct maillog *m, const struct logline *l, struct session *s, struct span rest)
{
	struct span reason;
	bool hung_up = peer_after(rest, "reason=", &reason) &&
		       (span_starts(reason, span_of("disconnect")) || span_starts(reason, span_of("\"io-error")));
	struct peer p = session_peer(s);

	if (hung_up && !s->accepted && !s->ours)
		maillog_lost(m, l, p);
	sessions_drop(maillog_sessions(m), s);
	return MAILLOG_READ;
}

static enum maillog_line take(struct maillog *m, const struct logline *l)
{
	struct span id, word, rest, ok;

	if (!split(l->text, &id, &word, &rest))
		return MAILLOG_OTHER;
	if (span_eq(word, span_of("connected")))
		return connected(m, id, rest);
	struct session *s = sessions_find(maillog_sessions(m), KIND, id);
	if (!s)
		return MAILLOG_OTHER;
	if (span_eq(word, span_of("disconnected")) || span_eq(word, span_of("closed")))
		return disconnected(m, l, s, rest);
	if (span_eq(word, span_of("authentication")) && peer_after_last(rest, " result=", &ok))
		s->ours = s->ours || span_eq(ok, span_of("ok"));
	else if (span_eq(word, span_of("message")))
		s->accepted = true;
	else
		return MAILLOG_OTHER;
	if (s->accepted && !s->ours && span_eq(word, span_of("message")))
		maillog_accepted(m, l, session_peer(s));
	return MAILLOG_READ;
}

const struct maillog_format maillog_opensmtpd = { "opensmtpd", mine, take };
