#include "check.h"

#include "daemon/reply.h"
#include "daemon/verdictlog.h"

struct world {
	struct loop *loop;
	struct clock_fake clock;
	struct store *store;
	struct names *names;
	struct engine *engine;
	struct inquiry *q;
};

static void quiet(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column,
		  const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column;
	fail_msg("configuration: %s", text);
}

static void ignore_answer(struct inquiry *q)
{
	(void)q;
}

static void begin(struct world *w, const char *config)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct diag diag = { .report = quiet };

	*w = (struct world){ .loop = loop_new(&why) };
	clock_fake_init(&w->clock, 1800000000);
	const struct store_options store = { .driver = "memory", .target = "", .loop = w->loop,
					     .clock = &w->clock.clock, .later_ms = 1000 };
	w->store = store_open(&store, &why);
	w->names = names_new(&why);
	const struct engine_options options = {
		.loop = w->loop, .clock = &w->clock.clock, .names = w->names, .store = w->store,
		.config = config_parse(span_of(config), "f", &diag),
	};
	w->engine = engine_new(&options, &why);
	assert_non_null(w->engine);
	/* Asked without effect, for the configuration that it is answered by. */
	w->q = engine_inquiry(w->engine);
	w->q->dry = true;
	w->q->request.client = (struct netaddr){ 4, { 192, 0, 2, 1 } };
	w->q->request.stage = STAGE_RCPT;
	w->q->request.recipient = w->q->request.sender = span_of("a@example.org");
	engine_ask(w->q, ignore_answer, NULL);
	for (int i = 0; i < 100 && !w->q->answered; i++)
		loop_once(w->loop, 10);
	decision_begin(&w->q->decision);
	w->q->now = 1800000000;
	w->q->request.sender = span_of("");
	w->q->request.recipient = span_of("bob@example.net");
	w->q->request.has_etrn_domain = true;
	w->q->decision.verdict = w->q->decision.would = VERDICT_DEFER;
	w->q->decision.reason = REASON_NEW;
	w->q->decision.wait_s = 60;
}

static void end(struct world *w)
{
	engine_release(&w->q);
	store_close(&w->store);
	engine_free(&w->engine);
	names_free(&w->names);
	loop_free(&w->loop);
}

static const char *reply(const struct world *w)
{
	static char text[REPLY_MAX];
	struct buf out = buf_on(text, sizeof text);

	reply_add(&out, w->q, "mx.example.net");
	assert_true(out.n > 9 && strcmp(text + out.n - 2, "\n\n") == 0);
	assert_null(memchr(text, '\n', out.n - 2));
	for (size_t i = 0; i < out.n - 2; i++)
		assert_false(ascii_control(text[i]) || (unsigned char)text[i] >= 0x80);
	text[out.n - 2] = '\0';
	return text;
}

static void deferrals(void **state)
{
	static const struct { const char *config, *wanted; } rows[] = {
		{ "", "action=DEFER_IF_PERMIT 4.2.0 Greylisted, please try again in 60 seconds" },
		{ "reply defer DEFER\n", "action=DEFER 4.2.0 Greylisted, please try again in 60 seconds" },
		{ "reply defer 451 enhanced-code 4.7.1 text \"%w: %s s, %r, %u, 100%%\" help-url http://x.example/\n",
		  "action=451 4.7.1 new: 60 s, example.net, http://x.example/, 100%" },
		{ "reply enhanced-code none text x\n", "action=DEFER_IF_PERMIT x" },
		{ "reply text \"see https://help.example/%r.html\"\n",
		  "action=DEFER_IF_PERMIT 4.2.0 see https://help.example/example.net.html" },
		{ "defer client 0.0.0.0/0 code 452\n", "action=452 4.2.0 Greylisted, please try again in 60 seconds" },
		{ "continue code 451\ndefer client 0.0.0.0/0 text x\n", "action=451 x" },
		{ "trap client 0.0.0.0/0 code 550 text x\n", "action=DEFER_IF_PERMIT x" },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(&w, rows[i].config);
		assert_string_equal(reply(&w), rows[i].wanted);
		end(&w);
	}
	/* Before Postfix 2.3 an enhanced code would be read as text. */
	begin(&w, "reply text x\n");
	w.q->request.has_etrn_domain = false;
	assert_string_equal(reply(&w), "action=DEFER_IF_PERMIT x");
	end(&w);
}

static void rejections_of_rules(void **state)
{
	static const struct { const char *config, *wanted; } rows[] = {
		{ "block client 0.0.0.0/0 code 554 text x\n", "action=554 x" },
		{ "continue code 451\nblock client 0.0.0.0/0\n", "action=REJECT 5.7.1 Access denied" },
		{ "trap client 0.0.0.0/0 code 550 text x\n", "action=550 x" },
		{ "defer client 0.0.0.0/0 code 451 text x\n", "action=REJECT x" },	/* as it hammers */
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(&w, rows[i].config);
		w.q->decision.verdict = VERDICT_REJECT;
		assert_string_equal(reply(&w), rows[i].wanted);
		end(&w);
	}
}

