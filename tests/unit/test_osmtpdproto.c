#include "check.h"

#include "doors/osmtpdsession.h"

#define SID "438b22167c9753dc"

static struct osmtpd_line parsed(const char *text)
{
	struct osmtpd_line line;

	osmtpd_parse(span_of(text), &line);
	return line;
}

static void connections(void **state)
{
	static const struct {
		const char *fields, *name, *client, *server, *port;
		bool confirmed;
	} rows[] = {
		{ "local|pass|127.0.0.1:57342|127.0.0.2:25254", "local", "127.0.0.1", "127.0.0.2", "25254", true },
		{ "a.example|fail|192.0.2.1:1|[::1]:25", "a.example", "192.0.2.1", "::1", "25", false },
		{ "<unknown>|pass|[2001:db8::1]:59464|[::1]:25", "", "2001:db8::1", "::1", "25", false },
		{ "local|pass|unix:/run/x|unix:/run/x", "local", "unix", "unix", "/run/x", true },
		{ "", "", "", "", "", false }, { "|pass||", "", "", "", "", false },
		{ "a|pass", "a", "", "", "", true },
		{ "a|error|[]:|[", "a", "", "[", "", false },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "report|0.6|1.5|smtp-in|link-connect|" SID "|%s", rows[i].fields);
		struct osmtpd_line line = parsed(text);
		assert_int_equal(line.kind, OSMTPD_CONNECT);
		assert_span(line.session, SID);
		assert_span(line.name, rows[i].name);
		assert_span(line.client, rows[i].client);
		assert_span(line.server, rows[i].server);
		assert_span(line.server_port, rows[i].port);
		assert_int_equal(line.confirmed, rows[i].confirmed);
	}
}

/* What the client chose is whole, and cannot be taken for the result. */
static void orders_of_fields(void **state)
{
	static const struct {
		const char *version, *event, *fields;
		enum osmtpd_kind kind;
		bool ok;
		const char *value;
	} rows[] = {
		{ "0.5", "tx-mail", "28fa6bd2|a|b@x|ok", OSMTPD_MAIL, true, "a|b@x" },
		{ "0.5", "tx-mail", "28fa6bd2|ok|permfail", OSMTPD_MAIL, false, "ok" },
		{ "0.5", "tx-mail", "28fa6bd2||ok", OSMTPD_MAIL, true, "" },
		{ "0.6", "tx-mail", "28fa6bd2|ok|a|ok", OSMTPD_MAIL, true, "a|ok" },
		{ "0.6", "tx-mail", "28fa6bd2|ok|", OSMTPD_MAIL, true, "" },
		{ "0.6", "tx-mail", "28fa6bd2|permfail|ok", OSMTPD_MAIL, false, "ok" },
		{ "1.0", "tx-mail", "28fa6bd2|ok|a@x", OSMTPD_MAIL, true, "a@x" },
		{ "0.6", "tx-mail", "", OSMTPD_OTHER, false, "" },
		{ "0.6", "link-tls", "TLSv1.3:TLS_AES_256_GCM_SHA384:256", OSMTPD_TLS, false, "TLSv1.3" },
		{ "0.6", "link-tls", "", OSMTPD_TLS, false, "" },
		{ "0.6", "link-auth", "a|pass|pass", OSMTPD_AUTH, true, "a|pass" },
		{ "0.6", "link-auth", "pass|fail", OSMTPD_AUTH, false, "pass" },
		{ "0.6", "link-auth", "pass", OSMTPD_AUTH, false, "pass" },
		{ "0.7", "link-auth", "fail|a|pass", OSMTPD_AUTH, false, "a|pass" },
		{ "0.7", "link-auth", "pass|a", OSMTPD_AUTH, true, "a" },
		{ "0.6", "link-identify", "EHLO|a|b", OSMTPD_IDENTIFY, false, "a|b" },
		{ "0.6", "link-identify", "a", OSMTPD_IDENTIFY, false, "a" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "report|%s|1|smtp-in|%s|" SID "|%s", rows[i].version, rows[i].event,
			 rows[i].fields);
		struct osmtpd_line line = parsed(text);
		if (line.kind != rows[i].kind || line.ok != rows[i].ok)
			fail_msg("%s: kind %d, ok %d", text, (int)line.kind, line.ok);
		if (line.kind != OSMTPD_OTHER)
			assert_span(line.value, rows[i].value);
	}
}

