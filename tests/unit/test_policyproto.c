#include "check.h"

#include "daemon/policyproto.h"

static void framing(void **state)
{
	size_t scanned = 0;

	(void)state;
	assert_int_equal(policyproto_frame(span_of(""), &scanned), 0);
	assert_int_equal(policyproto_frame(span_of("a=b\n"), &scanned), 0);
	assert_int_equal(scanned, 4);
	assert_int_equal(policyproto_frame(span_of("a=b\n\n"), &scanned), 5);
	scanned = 0;
	assert_int_equal(policyproto_frame(span_of("a=b\r\n\r\nrest"), &scanned), 7);
	scanned = 0;
	assert_int_equal(policyproto_frame(span_of("\nmore"), &scanned), 1);
	scanned = 0;
	assert_int_equal(policyproto_frame(span_of("a=b\n\r"), &scanned), 0);
	scanned = 0;
	assert_int_equal(policyproto_frame(span_of("a=\r\r\n\n"), &scanned), 6);
}

/* Byte by byte or at once: the same frame is found. */
static void framing_in_pieces(void **state)
{
	static const char alphabet[] = "\n\n\r=a";
	uint64_t seed = 9;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		char text[16];
		size_t whole = 0, pieces = 0, found = 0;
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = alphabet[check_random(&seed) % (sizeof alphabet - 1)];
		size_t wanted = policyproto_frame(span_make(text, sizeof text), &whole);
		for (size_t n = 1; n <= sizeof text && !found; n++)
			found = policyproto_frame(span_make(text, n), &pieces);
		assert_int_equal(found, wanted);
	}
}

static int parse(const char *text, struct request *r)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	unsigned junk;
	return policyproto_parse(span_of(text), r, &junk, &why);
}

static void a_postfix_request(void **state)
{
	struct request r;

	(void)state;
	assert_int_equal(parse("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=2001:db8::2\n"
			       "client_name=unknown\nreverse_client_name=h.example\nhelo_name=c=x\n"
			       "sender=a b=c\"d@Example.COM\nrecipient=o@example.net\ninstance=1.2.3.0\nqueue_id=\n"
			       "etrn_domain=\nsasl_username=\nencryption_protocol=TLSv1.3\nrecipient_count=0\n"
			       "new_attribute=1\n\n", &r), 0);
	assert_span(r.encryption_protocol, "TLSv1.3");
	assert_span(r.recipient_count, "0");
	assert_int_equal(r.stage, STAGE_RCPT);
	assert_int_equal(r.client.family, 6);
	assert_span(r.client_name, "");
	assert_span(r.reverse_name, "h.example");
	assert_span(r.helo, "c=x");
	assert_span(r.sender, "a b=c\"d@Example.COM");
	assert_span(r.instance, "1.2.3.0");
	assert_true(r.has_sender && r.has_recipient && r.has_etrn_domain && !r.once);
}

static void every_attribute_has_its_place(void **state)
{
	struct request r;

	(void)state;
	assert_int_equal(parse("request=smtpd_access_policy\nqueue_id=Q1\nrecipient=o@example.net\nsasl_method=PLAIN\n"
			       "sasl_username=u\npolicy_context=submission\nserver_address=192.0.2.5\nserver_port=25\n"
			       "greylag_report=spam\ngreylag_once=1\nprotocol_state=DATA\n=x\nserver_pork=1\nclient_addresses=2\n"
			       "a_name_that_is_longer_than_all=3\n\n", &r), 0);
	assert_span(r.queue_id, "Q1");
	assert_span(r.recipient, "o@example.net");
	assert_span(r.sasl_method, "PLAIN");
	assert_span(r.sasl_username, "u");
	assert_span(r.policy_context, "submission");
	assert_span(r.server_address, "192.0.2.5");
	assert_span(r.server_port, "25");
	assert_span(r.client_text, "");
	assert_int_equal(r.report, REPORT_SPAM);
	assert_true(r.once && !r.has_etrn_domain && !r.has_sender);
	assert_int_equal(r.stage, STAGE_DATA);
}

static void null_sender_and_missing_sender(void **state)
{
	struct request r;

	(void)state;
	assert_int_equal(parse("request=smtpd_access_policy\nsender=\n\n", &r), 0);
	assert_true(r.has_sender && request_null_sender(&r) && !r.has_recipient);
	assert_int_equal(parse("request=smtpd_access_policy\nsender=<>\nrecipient=<a@b>\n\n", &r), 0);
	assert_true(r.has_sender && request_null_sender(&r));
	assert_span(r.recipient, "a@b");
	assert_int_equal(parse("request=smtpd_access_policy\n\n", &r), 0);
	assert_false(r.has_sender);
	assert_int_equal(r.client.family, 0);
}

static void stages(void **state)
{
	static const struct { const char *word; enum stage stage; } rows[] = {
		{ "RCPT", STAGE_RCPT }, { "DATA", STAGE_DATA }, { "END-OF-MESSAGE", STAGE_END_OF_MESSAGE },
		{ "EHLO", STAGE_HELO }, { "HELO", STAGE_HELO }, { "CONNECT", STAGE_CONNECT },
		{ "MAIL", STAGE_MAIL }, { "VRFY", STAGE_OTHER }, { "rcpt", STAGE_OTHER }, { "", STAGE_OTHER },
	};
	struct request r;
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "request=smtpd_access_policy\nprotocol_state=%s\n\n", rows[i].word);
		assert_int_equal(parse(text, &r), 0);
		assert_int_equal(r.stage, rows[i].stage);
	}
}

/* Too long and odd values are judged all the same. */
static void hostile_values(void **state)
{
	char text[6100] = "request=smtpd_access_policy\nsender=";
	struct request r;

	(void)state;
	memset(text + strlen(text), 'x', 5000);
	snprintf(text + 5035, 30, "@example.org\n\n");
	assert_int_equal(parse(text, &r), 0);
	assert_int_equal(r.sender.n, REQUEST_ADDRESS_MAX);
	assert_true(span_ends(r.sender, span_of("x@example.org")));
	assert_int_equal(parse("request=smtpd_access_policy\nhelo_name=a\x01\nsender=\x02@x\n\n", &r), 0);
	assert_span(r.helo, "a\x01");
	assert_span(r.sender, "\x02@x");
}

static void what_is_no_request(void **state)
{
	struct request r;

	(void)state;
	assert_int_equal(parse("\n", &r), -1);
	assert_int_equal(parse("request=junk\n\n", &r), -1);
	assert_int_equal(parse("sender=a@b\n\n", &r), -1);
	assert_int_equal(parse("request\n\n", &r), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(framing), cmocka_unit_test(framing_in_pieces),
		cmocka_unit_test(a_postfix_request),
		cmocka_unit_test(every_attribute_has_its_place), cmocka_unit_test(null_sender_and_missing_sender),
		cmocka_unit_test(stages), cmocka_unit_test(hostile_values), cmocka_unit_test(what_is_no_request),
	};
	return cmocka_run_group_tests_name("policyproto", tests, NULL, NULL);
}
