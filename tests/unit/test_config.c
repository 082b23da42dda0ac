#include "check.h"

#include "config/config.h"
#include "config/options.h"

static void collect(struct diag *d, enum diag_severity severity, const char *file, unsigned line,
		    unsigned column, const char *text)
{
	struct buf *out = d->arg;

	diag_text(out, severity, file, line, column, text);
	buf_addc(out, '\n');
}

/* Parses; all findings, one a line, are in *findings afterwards. */
static struct config *parse(const char *text, struct buf *findings)
{
	struct diag diag = { .report = collect, .arg = findings };

	buf_clear(findings);
	return config_parse(span_of(text), "f", &diag);
}

static void good_lines(void **state)
{
	static const char *const lines[] = {
		"", "\n\n", "# nothing\n", "\xef\xbb\xbfmode observe\n", "mode observe", "MODE Observe\r\n",
		"greylist delay 0\n", "greylist delay 5m window 1d keep 1w\n", "greylist delay \\\n 5m\n",
		"listen policy unix /run/x\n", "listen policy unix /run/x mode 0666 group mail\n",
		"listen policy tcp 127.0.0.1:10023\n", "listen policy tcp [::1]:10023\n", "listen control unix /run/c\n",
		"store memory\n", "store rocksdb /var/lib/x\n", "store rocksdb \"/var/lib/with blank\" deadline 1s\n",
		"store valkey 127.0.0.1:6379 database 3 prefix mx: user greylag password-file /etc/greylag/secret\n",
		"store valkey [2001:db8::1]:6379\n", "store valkey unix:/run/valkey/socket\n",
		"log file /var/log/x level debug passes no\n", "log syslog facility local3\n",
		"reply text \"wait %s seconds, %r, %w %u 100%%\"\n", "reply defer 451 enhanced-code none\n",
		"allow client 192.0.2.0/24 2001:db8::/32 10.1\n", "allow client-name .example.org example.net /^mx/i\n",
		"block helo \"dynamic\" localhost\n", "defer client-name dynamic none\n",
		"allow sender <> not client 192.0.2.1\n", "allow recipient postmaster@ abuse@example.org\n",
		"allow client 192.0.2.1 # a comment with \\\nmode observe\n",
		"block sender a@example.org text \"no # comment\"\n",
		"observe client 0.0.0.0/0\n", "defer delay 5m window 10h keep 30d\n",
	};
	struct buf findings = buf_heap(10000);

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct config *c = parse(lines[i], &findings);
		if (!c || findings.n)
			fail_msg("%s: %s", lines[i], buf_str(&findings));
		config_free(&c);
	}
	buf_free(&findings);
}

