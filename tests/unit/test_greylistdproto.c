#include "check.h"

#include "daemon/greylistdproto.h"

static int parse(const char *line, struct greylistd_command *c)
{
	char text[200];
	struct buf why = BUF_ON(text);

	return greylistdproto_parse(span_of(line), c, &why);
}

static void check_request(const char *line, const char *client, const char *sender, const char *recipient,
			  enum stage stage)
{
	struct greylistd_command c;
	char text[NETADDR_TEXT];
	struct buf address = BUF_ON(text);

	if (parse(line, &c) != 0)
		fail_msg("refused: %s", line);
	netaddr_add(&address, &c.request.client);
	assert_string_equal(buf_str(&address), client);
	assert_span(c.request.sender, sender);
	assert_span(c.request.recipient, recipient);
	assert_int_equal(c.request.stage, stage);
	assert_true(c.request.has_sender && c.request.has_recipient);
}

static void ends(void **state)
{
	(void)state;
	assert_int_equal(greylistdproto_line(span_of("")), 0);
	assert_int_equal(greylistdproto_line(span_of("a b")), 3);
	assert_int_equal(greylistdproto_line(span_of("a b\nc\n")), 3);
}

static void verbs_and_lists(void **state)
{
	static const struct { const char *line; enum greylistd_verb verb; unsigned first, lists; } rows[] = {
		{ "192.0.2.1 a@b c@d", GREYLISTD_UPDATE, 0, 0 },
		{ "update 192.0.2.1 a@b c@d", GREYLISTD_UPDATE, 0, 0 },
		{ "--grey 192.0.2.1 a@b c@d", GREYLISTD_UPDATE, GREYLISTD_GREY, GREYLISTD_GREY },
		{ "-grey 192.0.2.1 a@b c@d\r", GREYLISTD_UPDATE, GREYLISTD_GREY, GREYLISTD_GREY },
		{ "\tCheck  --WHITE 192.0.2.1 a@b c@d", GREYLISTD_CHECK, GREYLISTD_WHITE, GREYLISTD_WHITE },
		{ "add --black 192.0.2.1", GREYLISTD_ADD, GREYLISTD_BLACK, GREYLISTD_BLACK },
		{ "delete 192.0.2.1", GREYLISTD_DELETE, 0, 0 },
		{ "status", GREYLISTD_STATS, 0, 0 }, { "stats", GREYLISTD_STATS, 0, 0 }, { "mrtg", GREYLISTD_MRTG, 0, 0 },
		{ "list --grey --white", GREYLISTD_LIST, GREYLISTD_GREY, GREYLISTD_GREY | GREYLISTD_WHITE },
		{ "clear ", GREYLISTD_CLEAR, 0, 0 }, { "save", GREYLISTD_SAVE, 0, 0 }, { "reload\r", GREYLISTD_RELOAD, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct greylistd_command c;
		assert_int_equal(parse(rows[i].line, &c), 0);
		assert_int_equal(c.verb, rows[i].verb);
		assert_int_equal(c.first, rows[i].first);
		assert_int_equal(c.lists, rows[i].lists);
	}
}

static void refused(void **state)
{
	static const char *const lines[] = {
		"", " ", "\r", "frob", "help me", "update", "check --grey ", "--grey", "--blue 192.0.2.1", "- 192.0.2.1",
		"stats x", "list --white x", "save it", "updates",
	};
	struct greylistd_command c;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (parse(lines[i], &c) == 0)
			fail_msg("taken: \"%s\"", lines[i]);
}

static void data(void **state)
{
	(void)state;
	check_request("--grey 192.0.2.1 a@b.example c@d.example", "192.0.2.1", "a@b.example", "c@d.example", STAGE_RCPT);
	check_request("192.0.2.1   a@b\tc@d  ", "192.0.2.1", "a@b", "c@d", STAGE_RCPT);
	check_request("192.0.2.1 <a@b> <c@d> helo.example more", "192.0.2.1", "a@b", "c@d", STAGE_RCPT);
	check_request("a@b c@d 2001:db8::1", "2001:db8::1", "a@b", "c@d", STAGE_RCPT);
	check_request("192.0.2.1 192.0.2.9 c@d", "192.0.2.1", "192.0.2.9", "c@d", STAGE_RCPT);
}

static void null_senders(void **state)
{
	(void)state;
	check_request("192.0.2.1 <> c@d", "192.0.2.1", "", "c@d", STAGE_RCPT);
	check_request("--grey 192.0.2.1  c@d", "192.0.2.1", "", "c@d", STAGE_RCPT);
	check_request("--grey  192.0.2.1 c@d", "192.0.2.1", "", "c@d", STAGE_DATA);
	check_request("192.0.2.1 c@d", "192.0.2.1", "", "c@d", STAGE_DATA);
	check_request("192.0.2.1 c@d, e@f, g@h", "192.0.2.1", "", "c@d", STAGE_DATA);
	check_request("192.0.2.1", "192.0.2.1", "", "*", STAGE_DATA);
	check_request("192.0.2.1  ", "192.0.2.1", "", "*", STAGE_DATA);
}

/* What a sender writes in quotes does not become a recipient. */
static void quotes(void **state)
{
	(void)state;
	check_request("192.0.2.1 \"x postmaster@y z\"@e.example c@d", "192.0.2.1", "\"x postmaster@y z\"@e.example", "c@d",
		      STAGE_RCPT);
	check_request("192.0.2.1 a.\"\\\" b\"@e c@d", "192.0.2.1", "a.\"\\\" b\"@e", "c@d", STAGE_RCPT);
	check_request("192.0.2.1 \"a b@e c@d", "192.0.2.1", "\"a", "b@e", STAGE_RCPT);
}

static void networks(void **state)
{
	(void)state;
	check_request("192.0.2.77/24 a@b c@d", "192.0.2.0", "a@b", "c@d", STAGE_RCPT);
	check_request("2001:db8::77/64 a@b c@d", "2001:db8::", "a@b", "c@d", STAGE_RCPT);
	/* Exim's ${mask:2001:db8::77/64} */
	check_request("2001.0db8.0000.0000.0000.0000.0000.0000/64 a@b c@d", "2001:db8::", "a@b", "c@d", STAGE_RCPT);
	check_request("0.0.0.0/0 a@b c@d", "0.0.0.0", "a@b", "c@d", STAGE_RCPT);
}

static void without_client(void **state)
{
	static const char *const lines[] = {
		"--grey  a@b c@d", "a@b c@d", "192.0.2.0/33 a@b c@d", "192.0.2.0/ a@b c@d", "/24 a@b c@d", "10 a@b c@d",
		"check frob", "--white frob", "2001.0db8.0000.0000.0000.0000.0000.0000.0000/64 a@b",
	};
	struct greylistd_command c;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		assert_int_equal(parse(lines[i], &c), 0);
		assert_int_equal(c.request.client.family, 0);
		assert_int_equal(c.request.client_text.n, 0);
	}
}

