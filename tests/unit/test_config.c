#include "check.h"

#include "config/config.h"
#include "config/options.h"
#include "config/ruletest.h"

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
		"listen control unix /run/c mode 0660 group adm read-only\n",
		"listen policy tcp 127.0.0.1:1 once\n", "listen policy unix /x mode 0600 once\n", "store memory\n", "store rocksdb /var/lib/x\n", "store rocksdb \"/var/lib/with blank\" deadline 1s\n",
		"store valkey 127.0.0.1:6379 database 3 prefix mx: user greylag password-file /etc/greylag/secret\n",
		"store valkey [2001:db8::1]:6379\n", "store valkey unix:/run/valkey/socket\n",
		"store mariadb db.example.org/greylag workers 8 tls-ca /etc/ssl/ca.pem consistent-reads yes\n",
		"store mariadb unix:/run/mysqld/mysqld.sock/greylag\n", "store MariaDB db1,db2:3307,[::1]/lag\n",
		"log file /var/log/x level debug passes no\n", "log syslog facility local3\n",
		"reply text \"wait %s seconds, %r, %w %u 100%%\"\n", "reply defer 451 enhanced-code none\n",
		"allow client 192.0.2.0/24 2001:db8::/32 10.1\n", "allow client-name .example.org example.net /^mx/i\n",
		"block helo \"dynamic\" localhost\n", "defer client-name dynamic none\n",
		"allow sender <> not client 192.0.2.1\n", "allow recipient postmaster@ abuse@example.org\n",
		"allow client 192.0.2.1 # a comment with \\\nmode observe\n",
		"block sender a@example.org text \"no # comment\"\n",
		"allow identity example.org 192.0.2.0/24 /^mx/\n", "allow sender-domain .example.org\n",
		"block helo-is-literal yes not tls yes\n", "block helo-not-dotted YES\n",
		"defer policy-context submission \"two words\" /^x/\n",
		"allow server-address 192.0.2.1 2001:db8::/32 server-port 25 2500-2599\n",
		"defer recipient-count >= 10\n", "defer recipient-count >=10 <=2 4-6 tls no\n",
		"defer time 22:00-06:00 12:00-13:00 weekday mon-fri sat Sun\n",
		"observe client 0.0.0.0/0\n",
		"set a client 192.0.2.0/24 example.org\nset b-2_c client 10.1\nallow client set a 10.2 set b-2_c\n",
		"set n time 22:00-06:00\nset t sender-domain \"set\" example.org\nallow time set n sender-domain set t\n",
		"continue client-name dynamic delay 15m keep 8d\ncontinue observe\ncontinue text x\n",
		"continue window 5h\ncontinue delay 4h\n", "defer delay 5m window 10h keep 30d\n",
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
		{ "greylist keep 6d\n", "f:1:15: error", "out of range" },	/* RFC 6647 section 5.3 */
		{ "greylist delay -5m\n", "f:1:16: error", "" },
		{ "greylist delay 99999999999999999999s\n", "f:1:16: error", "" },
		{ "greylist delay 12h window 11h\n", "f:1: error", "window must be longer than delay" },
		{ "defer delay 23h window 1h\n", "f:1: error", "window must be longer than delay" },
		{ "continue window 5h\ncontinue delay 4h\ncontinue delay 5h\n", "f:3: error", "together" },
		{ "continue delay 5h\nallow helo x\ndefer window 4h\n", "f:3: error", "together" },
		{ "defer client 192.0.2.1 delay 500ms\n", "f:1:30: error", "whole seconds" },
		{ "listen policy tcp localhost:25\n", "f:1:19: error", "address and a port" },
		{ "listen policy tcp 127.0.0.1\n", "f:1:19: error", "" },
		{ "listen policy tcp 127.0.0.1:0\n", "f:1:19: error", "" },
		{ "listen policy tcp 127.0.0.1:99999\n", "f:1:19: error", "" },
		{ "listen policy tcp ::1:25\n", "f:1:19: error", "" },
		{ "listen control tcp 127.0.0.1:1\n", "f:1:16: error", "unix socket" },
		{ "listen greylistd tcp 127.0.0.1:1\n", "f:1:18: error", "unix socket" },
		{ "listen milter unix /x\n", "f:1:8: error", "greylistd" },
		{ "listen policy unix\n", "f:1:", "path" },
		{ "listen policy unix /x mode 9\n", "f:1:28: error", "octal" },
		{ "listen policy unix /x\nlisten policy unix /x\n", "f:2:20: error", "already" },
		{ "listen policy tcp 127.0.0.1:1 twice\n", "f:1:31: error", "nothing more" },
		{ "listen policy unix /x once mode 0600\n", "f:1:23: error", "" },
		{ "listen control unix /x once\n", "f:1:24: error", "" },
		{ "listen control unix /x read-only mode 0600\n", "f:1:24: error", "" },
		{ "listen policy unix /x read-only\n", "f:1:23: error", "" },
		{ "store postgres x\n", "f:1:7: error", "there are: rocksdb" },
		{ "store rocksdb\n", "f:1:", "second word" },
		{ "store valkey\n", "f:1:", "second word" },
		{ "store valkey cache.example.org:6379\n", "f:1:7: error", "" },
		{ "store mariadb\n", "f:1:", "second word" },
		{ "store mariadb db.example.org\n", "f:1:7: error", "name of a database" },
		{ "store workers 0\n", "f:1:15: error", "out of range" },
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
		{ "allow tls maybe\n", "f:1:11: error", "yes or no" },
		{ "allow tls\n", "f:1:", "value" },
		{ "allow sender-domain a@example.org\n", "f:1:21: error", "host name" },
		{ "allow server-address mx.example.org\n", "f:1:22: error", "an address" },
		{ "allow server-address /x/\n", "f:1:22: error", "an address" },
		{ "allow server-port smtp\n", "f:1:19: error", "a number" },
		{ "allow recipient-count >=\n", "f:1:23: error", "a number" },
		{ "allow recipient-count >= x\n", "f:1:23: error", "a number" },
		{ "allow recipient-count 9-3\n", "f:1:23: error", "a number" },
		{ "allow time 22-6\n", "f:1:12: error", "22:00-06:00" },
		{ "allow weekday monday\n", "f:1:15: error", "mon-fri" },
		{ "allow policy-context \"\"\n", "f:1:22: error", "a word" },
		{ "allow sender-domian example.org\n", "f:1:7: error", "did you mean sender-domain?" },
		{ "allow client set nobody\n", "f:1:18: error", "no line before defines the set \"nobody\"" },
		{ "set partners client 10.1\nallow client set partner\n", "f:2:18: error", "did you mean partners?" },
		{ "allow client set a\nset a client 10.1\n", "f:1:18: error", "no line before" },
		{ "set a client 10.1\nallow helo set a\n", "f:2:16: error", "for the condition client" },
		{ "set a client 10.1\nset b client set a\nallow client set b\n", "f:3:18: error", "set in a set" },
		{ "set a client set a\n", "f:1:18: error", "set in a set" },
		{ "set a client 10.1\nset a helo x\n", "f:2:5: error", "defines this set" },
		{ "set\n", "f:1:", "name of a set" }, { "set a\n", "f:1:", "a condition" },
		{ "set a.b client 10.1\n", "f:1:5: error", "name of a set" },
		{ "set a clint 10.1\n", "f:1:7: error", "did you mean client?" },
		{ "set a client\n", "f:1:", "no value" },
		{ "set a client 10.1 delay 5m\n", "f:1:19: error", "values of one condition" },
		{ "set a client 300.1.1.1\n", "f:1:14: error", "300.1.1.1" },
		{ "set a client file /no/such/file\n", "f:1:19: error", "does not exist" },
		{ "allow client set\n", "f:1:", "name of a set is missing" },
		{ "test\n", "f:1:", "in quotes" }, { "test from expect none\n", "f:1:6: error", "in quotes" },
		{ "test \"from 10.1.1.1\"\n", "f:1:", "\"expect\" is missing" },
		{ "test \"from 10.1.1.1\" expekt none\n", "f:1:22: error", "\"expect\" is missing" },
		{ "test \"from 10.1.1.1\" expect\n", "f:1:", "allow, block" },
		{ "test \"from 10.1.1.1\" expect reject\n", "f:1:29: error", "allow, block" },
		{ "test \"from 10.1.1.1\" expect none x\n", "f:1:34: error", "nothing stands" },
		{ "test \"\" expect none\n", "f:1:6: error", "needs a client" },
		{ "test \"sender a@b\" expect none\n", "f:1:6: error", "needs a client" },
		{ "test \"from 10.1\" expect none\n", "f:1:6: error", "does not fit its word: \"10.1\"" },
		{ "test \"from 10.1.1.1 sendr a@b\" expect none\n", "f:1:6: error", "did you mean sender?" },
		{ "test \"from 10.1.1.1 sender\" expect none\n", "f:1:6: error", "missing after \"sender\"" },
		{ "test \"from 10.1.1.1 at 25:00\" expect none\n", "f:1:6: error", "does not fit" },
		{ "test \"from 10.1.1.1 on mon-fri\" expect none\n", "f:1:6: error", "does not fit" },
		{ "test \"from 10.1.1.1 tls maybe\" expect none\n", "f:1:6: error", "does not fit" },
		{ "test \"from 10.1.1.1 port 70000\" expect none\n", "f:1:6: error", "does not fit" },
		{ "test \"from 10.1.1.1 server mx\" expect none\n", "f:1:6: error", "does not fit" },
		{ "test \"from 10.1.1.1 recipients x\" expect none\n", "f:1:6: error", "does not fit" },
		{ "block text\n", "f:1:", "text" },
		{ "allow spf pass\n", "f:1:1: error", "no reason to pass" },
		{ "outgoing spf pass\n", "f:1:1: error", "no reason to pass" },
		{ "outgoing reverse-name x.example\n", "f:1:10: error", "nobody has confirmed" },
		{ "defer recipient a@x.example for 1d\n", "f:1:29: error", "for says how long a trap holds" },
		{ "allow recipient a@x.example first\n", "f:1:29: error", "only a trap" },
		{ "trap recipient a@x.example for\n", "f:1:31: error", "not a duration" },
		{ "trap recipient a@x.example for 0\n", "f:1:32: error", "out of range" },
		{ "block client 192.0.2.1 code \"550\\x00\"\n", "f:1:29: error", "4xx or 5xx" },
		{ "allow client 192.0.2.1 code 550\n", "f:1:29: error", "code 4xx" },
		{ "set z dnsbl a.example\ndefer dnsbl set z\n", "f:2:17: error", "takes no set" },
		{ "identity spf\n", "f:1:10: error", "spf host network" },
		{ "defer rate 1/25h\n", "f:1:12: error", "24h" },
		{ "defer listed \xff\n", "f:1:14: error", "the name of a list" },
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

