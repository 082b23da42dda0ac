/* qmail under tcpserver (or sslserver): "tcpserver: pid 123 from 192.0.2.1" begins a
 * session, "tcpserver: end 123 status 0" ends it. Whether mail was taken in between,
 * qmail-smtpd as it is does not log; with SPAMCONTROL and in s/qmail it says
 * "qmail-smtpd: pid 123 Accept::RCPT::Rcpthosts_Rcptto: P:ESMTP S:name:addr H:...". The
 * name is one that tcpserver found, confirmed only under its option -p: it is not taken. */
#include "learn/maillog_format.h"

#define KIND 'q'

/* splogger(8) and tai64 tools leave "1167609600.123456 " in front. */
static struct span without_stamp(struct span text)
{
	size_t i = 0;

	while (i < text.n && (ascii_digit(text.p[i]) || text.p[i] == '.'))
		i++;
	return i > 10 ? span_trim(span_from(text, i)) : text;
}

static bool cut_head(struct span *text, const char *head)
{
	struct span h = span_of(head);

	if (!span_starts(*text, h))
		return false;
	*text = span_from(*text, h.n);
	return true;
}

static bool is_server(struct span *text)
{
	return cut_head(text, "tcpserver: ") || cut_head(text, "sslserver: ");
}

static bool mine(const struct logline *l)
{
	struct span text = without_stamp(l->text);

	return is_server(&text) || cut_head(&text, "qmail-smtpd: ");
}

/* "123 from 192.0.2.1" */
static enum maillog_line begin(struct maillog *m, struct span text)
{
	struct peer p = { .name = span_make("", 0) };
	struct span pid, address;
	struct session *s;

	if (!span_cut(&text, ' ', &pid) || !cut_head(&text, "from ") || !span_cut(&text, ' ', &address) ||
	    !netaddr_parse(address, &p.client) || !(s = sessions_open(maillog_sessions(m), KIND, pid)))
		return MAILLOG_BAD;
	session_set_peer(s, &p);
	return MAILLOG_READ;
}

/* "123 status 256": exit status 1, by which qmail-smtpd says that the client has gone
 * without QUIT. A recipient that it had accepted may then have got nothing. */
static enum maillog_line end(struct maillog *m, const struct logline *l, struct span text)
{
	struct span pid;
	struct session *s = span_cut(&text, ' ', &pid) ? sessions_find(maillog_sessions(m), KIND, pid) : NULL;

	if (!s)
		return MAILLOG_OTHER;
	bool well = span_eq(text, span_of("status 0")), gone = span_eq(text, span_of("status 256"));
	if (s->accepted && well && !s->ours)
		maillog_accepted(m, l, session_peer(s));
	else if (gone && !s->ours)
		maillog_lost(m, l, session_peer(s));
	sessions_drop(maillog_sessions(m), s);
	return MAILLOG_READ;
}

/* "pid 123 Accept::RCPT::Rcpthosts_Rcptto: ...", "Accept::ORIG::Valid_Auth: ..." */
static enum maillog_line said(struct maillog *m, struct span text)
{
	struct span pid;

	if (!cut_head(&text, "pid ") || !span_cut(&text, ' ', &pid))
		return MAILLOG_OTHER;
	struct session *s = sessions_find(maillog_sessions(m), KIND, pid);
	if (!s)
		return MAILLOG_OTHER;
	if (cut_head(&text, "Accept::RCPT::"))
		s->accepted = true;
	else if (cut_head(&text, "Accept::SNDR::Relay_Client") || cut_head(&text, "Accept::ORIG::"))
		s->ours = true;
	else
		return MAILLOG_OTHER;
	return MAILLOG_READ;
}

static enum maillog_line take(struct maillog *m, const struct logline *l)
{
	struct span text = without_stamp(l->text);

	if (cut_head(&text, "qmail-smtpd: "))
		return said(m, text);
	if (!is_server(&text))
		return MAILLOG_OTHER;
	if (cut_head(&text, "pid "))
		return begin(m, text);
	if (cut_head(&text, "end "))
		return end(m, l, text);
	return MAILLOG_OTHER;
}

const struct maillog_format maillog_qmail = { "qmail", mine, take };
