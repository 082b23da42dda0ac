#include "doors/osmtpdproto.h"

#define MINOR_NEWEST 7
/* Where the result moved before the address, and before the user: what a client
 * chose may hold a '|' and can only stand last. */
#define MINOR_MAIL_RESULT_FIRST 6
#define MINOR_AUTH_RESULT_FIRST 7

static struct span field(struct span *rest)
{
	size_t n = span_find(*rest, '|');
	struct span head = span_head(*rest, n);

	*rest = span_from(*rest, n + 1);
	return head;
}

/* The last field, for versions in which text of the client stands before it. */
static struct span last_field(struct span *rest)
{
	size_t n = span_rfind(*rest, '|');
	struct span last = n < rest->n ? span_from(*rest, n + 1) : (struct span){ "", 0 };

	*rest = span_head(*rest, n);
	return last;
}

static bool is(struct span s, const char *word)
{
	return span_eq(s, span_of(word));
}

static bool id_valid(struct span s)
{
	return s.n > 0 && s.n <= OSMTPD_ID_MAX;
}

/* An unknown version is most likely a newer one. */
static unsigned minor_of(struct span version)
{
	static const struct span zero = SPAN("0.");
	uint64_t minor;

	if (!span_starts(version, zero) || !span_uint(span_from(version, zero.n), 1000, &minor))
		return MINOR_NEWEST;
	return (unsigned)minor;
}

/* "192.0.2.1:25", "[2001:db8::1]:25", "unix:/path". */
static struct span address(struct span s, struct span *port)
{
	size_t colon = span_rfind(s, ':');

	*port = span_from(s, colon + 1);
	return span_unwrap(span_head(s, colon), '[', ']');
}

static void parse_connect(struct span rest, struct osmtpd_line *out)
{
	struct span port;

	out->kind = OSMTPD_CONNECT;
	out->name = field(&rest);
	if (is(out->name, "<unknown>"))
		out->name = (struct span){ "", 0 };
	out->confirmed = is(field(&rest), "pass") && out->name.n;
	out->client = address(field(&rest), &port);
	out->server = address(rest, &out->server_port);
}

static void parse_identify(struct span rest, struct osmtpd_line *out)
{
	struct span after = rest, method = field(&after);

	out->kind = OSMTPD_IDENTIFY;
	out->value = is(method, "HELO") || is(method, "EHLO") ? after : rest;
}

static void parse_auth(struct span rest, struct osmtpd_line *out)
{
	out->kind = OSMTPD_AUTH;
	out->ok = is(out->minor >= MINOR_AUTH_RESULT_FIRST ? field(&rest) : last_field(&rest), "pass");
	out->value = rest;
}

/* "TLSv1.3:TLS_AES_256_GCM_SHA384:256", as in smtpd's log. */
static void parse_tls(struct span rest, struct osmtpd_line *out)
{
	out->kind = OSMTPD_TLS;
	out->value = span_head(rest, span_find(rest, ':'));
}

static void parse_mail(struct span rest, struct osmtpd_line *out)
{
	out->kind = OSMTPD_MAIL;
	out->message = field(&rest);
	out->ok = is(out->minor >= MINOR_MAIL_RESULT_FIRST ? field(&rest) : last_field(&rest), "ok");
	out->value = rest;
	if (!id_valid(out->message))
		out->kind = OSMTPD_OTHER;
}

static void parse_begin(struct span rest, struct osmtpd_line *out)
{
	out->message = field(&rest);
	out->kind = id_valid(out->message) ? OSMTPD_BEGIN : OSMTPD_OTHER;
}

static void parse_end(struct span rest, struct osmtpd_line *out)
{
	out->message = field(&rest);
	out->kind = OSMTPD_END;
}

static void parse_disconnect(struct span rest, struct osmtpd_line *out)
{
	(void)rest;
	out->kind = OSMTPD_DISCONNECT;
}

static void parse_report(struct span event, struct span rest, struct osmtpd_line *out)
{
	static const struct {
		const char *event;
		void (*parse)(struct span rest, struct osmtpd_line *out);
	} events[] = {
		{ "link-connect", parse_connect }, { "link-identify", parse_identify }, { "link-auth", parse_auth },
		{ "link-tls", parse_tls }, { "tx-begin", parse_begin }, { "tx-mail", parse_mail }, { "tx-reset", parse_end },
		{ "tx-rollback", parse_end }, { "tx-commit", parse_end }, { "link-disconnect", parse_disconnect },
	};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (is(event, events[i].event))
			events[i].parse(rest, out);
}

static void parse_filter(struct span phase, struct span rest, struct osmtpd_line *out)
{
	out->token = field(&rest);
	out->value = rest;
	if (!id_valid(out->token))
		return;
	out->kind = is(phase, "rcpt-to")     ? OSMTPD_ASK_RCPT
		    : is(phase, "data")      ? OSMTPD_ASK_DATA
		    : is(phase, "data-line") ? OSMTPD_ASK_LINE
					     : OSMTPD_ASK_OTHER;
}

void osmtpd_parse(struct span line, struct osmtpd_line *out)
{
	static const struct span none = SPAN("");
	struct span rest = line, stream = field(&rest);

	*out = (struct osmtpd_line){ .session = none, .token = none, .message = none, .value = none, .name = none,
				     .client = none, .server = none, .server_port = none };
	if (is(stream, "config")) {
		out->kind = is(rest, "ready") ? OSMTPD_READY : OSMTPD_OTHER;
		return;
	}
	out->minor = minor_of(field(&rest));
	field(&rest);	/* the time */
	struct span subsystem = field(&rest), what = field(&rest);
	out->session = field(&rest);
	if (!is(subsystem, "smtp-in") || !id_valid(out->session))
		return;
	if (is(stream, "report"))
		parse_report(what, rest, out);
	else if (is(stream, "filter"))
		parse_filter(what, rest, out);
}