static void requests(void **state)
{
	static const struct { const char *text; enum osmtpd_kind kind; const char *value; } rows[] = {
		{ "filter|0.6|1|smtp-in|rcpt-to|" SID "|17|a|b@x", OSMTPD_ASK_RCPT, "a|b@x" },
		{ "filter|0.6|1|smtp-in|data|" SID "|17|", OSMTPD_ASK_DATA, "" },
		{ "filter|0.6|1|smtp-in|data|" SID "|17", OSMTPD_ASK_DATA, "" },
		{ "filter|0.6|1|smtp-in|data-line|" SID "|17|", OSMTPD_ASK_LINE, "" },
		{ "filter|0.6|1|smtp-in|data-line|" SID "|17||a||", OSMTPD_ASK_LINE, "|a||" },
		{ "filter|0.6|1|smtp-in|commit|" SID "|17|", OSMTPD_ASK_OTHER, "" },
		{ "filter|0.6|1|smtp-in|rcpt-to|" SID "||a@x", OSMTPD_OTHER, NULL },
		{ "filter|0.6|1|smtp-in|rcpt-to|" SID, OSMTPD_OTHER, NULL },
		{ "filter|0.6|1|smtp-in|rcpt-to||17|a@x", OSMTPD_OTHER, NULL },
		{ "filter|0.6|1|smtp-out|rcpt-to|" SID "|17|a@x", OSMTPD_OTHER, NULL },
		{ "filter|0.6|1|smtp-in|rcpt-to|000000000000000000000000000000000|17|a@x", OSMTPD_OTHER, NULL },
		{ "config|ready", OSMTPD_READY, NULL }, { "config|ready|", OSMTPD_OTHER, NULL },
		{ "config", OSMTPD_OTHER, NULL }, { "", OSMTPD_OTHER, NULL }, { "|||||||", OSMTPD_OTHER, NULL },
		{ "report|0.6|1|smtp-in|timeout|" SID, OSMTPD_OTHER, NULL },
		{ "report|0.6|1|smtp-in|link-disconnect|" SID, OSMTPD_DISCONNECT, NULL },
		{ "report|0.6|1|smtp-in|tx-reset|" SID, OSMTPD_END, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct osmtpd_line line = parsed(rows[i].text);
		if (line.kind != rows[i].kind)
			fail_msg("%s is of kind %d", rows[i].text, (int)line.kind);
		if (rows[i].value)
			assert_span(line.value, rows[i].value);
	}
}

static struct session *add(struct sessions *t, unsigned number)
{
	char id[OSMTPD_ID_MAX];

	snprintf(id, sizeof id, "%016x", number);
	struct session *s = sessions_add(t, span_of(id));
	assert_non_null(s);
	assert_ptr_equal(sessions_find(t, span_of(id)), s);
	return s;
}

static void sessions_by_age(void **state)
{
	static struct sessions t;

	(void)state;
	struct session *first = add(&t, 0), *second = add(&t, 1);
	for (unsigned i = 2; i < SESSIONS_MAX; i++)
		session_set_header(&t, add(&t, i), span_of("X: y"));
	assert_ptr_equal(t.oldest, first);
	sessions_remove(&t, second);
	sessions_remove(&t, first);
	assert_null(sessions_find(&t, span_of("0000000000000001")));
	assert_span(buf_span(&t.oldest->id), "0000000000000002");
	assert_int_equal(t.headers, SESSIONS_MAX - 2);
	while (t.newest)
		sessions_remove(&t, t.newest);
	assert_true(t.count == 0 && t.headers == 0 && !t.oldest);
}

static void transactions(void **state)
{
	static struct sessions t;
	struct session *s = add(&t, 1);
	struct osmtpd_line refused = parsed("report|0.6|1|smtp-in|tx-mail|" SID "|28fa6bd2|permfail|a@x"),
			   mail = parsed("report|0.6|1|smtp-in|tx-mail|" SID "|28fa6bd2|ok|a@x"),
			   end = parsed("report|0.6|1|smtp-in|tx-commit|" SID "|28fa6bd2|10");

	(void)state;
	session_note(&t, s, &refused);
	assert_false(s->has_sender);
	session_note(&t, s, &mail);
	assert_true(s->has_sender);
	assert_span(buf_span(&s->sender), "a@x");
	session_set_header(&t, s, span_of("X: 1"));
	session_set_header(&t, s, span_of("X: 2"));
	assert_span(buf_span(&s->header), "X: 1");
	session_note(&t, s, &end);
	assert_true(!s->has_sender && s->sender.n == 0 && s->message.n == 0 && s->header.n == 0 && t.headers == 0);
	sessions_remove(&t, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections), cmocka_unit_test(orders_of_fields), cmocka_unit_test(requests),
		cmocka_unit_test(sessions_by_age), cmocka_unit_test(transactions),
	};
	return cmocka_run_group_tests_name("osmtpdproto", tests, NULL, NULL);
}