/* Each fails at this place, with this in its text. */
static void bad_lines(void **state)
{
	static const struct { const char *text, *place, *why; } rows[] = {
		{ "mods observe\n", "f:1:1: error", "did you mean mode?" },
		{ "\n\n  frobnicate x\n", "f:3:3: error", "unknown word \"frobnicate\"" },
		{ "\"mode\" observe\n", "f:1:1: error", "unknown word" },
		{ "mode maybe\n", "f:1:6: error", "enforce" },
		{ "mode\n", "f:1:", "missing" },
		{ "greylist dealy 5m\n", "f:1:10: error", "did you mean delay?" },
		{ "greylist delay 5\n", "f:1:16: error", "duration" },
		{ "greylist delay 5 m\n", "f:1:16: error", "duration" },
		{ "greylist delay 1500ms\n", "f:1:16: error", "whole seconds" },
		{ "greylist delay 2d\n", "f:1:16: error", "out of range" },
		{ "greylist delay -5m\n", "f:1:16: error", "" },
		{ "greylist delay 99999999999999999999s\n", "f:1:16: error", "" },
		{ "greylist delay 12h window 11h\n", "f:1: error", "window must be longer than delay" },
		{ "defer delay 23h window 1h\n", "f:1: error", "window must be longer than delay" },
		{ "defer client 192.0.2.1 delay 500ms\n", "f:1:30: error", "whole seconds" },
		{ "listen policy tcp localhost:25\n", "f:1:19: error", "address and a port" },
		{ "listen policy tcp 127.0.0.1\n", "f:1:19: error", "" },
		{ "listen policy tcp 127.0.0.1:0\n", "f:1:19: error", "" },
		{ "listen policy tcp 127.0.0.1:99999\n", "f:1:19: error", "" },
		{ "listen policy tcp ::1:25\n", "f:1:19: error", "" },
		{ "listen control tcp 127.0.0.1:1\n", "f:1:16: error", "unix socket" },
		{ "listen policy unix\n", "f:1:", "path" },
		{ "listen policy unix /x mode 9\n", "f:1:28: error", "octal" },
		{ "listen policy unix /x\nlisten policy unix /x\n", "f:2:20: error", "already" },
		{ "store postgres x\n", "f:1:7: error", "there are: rocksdb" },
		{ "store rocksdb\n", "f:1:", "second word" },
		{ "store valkey\n", "f:1:", "second word" },
		{ "store valkey cache.example.org:6379\n", "f:1:7: error", "" },
		{ "store database 65536\n", "f:1:16: error", "out of range" },
		{ "store prefix \"a b\"\n", "f:1:14: error", "blanks" },
		{ "store deadline 1ms\n", "f:1:16: error", "out of range" },
		{ "store write-buffer 8\n", "f:1:20: error", "" },
		{ "log file\n", "f:1:", "missing" },
		{ "reply text \"%x\"\n", "f:1:12: error", "%" },
		{ "reply text \"two\tparts\"\n", "f:1:12: error", "" },
		{ "reply text \"unended\n", "f:1:12: error", "" },
		{ "reply defer 550\n", "f:1:13: error", "4" },
		{ "reply enhanced-code 5.2.0\n", "f:1:21: error", "4.2.0" },
		{ "reply enhanced-code 4.2.0.\n", "f:1:21: error", "4.2.0" },
		{ "cap identity 7\n", "f:1:14: error", "out of range" },
		{ "allow reverse-name mx.example.org\n", "f:1:7: error", "nobody has confirmed" },
		{ "allow client\n", "f:1:", "value" },
		{ "allow client 300.1.1.1\n", "f:1:14: error", "300.1.1.1" },
		{ "allow client 192.0.2.0/33\n", "f:1:14: error", "" },
		{ "allow client-name /(/\n", "f:1:19: error", "" },
		{ "allow clinet 192.0.2.1\n", "f:1:7: error", "did you mean client?" },
		{ "allow sender a@b@\xc3\xa4.example\n", "f:1:14: error", "xn--" },
		{ "allow client file /no/such/file\n", "f:1:19: error", "does not exist" },
		{ "allow client file\n", "f:1:", "missing" },
		{ "allow client file /\n", "f:1:19: error", "regular" },
		{ "block text\n", "f:1:", "text" },
	};
	struct buf findings = buf_heap(100000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *c = parse(rows[i].text, &findings);
		if (c || !strstr(buf_str(&findings), rows[i].place) || !strstr(buf_str(&findings), rows[i].why))
			fail_msg("%s -> %s; wanted %s ... %s", rows[i].text, buf_str(&findings), rows[i].place,
				 rows[i].why);
	}
	buf_free(&findings);
}

