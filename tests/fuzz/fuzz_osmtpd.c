/* The parser of the lines that OpenSMTPD sends to a filter, and the sessions that
 * its reports make. */
#include "doors/osmtpdsession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sessions sessions;

static void check_inside(struct span line, struct span part)
{
	if (part.n && (part.p < line.p || part.p + part.n > line.p + line.n))
		abort();
}

static void check_line(struct span text, const struct osmtpd_line *line)
{
	const struct span parts[] = { line->session, line->token, line->message, line->value, line->name, line->client,
				      line->server, line->server_port };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		check_inside(text, parts[i]);
	if (line->kind >= OSMTPD_ASK_RCPT && (line->token.n == 0 || line->token.n > OSMTPD_ID_MAX))
		abort();
	if (line->kind > OSMTPD_READY && (line->session.n == 0 || line->session.n > OSMTPD_ID_MAX))
		abort();
}

static void take(const struct osmtpd_line *line)
{
	struct session *s = line->session.n ? sessions_find(&sessions, line->session) : NULL;

	if (!s && line->kind == OSMTPD_CONNECT)
		s = sessions_add(&sessions, line->session);
	if (!s)
		return;
	if (line->kind == OSMTPD_DISCONNECT) {
		sessions_remove(&sessions, s);
		return;
	}
	session_note(&sessions, s, line);
	if (line->kind == OSMTPD_ASK_RCPT)
		session_set_header(&sessions, s, line->value);
	if (line->kind == OSMTPD_ASK_LINE)
		session_clear_header(&sessions, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size), text;
	struct osmtpd_line line;

	while (span_cut(&in, '\n', &text)) {
		osmtpd_parse(text, &line);
		check_line(text, &line);
		take(&line);
	}
	while (sessions.oldest)
		sessions_remove(&sessions, sessions.oldest);
	if (sessions.count || sessions.headers)
		abort();
	return 0;
}