static void hostile_data(void **state)
{
	char line[GREYLISTDPROTO_MAX], text[100];
	struct buf b = BUF_ON(line), why = BUF_ON(text);
	struct greylistd_command c;

	(void)state;
	assert_int_equal(parse("192.0.2.1 a\x01@b c@d", &c), 0);
	assert_span(c.request.sender, "a\x01@b");
	assert_int_equal(greylistdproto_parse(span_make("192.0.2.1 a\0b c@d", 17), &c, &why), 0);
	assert_int_equal(c.request.sender.n, 3);
	buf_adds(&b, "192.0.2.1 ");
	for (int i = 0; i < REQUEST_ADDRESS_MAX + 1; i++)
		buf_addc(&b, 'a');
	buf_adds(&b, "@e c@d");
	assert_int_equal(greylistdproto_parse(buf_span(&b), &c, &why), 0);
	assert_int_equal(c.request.sender.n, REQUEST_ADDRESS_MAX);
	assert_true(span_ends(c.request.sender, span_of("a@e")));
}

static void answers(void **state)
{
	static const enum verdict verdicts[] = { VERDICT_PASS, VERDICT_OBSERVE, VERDICT_DEFER, VERDICT_REJECT };
	static const char *const words[] = { "white", "white", "grey", "black" };
	char text[20];
	struct buf out = BUF_ON(text);
	struct greylistd_command c;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		unsigned list = greylistdproto_list(verdicts[i]);
		assert_int_equal(parse("192.0.2.1 a@b c@d", &c), 0);
		buf_clear(&out);
		greylistdproto_answer(&out, &c, list);
		assert_string_equal(buf_str(&out), words[i]);
		assert_int_equal(parse("--grey 192.0.2.1 a@b c@d", &c), 0);
		buf_clear(&out);
		greylistdproto_answer(&out, &c, list);
		assert_string_equal(buf_str(&out), verdicts[i] == VERDICT_DEFER ? "true" : "false");
	}
}

/* Whatever comes: no crash, and what is borrowed lies within the line. */
static void any_bytes(void **state)
{
	static const char alphabet[] = "  \t\"\\<>-,./:@a12\0\n";
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char line[40], text[100];
		struct buf why = BUF_ON(text);
		struct greylistd_command c;
		size_t n = check_random(&seed) % sizeof line;
		for (size_t i = 0; i < n; i++)
			line[i] = alphabet[check_random(&seed) % (sizeof alphabet - 1)];
		if (greylistdproto_parse(span_make(line, n), &c, &why) != 0)
			continue;
		struct span s = c.request.sender;
		assert_true(s.n == 0 || (s.p >= line && s.p + s.n <= line + n));
		s = c.request.client_text;
		assert_true(s.n == 0 || (s.p >= line && s.p + s.n <= line + n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends), cmocka_unit_test(verbs_and_lists), cmocka_unit_test(refused), cmocka_unit_test(data),
		cmocka_unit_test(null_senders), cmocka_unit_test(quotes), cmocka_unit_test(networks),
		cmocka_unit_test(without_client), cmocka_unit_test(hostile_data), cmocka_unit_test(answers),
		cmocka_unit_test(any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
