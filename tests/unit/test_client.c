#include "check.h"

#include "client/answer.h"
#include "base/endpoint.h"
#include "client/question.h"

static void endpoints(void **state)
{
	static const char *const good[] = {
		"/run/x", "unix:/run/x", "unix:relative", "127.0.0.1:25", "inet:127.0.0.1:65535", "[::1]:10023", "inet:[::1]:1",
	};
	static const char *const bad[] = {
		"", "unix:", "inet:", "localhost:25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:x", "inet:999.0.0.1:25", "tcp:127.0.0.1:25",
		"/123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
	};
	char text[200];
	struct buf why = BUF_ON(text);
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (endpoint_parse(span_of(good[i]), &e, &why) != 0)
			fail_msg("%s: %s", good[i], text);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&why);
		if (endpoint_parse(span_of(bad[i]), &e, &why) == 0 || why.n == 0)
			fail_msg("%s is taken", bad[i]);
	}
}

static void questions(void **state)
{
	static const struct { const char *argument, *wanted; } rows[] = {
		{ "<>", "sender=\n" }, { "", "sender=\n" }, { "<alice@example.org>", "sender=alice@example.org\n" },
		{ "alice@example.org", "sender=alice@example.org\n" }, { "<\"a b\"@example.org>", "sender=a b@example.org\n" },
		{ "<\"a\\\"b\\\\\"@x>", "sender=a\"b\\@x\n" }, { "<\"\"@x>", "sender=@x\n" }, { "<\"@x>", "sender=\"@x\n" },
		{ "<a\nrecipient=b@x>", "sender=a?recipient=b@x\n" }, { "<j\xc3\xb6rg@x>", "sender=j\xc3\xb6rg@x\n" },
		{ "<@relay:alice@example.org>", "sender=@relay:alice@example.org\n" },
	};
	struct buf b = buf_heap(QUESTION_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		question_address(&b, "sender", span_of(rows[i].argument));
		assert_string_equal(buf_str(&b), rows[i].wanted);
	}
	question_begin(&b, "RCPT");
	question_add(&b, "client_address", span_of("192.0.2.1"));
	question_add(&b, "client_name", span_of(""));
	question_add(&b, "helo_name", span_make("a\0b\n", 4));
	question_end(&b);
	assert_string_equal(buf_str(&b), "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
					 "client_address=192.0.2.1\nhelo_name=a?b?\n\n");
	buf_free(&b);
}

static void answers(void **state)
{
	static const struct { const char *frame; enum answer_kind kind; const char *reply; } rows[] = {
		{ "action=DUNNO\n\n", ANSWER_PASS, NULL }, { "action=dunno\n\n", ANSWER_PASS, NULL },
		{ "action=OK\n\n", ANSWER_PASS, NULL }, { "action=\n\n", ANSWER_PASS, NULL },
		{ "action=HOLD it\n\n", ANSWER_PASS, NULL }, { "x=y\naction=DEFER a\n\n", ANSWER_DEFER, "451 4.7.1 a" },
		{ "action=DEFER_IF_PERMIT 4.2.0 Greylisted, wait\n\n", ANSWER_DEFER, "451 4.2.0 Greylisted, wait" },
		{ "action=defer_if_permit Greylisted\n\n", ANSWER_DEFER, "451 4.7.1 Greylisted" },
		{ "action=450 Greylisted\n\n", ANSWER_DEFER, "450 4.7.1 Greylisted" },
		{ "action=450 4.7.0 Greylisted\n\n", ANSWER_DEFER, "450 4.7.0 Greylisted" },
		{ "action=421\n\n", ANSWER_DEFER, "421 4.7.1 Please try again later" },
		{ "action=REJECT 5.7.1 no\n\n", ANSWER_REJECT, "451 5.7.1 no" },
		{ "action=554 no\n\n", ANSWER_REJECT, "554 4.7.1 no" },
		{ "action=DEFER 4.2.0.1 a\n\n", ANSWER_DEFER, "451 4.7.1 4.2.0.1 a" },
		{ "action=DEFER a\rb\xc3\xa4\n\n", ANSWER_DEFER, "451 4.7.1 a?b??" },
		{ "action=PREPEND\n\n", ANSWER_PASS, NULL },
	};
	char text[1000];
	struct answer a;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf reply = BUF_ON(text);
		struct span frame = span_of(rows[i].frame);
		assert_int_equal(answer_frame(frame), frame.n);
		assert_int_equal(answer_frame(span_head(frame, frame.n - 1)), 0);
		assert_true(answer_parse(frame, &a));
		if (a.kind != rows[i].kind)
			fail_msg("%s is of kind %d", rows[i].frame, (int)a.kind);
		if (!rows[i].reply)
			continue;
		answer_reply(&reply, &a, "451", "4.7.1");
		assert_string_equal(text, rows[i].reply);
	}
	assert_true(answer_parse(span_of("action=PREPEND X-Greylist: delayed 61 seconds\n\n"), &a));
	assert_int_equal(a.kind, ANSWER_HEADER);
	assert_string_equal(a.text, "X-Greylist: delayed 61 seconds");
	assert_false(answer_parse(span_of("\n\n"), &a));
	assert_false(answer_parse(span_of("reaction=OK\n\n"), &a));
	answer_failed(&a, false);
	assert_true(a.kind == ANSWER_PASS && a.failed);
	answer_failed(&a, true);
	assert_true(a.kind == ANSWER_DEFER && a.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints), cmocka_unit_test(questions), cmocka_unit_test(answers),
	};
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