/* A rule with too many look-ups leaves nothing behind for the rules after it. */
static void too_many_lookups(void **state)
{
	struct buf findings = buf_heap(10000), text = buf_heap(10000);

	(void)state;
	for (unsigned line = 0; line < 3; line++) {
		buf_adds(&text, "defer dnsbl");
		for (unsigned i = 0; i < 40; i++)
			buf_addf(&text, " l%u.example", i);
		buf_adds(&text, " rate 1/1m\n");
	}
	assert_null(parse(buf_str(&text), &findings));
	assert_non_null(strstr(buf_str(&findings), "f:1:7: error: too many"));
	assert_non_null(strstr(buf_str(&findings), "f:3:7: error: too many"));
	buf_free(&text);
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
				 "listen control unix /b\nlisten greylistd unix /g group mail\n", &findings);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->listen_count, 4);
	assert_true(c->listens[0].tcp);
	assert_string_equal(c->listens[0].host, "::1");
	assert_string_equal(c->listens[0].port, "10023");
	assert_string_equal(c->listens[1].path, "/a");
	assert_int_equal(c->listens[1].mode, 0600);
	assert_string_equal(c->listens[1].group, "mail");
	assert_int_equal(c->listens[2].kind, LISTEN_CONTROL);
	assert_int_equal(c->listens[2].mode, 0600);
	assert_int_equal(c->listens[3].kind, LISTEN_GREYLISTD);
	assert_int_equal(c->listens[3].mode, 0660);
	assert_string_equal(c->listens[3].path, "/g");
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
	c = parse("continue client 192.0.2.1\n", &findings);
	assert_non_null(c);
	assert_non_null(strstr(buf_str(&findings), "f:1:1: warning: without a parameter"));
	config_free(&c);
	buf_free(&findings);
}

