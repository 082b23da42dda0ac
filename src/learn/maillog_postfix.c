/* Postfix: "postfix/smtpd[123]: 9EC2FA7E2A0: client=mx.example.org[192.0.2.1]", and later
 * of the same queue id "status=sent", by whatever delivers. A confirmed name stands
 * before the bracket, else "unknown". */
#include "learn/maillog_format.h"

#define KIND 'p'

static struct span component(const struct logline *l)
{
	return span_from(l->program, span_rfind(l->program, '/') + 1);
}

static bool mine(const struct logline *l)
{
	return span_find(l->program, '/') < l->program.n;
}

static bool says(struct span s, const char *head, struct span *rest)
{
	struct span h = span_of(head);

	*rest = span_from(s, h.n);
	return span_starts(s, h);
}

/* "client=name[addr], sasl_method=..., sasl_username=...": with a login it is a user of ours. */
static enum maillog_line client(struct maillog *m, struct span id, struct span text)
{
	struct peer p;
	struct span login;

	if (!peer_read(text, &p))
		return MAILLOG_BAD;
	struct session *s = sessions_open(maillog_sessions(m), KIND, id);
	if (s) {
		session_set_peer(s, &p);
		s->ours = peer_after(text, ", sasl_", &login);
	}
	return MAILLOG_READ;
}

/* "lost connection after DATA (12 bytes) from name[addr]". After RSET and QUIT nothing was
 * left undone; a failed STARTTLS may be our fault. */
static enum maillog_line lost(struct maillog *m, const struct logline *l, struct span text)
{
	static const char *const commands[] = { "CONNECT", "HELO", "EHLO", "MAIL", "RCPT", "DATA", "BDAT" };
	size_t end = span_find(text, ' ');
	struct span who;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (span_eq(span_head(text, end), span_of(commands[i])))
			return peer_after(text, " from ", &who) ? maillog_lost_text(m, l, who) : MAILLOG_BAD;
	return MAILLOG_OTHER;
}

static enum maillog_line from_smtpd(struct maillog *m, const struct logline *l)
{
	struct span rest, who;
	size_t colon = span_find(l->text, ':');

	if (says(l->text, "lost connection after ", &rest))
		return lost(m, l, rest);
	if (says(l->text, "improper command pipelining after ", &rest))
		return peer_after(rest, " from ", &who) ? maillog_lost_text(m, l, who) : MAILLOG_BAD;
	if (says(span_from(l->text, colon), ": client=", &rest))
		return client(m, span_head(l->text, colon), rest);
	return MAILLOG_OTHER;
}

/* "PREGREET 11 after 0.1 from [addr]:port: EHLO x", "HANGUP after 0 from [addr]:port in
 * tests before SMTP handshake" (POSTSCREEN_README). */
static enum maillog_line from_postscreen(struct maillog *m, const struct logline *l)
{
	static const char *const tests[] = { "PREGREET ", "HANGUP ", "COMMAND PIPELINING ", "NON-SMTP COMMAND " };
	struct span rest, who;

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		if (says(l->text, tests[i], &rest))
			return peer_after(rest, "from ", &who) ? maillog_lost_text(m, l, who) : MAILLOG_BAD;
	return MAILLOG_OTHER;
}

/* What qmgr and the delivery agents say of a queue id. Only the latter's lines begin with
 * a recipient; cleanup quotes headers, which the client wrote. */
static enum maillog_line from_queue(struct maillog *m, const struct logline *l)
{
	size_t colon = span_find(l->text, ':');
	struct session *s = sessions_find(maillog_sessions(m), KIND, span_head(l->text, colon));
	struct span rest = span_trim(span_from(l->text, colon + 1)), status;

	if (!s)
		return MAILLOG_OTHER;
	if (span_eq(rest, span_of("removed"))) {
		sessions_drop(maillog_sessions(m), s);
		return MAILLOG_READ;
	}
	if (!says(rest, "to=<", &rest) || !peer_after(rest, ", status=", &status) || !says(status, "sent ", &rest))
		return MAILLOG_OTHER;
	if (!s->ours)
		maillog_accepted(m, l, session_peer(s));
	sessions_drop(maillog_sessions(m), s);
	return MAILLOG_READ;
}

static enum maillog_line take(struct maillog *m, const struct logline *l)
{
	struct span name = component(l);

	if (span_eq(name, span_of("smtpd")))
		return from_smtpd(m, l);
	if (span_eq(name, span_of("postscreen")))
		return from_postscreen(m, l);
	return from_queue(m, l);
}

const struct maillog_format maillog_postfix = { "postfix", mine, take };