/* All errors of a file are shown, not only the first; nonsense is cut off. */
static void several_errors(void **state)
{
	struct buf findings = buf_heap(1000000), text = buf_heap(100000);
	unsigned lines = 0;

	(void)state;
	assert_null(parse("mode x\n\ngreylist delay 5\nallow client 1\nfoo\n", &findings));
	assert_non_null(strstr(buf_str(&findings), "f:1:"));
	assert_non_null(strstr(buf_str(&findings), "f:3:"));
	assert_non_null(strstr(buf_str(&findings), "f:5:"));
	for (unsigned i = 0; i < 5000; i++)
		buf_adds(&text, "nonsense\n");
	assert_null(parse(buf_str(&text), &findings));
	for (size_t i = 0; i < findings.n; i++)
		lines += findings.p[i] == '\n';
	assert_int_equal(lines, DIAG_MAX);
	buf_free(&text);
	buf_free(&findings);
}

/* Every setting: its default is one of its own values, and what it prints it reads. */
static void every_setting(void **state)
{
	struct buf findings = buf_heap(10000);
	struct config *plain = parse("", &findings);
	char line[1200], again_text[1200];

	(void)state;
	for (unsigned i = 0; i < options_count(); i++) {
		const struct option *o = options_row(i);
		struct buf b = BUF_ON(line), again = BUF_ON(again_text);
		options_name(&b, o);
		buf_addc(&b, ' ');
		size_t at = b.n;
		options_value(&b, o, &plain->settings);
		struct config *c = parse(line, &findings);
		if (!c)
			fail_msg("%s: %s", line, buf_str(&findings));
		options_value(&again, o, &c->settings);
		assert_string_equal(again_text, line + at);
		assert_int_equal(c->origins[i], 1);
		assert_int_equal(plain->origins[i], 0);
		config_free(&c);
	}
	config_free(&plain);
	buf_free(&findings);
}

static void values_and_origins(void **state)
{
	struct buf findings = buf_heap(10000);
	struct config *c = parse("greylist delay 5m\n  keep 1w\n\ngreylist keep 2w window 1d\ngreylist delay 90s\n",
				 &findings);

	(void)state;
	/* "keep" begins a line of its own here, which no group has. */
	assert_null(c);
	c = parse("greylist delay 5m \\\n  keep 1w\n\ngreylist keep 2w window 1d\ngreylist delay 90s\n", &findings);
	assert_non_null(c);
	assert_int_equal(c->settings.greylist_delay_s, 90);
	assert_int_equal(c->settings.greylist_keep_s, 14 * 86400);
	assert_int_equal(c->settings.greylist_window_s, 86400);
	assert_int_equal(c->policy.greylist.delay_s, 90);
	assert_int_equal(c->origins[options_find(span_of("greylist"), span_of("delay"))], 5);
	assert_int_equal(c->origins[options_find(span_of("greylist"), span_of("keep"))], 4);
	config_free(&c);
	buf_free(&findings);
}

static void listeners(void **state)
{
	struct buf findings = buf_heap(10000);
	struct config *c = parse("listen policy tcp [::1]:10023\nlisten policy unix /a mode 0600 group mail\n"
				 "listen control unix /b\n", &findings);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->listen_count, 3);
	assert_true(c->listens[0].tcp);
	assert_string_equal(c->listens[0].host, "::1");
	assert_string_equal(c->listens[0].port, "10023");
	assert_string_equal(c->listens[1].path, "/a");
	assert_int_equal(c->listens[1].mode, 0600);
	assert_string_equal(c->listens[1].group, "mail");
	assert_int_equal(c->listens[2].kind, LISTEN_CONTROL);
	assert_int_equal(c->listens[2].mode, 0600);
	config_free(&c);
	buf_free(&findings);
}

/* What loads, but is worth a word. */
static void warnings(void **state)
{
	struct buf findings = buf_heap(10000);
	struct config *c;

	(void)state;
	c = parse("allow not client optional-file /no/such/list\n", &findings);
	assert_non_null(c);
	assert_non_null(strstr(buf_str(&findings), "always holds"));
	config_free(&c);
	buf_free(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines), cmocka_unit_test(several_errors),
		cmocka_unit_test(every_setting), cmocka_unit_test(values_and_origins),
		cmocka_unit_test(listeners), cmocka_unit_test(warnings),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