static void passes_and_rejections(void **state)
{
	struct world w;

	(void)state;
	begin(&w, "");
	w.q->decision.verdict = VERDICT_PASS;
	w.q->decision.reason = REASON_KNOWN;
	assert_string_equal(reply(&w), "action=DUNNO");
	w.q->decision.verdict = VERDICT_OBSERVE;
	assert_string_equal(reply(&w), "action=DUNNO");
	w.q->decision.verdict = VERDICT_PASS;
	w.q->decision.reason = REASON_RETRIED;
	w.q->decision.delayed_s = 75;
	assert_non_null(strstr(reply(&w), "action=PREPEND X-Greylist: delayed 75 seconds by greylag-"));
	assert_non_null(strstr(reply(&w), " at mx.example.net; "));
	w.q->request.stage = STAGE_END_OF_MESSAGE;
	assert_string_equal(reply(&w), "action=DUNNO");
	w.q->decision.verdict = VERDICT_REJECT;
	assert_string_equal(reply(&w), "action=REJECT 5.7.1 Access denied");
	w.q->decision.ruled = true;
	w.q->decision.ruling.text = "not %r";
	assert_string_equal(reply(&w), "action=REJECT not example.net");
	end(&w);
	begin(&w, "reply header no\n");
	w.q->decision.verdict = VERDICT_PASS;
	w.q->decision.reason = REASON_RETRIED;
	assert_string_equal(reply(&w), "action=DUNNO");
	end(&w);
}

static void header_for_all(void **state)
{
	static const enum reason silent[] = { REASON_AUTHENTICATED, REASON_OUTGOING, REASON_STAGE, REASON_NULL_SENDER, REASON_TRANSACTION, REASON_DELIVERED };
	struct world w;

	(void)state;
	begin(&w, "reply header all\n");
	w.q->decision.verdict = VERDICT_PASS;
	w.q->decision.reason = REASON_ALLOW_RULE;
	assert_non_null(strstr(reply(&w), "action=PREPEND X-Greylist: not delayed (allow-rule) by greylag-"));
	w.q->decision.reason = REASON_RETRIED;
	assert_non_null(strstr(reply(&w), "X-Greylist: delayed "));
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
		w.q->decision.reason = silent[i];
		assert_string_equal(reply(&w), "action=DUNNO");
	}
	w.q->decision.reason = REASON_KNOWN;
	w.q->request.stage = STAGE_END_OF_MESSAGE;
	assert_string_equal(reply(&w), "action=DUNNO");
	end(&w);
}

/* What strangers write into an address ends up in one line of plain ASCII, of a
 * length that SMTP allows (RFC 5321 section 4.5.3.1.5: 512 octets). */
static void hostile_recipients(void **state)
{
	char config[600], recipient[400];
	struct buf text = BUF_ON(config);
	struct world w;

	(void)state;
	buf_adds(&text, "reply text \"");
	for (int i = 0; i < 200; i++)
		buf_adds(&text, "%r");
	buf_adds(&text, "\"\n");
	begin(&w, config);
	memset(recipient, 'x', sizeof recipient);
	recipient[1] = '@';
	w.q->request.recipient = span_make(recipient, sizeof recipient);
	assert_in_range(strlen(reply(&w)), 400, 512);
	w.q->request.recipient = span_of("a@\r\n250 OK\n\naction=OK\n\xc3\xa4\x7f");
	assert_null(strchr(reply(&w), '\n'));
	end(&w);
}

/* The log line quotes and escapes what strangers write. */
static void log_lines(void **state)
{
	char text[3000], longest[1000];
	struct buf out = BUF_ON(text);
	struct world w;

	(void)state;
	begin(&w, "");
	w.q->request.client_text = span_of("192.0.2.1");
	w.q->request.helo = span_of("a b\"c\nd");
	w.q->request.has_sender = true;
	verdictlog_add(&out, w.q);
	assert_string_equal(text, "verdict=defer reason=new wait=60 client=192.0.2.1 helo=\"a b\\x22c\\x0ad\" "
				  "from=<> to=<bob@example.net>");
	memset(longest, 'x', sizeof longest);
	w.q->request.sender = w.q->request.recipient = w.q->request.helo = w.q->request.client_name =
		span_make(longest, sizeof longest);
	buf_clear(&out);
	verdictlog_add(&out, w.q);
	assert_in_range(out.n, 500, 900);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deferrals), cmocka_unit_test(rejections_of_rules), cmocka_unit_test(passes_and_rejections),
		cmocka_unit_test(header_for_all),
		cmocka_unit_test(hostile_recipients), cmocka_unit_test(log_lines),
	};
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