/* Rules that no request gets to, and some that look so and are not. */
static void lint(void **state)
{
	static const struct { const char *text, *finding; } rows[] = {
		{ "allow\nblock helo x\n", "f:2: warning: no request gets here: the rule in line 1 matches everything" },
		{ "allow client 0.0.0.0/0 ::/0\ndefer\n", "f:2: warning: no request gets here" },
		{ "set all client ::/0\nallow client set all 0.0.0.0/0\ndefer\n", "f:3: warning: no request gets here" },
		{ "allow not client optional-file /no/such/list\ndefer\n", "f:2: warning: no request gets here" },
		{ "allow helo x\nblock helo X\n",
		  "f:2: warning: no request gets here: the rule in line 1 has the same conditions" },
		{ "allow helo x sender a@b client 10.1\n\n# here\nblock client 10.1.0.0/16 sender a@b helo x\n",
		  "f:4: warning: no request gets here: the rule in line 1" },
		{ "allow client 10.1 10.2\nblock client 10.2 10.1\n", "f:2: warning: no request gets here" },
		{ "allow weekday mon-fri\ncontinue weekday MON-fri observe\n", "f:2: warning: no request gets here" },
		{ "continue helo x delay 5m\nallow helo x\nblock helo x\n", "f:3: warning: no request gets here" },
		{ "set a helo x y\nallow helo set a\nblock helo y x\n", "f:3: warning: no request gets here" },
		{ "allow client-name dynamic\nblock client-name Dynamic\n", "f:2: warning: no request gets here" },
		{ "continue delay 5m\nblock helo x\nallow\n", "" },
		{ "continue helo x delay 5m\nallow helo x\n", "" },
		{ "continue helo x delay 5m\ncontinue helo x keep 8d\n", "" },
		{ "allow client 0.0.0.0/0\ndefer\n", "" },
		{ "allow server-address 0.0.0.0/0 ::/0\ndefer\n", "" },
		{ "allow client 0.0.0.0/0 ::/0 helo x\ndefer\n", "" },
		{ "allow helo x\nblock not helo x\nblock client-name x\n", "" },
		{ "allow client-name dynamic\nblock client-name \"dynamic\"\n", "" },
		{ "allow helo /\\S/\nblock helo /\\s/\n", "" },
		{ "allow helo x\nblock helo x helo y\nblock helo x y\n", "" },
		{ "allow client optional-file /no/a\nblock client optional-file /no/b\n", "" },
		{ "allow time 22:00-06:00\nblock time 22:00-07:00\nblock tls yes\nallow tls no\n", "" },
	};
	struct buf findings = buf_heap(10000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config *c = parse(rows[i].text, &findings);
		if (!c || !strstr(buf_str(&findings), rows[i].finding) || (!rows[i].finding[0] && findings.n))
			fail_msg("%s -> %s", rows[i].text, buf_str(&findings));
		config_free(&c);
	}
	buf_free(&findings);
}

/* Stands for the engine, which knows one organisation only. */
static void find_out(const void *arg, struct request *r)
{
	static const struct span org = SPAN("example.org");

	(void)arg;
	if (span_ends(r->client_name, org))
		r->client_org = span_from(r->client_name, r->client_name.n - org.n);
}

static const char expectations[] =
	"set night time 22:00-06:00\n"
	"continue sender c@c.example observe\n"
	"allow identity example.org\n"
	"allow client 192.0.2.1\n"
	"block helo localhost recipient b@b.example\n"
	"defer time set night\n"
	"observe weekday sat\n"
	"block reverse-name bad.example tls yes recipient-count 3 policy-context x server-address 10.1 server-port 25\n"
	"block helo plain tls no\n";

/* What each sentence gets; and an expectation of anything else fails, where it stands. */
static void rule_tests(void **state)
{
	static const struct { const char *sentence, *result, *told; } rows[] = {
		{ "from 192.0.2.1", "allow", "line 4 says allow" },
		{ "from IPv6:2001:db8::1 name mx.Example.org", "none", "but no rule decides" },
		{ "from 2001:db8::1 name mx.example.org", "allow", "line 3 says allow" },
		{ "from 192.0.2.9 name unknown reverse unknown", "none", "but no rule decides" },
		{ "from 192.0.2.9 helo localhost sender a@b recipient b@b.example", "block", "line 5 says block" },
		{ "FROM 192.0.2.9  helo  localhost \t sender <> recipient <b@b.example>", "block", "line 5" },
		{ "from 192.0.2.9 helo localhost sender c@c.example recipient b@b.example", "observe", "line 5" },
		{ "from 192.0.2.9 sender c@c.example", "none", "but no rule decides" },
		{ "from 192.0.2.9 helo H at 22:30", "defer", "line 6 says defer" },
		{ "from 192.0.2.9 at 24:00", "defer", "line 6" }, { "from 192.0.2.9 at 06:00", "none", "no rule" },
		{ "from 192.0.2.9 on sat", "observe", "line 7" }, { "from 192.0.2.9 on sun", "none", "no rule" },
		{ "from 192.0.2.9 reverse bad.example tls yes recipients 3 context x server 10.1.2.3 port 25", "block",
		  "line 8" },
		{ "from 192.0.2.9 helo plain tls no", "block", "line 9" }, { "from 192.0.2.9 helo plain", "none", "no rule" },
		{ "from 192.0.2.9 reverse bad.example tls no recipients 3 context x server 10.1.2.3 port 25", "none",
		  "no rule" },
	};
	static const char *const results[] = { "allow", "block", "defer", "observe", "none" };
	struct buf findings = buf_heap(10000), text = buf_heap(10000);

	(void)state;
	for (size_t i = 0; i < 5 * sizeof rows / sizeof *rows; i++) {
		buf_clear(&text);
		buf_adds(&text, expectations);
		buf_addf(&text, "test \"%s\" expect %s\n", rows[i / 5].sentence, results[i % 5]);
		struct config *c = parse(buf_str(&text), &findings);
		if (!c || findings.n)
			fail_msg("%s: %s", rows[i / 5].sentence, buf_str(&findings));
		struct diag diag = { .report = collect, .arg = &findings };
		unsigned failures = ruletest_run(c, find_out, NULL, &diag);
		if (failures != (strcmp(results[i % 5], rows[i / 5].result) != 0) || failures != diag.errors)
			fail_msg("%s expect %s: %s", rows[i / 5].sentence, results[i % 5], buf_str(&findings));
		if (failures && (!strstr(buf_str(&findings), rows[i / 5].told) || !strstr(buf_str(&findings), "f:10:")))
			fail_msg("%s: %s", rows[i / 5].sentence, buf_str(&findings));
		config_free(&c);
	}
	buf_free(&text);
	buf_free(&findings);
}

/* The check of each against all others takes no time that shows. */
static void lint_of_many(void **state)
{
	struct buf findings = buf_heap(100000), text = buf_heap(4000000);

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_addf(&text, "allow helo x%u\n", i);
	struct config *c = parse(buf_str(&text), &findings);
	assert_non_null(c);
	assert_int_equal(findings.n, 0);
	config_free(&c);
	buf_free(&text);
	buf_free(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines), cmocka_unit_test(several_errors),
		cmocka_unit_test(every_setting), cmocka_unit_test(values_and_origins),
		cmocka_unit_test(listeners), cmocka_unit_test(warnings), cmocka_unit_test(lint),
		cmocka_unit_test(lint_of_many), cmocka_unit_test(too_many_lookups), cmocka_unit_test(rule_tests),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
