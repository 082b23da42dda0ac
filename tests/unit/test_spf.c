#include "spfzone.h"

#include "dns/spf.h"

#define TXT(name, text) { name, DNS_TXT, text }
#define A(name, address) { name, DNS_A, address }
#define AAAA(name, address) { name, DNS_AAAA, address }
#define MX(name, host) { name, DNS_MX, host }
#define PTR(name, host) { name, DNS_PTR, host }

#define L60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"
#define L240 L60 "." L60 "." L60 "." L60	/* longer by its three dots */

static const struct spfzone_row zone[] = {
	/* RFC 7208 appendix A */
	MX("example.com", "mail-a.example.com"), MX("example.com", "mail-b.example.com"),
	A("example.com", "192.0.2.10"), A("example.com", "192.0.2.11"),
	A("amy.example.com", "192.0.2.65"), A("bob.example.com", "192.0.2.66"),
	A("mail-a.example.com", "192.0.2.129"), A("mail-b.example.com", "192.0.2.130"),
	MX("example.org", "mail-c.example.org"), A("mail-c.example.org", "192.0.2.140"),
	PTR("10.2.0.192.in-addr.arpa", "example.com"), PTR("11.2.0.192.in-addr.arpa", "example.com"),
	PTR("65.2.0.192.in-addr.arpa", "amy.example.com"), PTR("66.2.0.192.in-addr.arpa", "bob.example.com"),
	PTR("129.2.0.192.in-addr.arpa", "mail-a.example.com"), PTR("130.2.0.192.in-addr.arpa", "mail-b.example.com"),
	PTR("140.2.0.192.in-addr.arpa", "mail-c.example.org"), PTR("4.0.0.10.in-addr.arpa", "bob.example.com"),
	A("mary.mobile-users._spf.example.com", "127.0.0.2"), A("fred.mobile-users._spf.example.com", "127.0.0.2"),
	A("15.15.168.192.joel.remote-users._spf.example.com", "127.0.0.2"),
	TXT("mobile-users._spf.example.com", "v=spf1 exists:%{l1r+}.%{d}"),
	TXT("remote-users._spf.example.com", "v=spf1 exists:%{ir}.%{l1r+}.%{d}"),
	TXT("ip4._spf.example.com", "v=spf1 -ip4:192.0.2.0/24 +all"),
	TXT("ptr._spf.example.com", "v=spf1 -ptr:example.com +all"),
	/* 4.3 to 4.5 */
	TXT("none.example.net", "v=spf10 +all"), TXT("none.example.net", "v=spf1.0 +all"),
	TXT("none.example.net", "spf2.0/pra +all"), TXT("none.example.net", " v=spf1 +all"),
	TXT("one.example.net", "google-site=x"), TXT("one.example.net", "V=SPF1 -aLl"), TXT("one.example.net", ""),
	TXT("two.example.net", "v=spf1 +all"), TXT("two.example.net", "v=spf1 -all"),
	TXT("bare.example.net", "v=spf1"), TXT("blanks.example.net", "v=spf1   ?all  "),
	{ "failed.example.net", SPFZONE_FAILED, NULL }, { "slow.example.net", SPFZONE_TIMEOUT, NULL },
	TXT("xn--mller-kva.example.net", "v=spf1 -all"),
	/* include, redirect */
	TXT("pass.example.net", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all"), TXT("all.example.net", "v=spf1 all"),
	TXT("softfail.example.net", "v=spf1 ~all"), TXT("neutral.example.net", "v=spf1 ?all"),
	TXT("wrong.example.net", "v=spf1 nonsense"), TXT("loop.example.net", "v=spf1 include:loop.example.net -all"),
	TXT("around.example.net", "v=spf1 redirect=around.example.net"),
	TXT("deep.example.net", "v=spf1 include:pass.example.net -all"),
	TXT("fails.example.net", "v=spf1 a:failed.example.net -all"),
	TXT("self.example.net", "v=spf1 exists:%{d}.by.%{o}"), A("self.example.net.by.example.com", "127.0.0.2"),
	TXT("back.example.net", "v=spf1 redirect=pass.example.net"),
	/* a, mx */
	AAAA("six.example.net", "2001:db8:1::1"), A("six.example.net", "192.0.2.1"), A("far.example.net", "198.51.100.7"),
	MX("six.example.net", "six.example.net"), MX("null.example.net", ""), MX("null2.example.net", "."),
	MX("broken.example.net", "failed.example.net"), MX("bare.mx.example.net", "no.example.net"),
	MX("10.mx.example.net", "h1.example.net"), MX("10.mx.example.net", "h2.example.net"),
	MX("10.mx.example.net", "h3.example.net"), MX("10.mx.example.net", "h4.example.net"),
	MX("10.mx.example.net", "h5.example.net"), MX("10.mx.example.net", "h6.example.net"),
	MX("10.mx.example.net", "h7.example.net"), MX("10.mx.example.net", "h8.example.net"),
	MX("10.mx.example.net", "h9.example.net"), MX("10.mx.example.net", "six.example.net"),
	MX("11.mx.example.net", "six.example.net"), MX("11.mx.example.net", "h2.example.net"),
	MX("11.mx.example.net", "h3.example.net"), MX("11.mx.example.net", "h4.example.net"),
	MX("11.mx.example.net", "h5.example.net"), MX("11.mx.example.net", "h6.example.net"),
	MX("11.mx.example.net", "h7.example.net"), MX("11.mx.example.net", "h8.example.net"),
	MX("11.mx.example.net", "h9.example.net"), MX("11.mx.example.net", "h10.example.net"),
	MX("11.mx.example.net", "h11.example.net"),
	A("foo:bar/baz.example.net", "192.0.2.1"), A("a.b.museum", "192.0.2.1"), A("example.xn--zckzah", "192.0.2.1"),
	/* ptr */
	PTR("1.0.0.127.in-addr.arpa", "lies.example.com"), A("lies.example.com", "192.0.2.1"),
	PTR("9.113.0.203.in-addr.arpa", "n1.example.net"), PTR("9.113.0.203.in-addr.arpa", "n2.example.net"),
	PTR("9.113.0.203.in-addr.arpa", "failed.example.net"), PTR("9.113.0.203.in-addr.arpa", "x.nine.example.org"),
	A("x.nine.example.org", "203.0.113.9"), A("n2.example.net", "203.0.113.9"),
	PTR("8.113.0.203.in-addr.arpa", "p1.example.net"), PTR("8.113.0.203.in-addr.arpa", "p2.example.net"),
	PTR("8.113.0.203.in-addr.arpa", "p3.example.net"), PTR("8.113.0.203.in-addr.arpa", "p4.example.net"),
	PTR("8.113.0.203.in-addr.arpa", "p5.example.net"), PTR("8.113.0.203.in-addr.arpa", "p6.example.net"),
	PTR("8.113.0.203.in-addr.arpa", "p7.example.net"), PTR("8.113.0.203.in-addr.arpa", "p8.example.net"),
	PTR("8.113.0.203.in-addr.arpa", "p9.example.net"), PTR("8.113.0.203.in-addr.arpa", "tenth.example.net"),
	PTR("8.113.0.203.in-addr.arpa", "eleventh.example.org"),
	A("tenth.example.net", "203.0.113.8"), A("eleventh.example.org", "203.0.113.8"),
	{ "7.113.0.203.in-addr.arpa", SPFZONE_FAILED, NULL },
	PTR("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "six.example.net"),
	A("six.example.net.p", "127.0.0.2"), A("example.com.p", "127.0.0.2"), A("amy.example.com.p", "127.0.0.2"),
	A("x.nine.example.org.p", "127.0.0.2"), A("unknown.p", "127.0.0.2"), A("n2.example.net.p", "127.0.0.2"),
	/* macros */
	A("user.192.0.2.1.in-addr.mail.example.com.example.com", "127.0.0.2"), A("a%20b c%d.example.com", "127.0.0.2"),
	A("2%2B1.user%2Btag.example.com", "127.0.0.2"), { NULL, 0, NULL },
};

struct test {
	const char *record;	/* of the domain that is checked; NULL: what the zone has */
	const char *client, *sender, *helo;	/* NULL: 192.0.2.1, user@example.com, mail.example.com */
	enum spf_result want;
	const char *mechanism;	/* NULL: any */
};

/* Answers until it is done; counts the questions. */
static unsigned run(struct spf *s, const struct spfzone_row *own)
{
	static struct spfzone_answer a;
	unsigned asks = 0;

	while (spf_next(s) == SPF_ASKS) {
		assert_true(++asks <= SPF_ASKS_MAX);
		spfzone_begin(&a);
		spfzone_add(&a, own, s->ask_type, s->ask_name);
		spfzone_add(&a, zone, s->ask_type, s->ask_name);
		spf_take(s, &a.answer);
	}
	return asks;
}

static unsigned check_asks;

static bool check(const struct test *t, struct spf *s)
{
	const char *sender = t->sender ? t->sender : "user@example.com", *at = strchr(sender, '@');
	const char *helo = t->helo ? t->helo : "mail.example.com";
	const struct spfzone_row own[] = { TXT(at ? at + 1 : helo, t->record), { NULL, 0, NULL } };
	struct netaddr client;

	assert_true(netaddr_parse(span_of(t->client ? t->client : "192.0.2.1"), &client));
	memset(s, 0xa5, sizeof *s);
	spf_begin(s, &client, span_of(sender), span_of(helo));
	check_asks = run(s, t->record ? own : own + 1);
	if (s->result == t->want && (!t->mechanism || !strcmp(s->mechanism, t->mechanism)))
		return true;
	print_error("\"%s\" client %s sender %s helo %s: %s by \"%s\" (%s), not %s by \"%s\"\n",
		    t->record ? t->record : "", t->client ? t->client : "", sender, helo, spf_result_word(s->result),
		    s->mechanism, s->why, spf_result_word(t->want), t->mechanism ? t->mechanism : "");
	return false;
}

static void check_all(const struct test *t, size_t n)
{
	static struct spf s;
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += !check(&t[i], &s);
	assert_int_equal(wrong, 0);
}

#define CHECK(table) check_all(table, sizeof(table) / sizeof *(table))

static void test_appendix_a(void **state)
{
	static const struct test t[] = {
		/* A.1 */
		{ "v=spf1 +all", "198.51.100.1", NULL, NULL, SPF_PASS, "+all" },
		{ "v=spf1 a -all", "192.0.2.10", NULL, NULL, SPF_PASS, "a" },
		{ "v=spf1 a -all", "192.0.2.11", NULL, NULL, SPF_PASS, "a" },
		{ "v=spf1 a -all", "192.0.2.12", NULL, NULL, SPF_FAIL, "-all" },
		{ "v=spf1 a:example.org -all", "192.0.2.10", NULL, NULL, SPF_FAIL, "-all" },
		{ "v=spf1 mx -all", "192.0.2.129", NULL, NULL, SPF_PASS, "mx" },
		{ "v=spf1 mx -all", "192.0.2.130", NULL, NULL, SPF_PASS, "mx" },
		{ "v=spf1 mx -all", "192.0.2.140", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 mx:example.org -all", "192.0.2.140", NULL, NULL, SPF_PASS, "mx:example.org" },
		{ "v=spf1 mx mx:example.org -all", "192.0.2.140", NULL, NULL, SPF_PASS, "mx:example.org" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", NULL, NULL, SPF_PASS, "mx/30" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", NULL, NULL, SPF_PASS, "mx:example.org/30" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.132", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr -all", "192.0.2.65", NULL, NULL, SPF_PASS, "ptr" },
		{ "v=spf1 ptr -all", "192.0.2.140", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr -all", "10.0.0.4", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", NULL, NULL, SPF_PASS, NULL },
		/* A.2 */
		{ "v=spf1 include:bare.example.net include:pass.example.net -all", "192.0.2.1", NULL, NULL, SPF_PASS,
		  "include:pass.example.net ip4:192.0.2.1" },
		{ "v=spf1 redirect=pass.example.net", "192.0.2.9", "x@la.example.org", NULL, SPF_FAIL, "-all" },
		/* A.3 */
		{ "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all", NULL,
		  "mary@example.com", NULL, SPF_PASS, "include:mobile-users._spf.%{d} exists:%{l1r+}.%{d}" },
		{ "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all", NULL,
		  "fred+x@example.com", NULL, SPF_PASS, NULL },
		{ "v=spf1 include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all", "192.168.15.15",
		  "joel@example.com", NULL, SPF_PASS, "include:remote-users._spf.%{d} exists:%{ir}.%{l1r+}.%{d}" },
		{ "v=spf1 include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all", "192.168.15.16",
		  "joel@example.com", NULL, SPF_FAIL, "-all" },
		/* A.4: both must hold */
		{ "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all", "192.0.2.65", NULL, NULL, SPF_PASS, "+all" },
		{ "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all", "192.0.2.67", NULL, NULL, SPF_FAIL,
		  "-include:ptr._spf.%{d} +all" },
		{ "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all", "198.51.100.1", NULL, NULL, SPF_FAIL,
		  "-include:ip4._spf.%{d} +all" },
	};

	(void)state;
	CHECK(t);
}

/* Sections 2.4, 4.3, 4.4, 4.5, 4.7. */
static void test_start(void **state)
{
	static const struct test t[] = {
		{ "v=spf1 exists:fred.mobile-users._spf.%{o} -all", NULL, "", "example.com", SPF_PASS, NULL },
		{ "v=spf1 -all", NULL, "<>", "mail.example.com", SPF_FAIL, NULL },
		{ NULL, NULL, "", "localhost", SPF_NONE, "" },
		{ NULL, NULL, "", "[192.0.2.1]", SPF_NONE, "" },
		{ NULL, NULL, "", "192.0.2.1", SPF_NONE, "" },
		{ NULL, NULL, "", "", SPF_NONE, "" },
		{ NULL, NULL, "user@localhost", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@[192.0.2.1]", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@[IPv6:2001:db8::1]", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@a..example.com", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@.example.com", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@example.com..", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@" L60 "abcd.example.com", NULL, SPF_NONE, "" },
		{ "v=spf1 -all", NULL, "user@" L60 "abc.example.com", NULL, SPF_FAIL, "-all" },
		{ NULL, NULL, "user@" L240 ".example.com", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@ex\303\244mple.com", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@exa mple.com", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@xn--mller-kva.example.net", NULL, SPF_FAIL, "-all" },
		{ NULL, NULL, "<User@One.Example.NET.>", NULL, SPF_FAIL, "-aLl" },
		{ NULL, NULL, "user@missing.example.net", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@none.example.net", NULL, SPF_NONE, "" },
		{ NULL, NULL, "user@two.example.net", NULL, SPF_PERMERROR, NULL },
		{ NULL, NULL, "user@failed.example.net", NULL, SPF_TEMPERROR, NULL },
		{ NULL, NULL, "user@slow.example.net", NULL, SPF_TEMPERROR, NULL },
		{ NULL, NULL, "user@bare.example.net", NULL, SPF_NEUTRAL, "" },
		{ NULL, NULL, "user@blanks.example.net", NULL, SPF_NEUTRAL, "?all" },
		{ "v=spf1 exists:%{l}.mobile-users._spf.example.com ~all", NULL, "@example.com", NULL, SPF_SOFTFAIL, NULL },
		{ "v=spf1 exists:fred.mobile-users._spf.%{o}", NULL, "a@b@example.com", NULL, SPF_NONE, NULL },
		{ "v=spf1 ip4:192.0.2.9 ?a:far.example.net", "198.51.100.7", NULL, NULL, SPF_NEUTRAL, "?a:far.example.net" },
	};

	(void)state;
	CHECK(t);
}

/* Sections 4.6.1, 5 and 6, 12: one wrong term anywhere spoils the record. */
static void test_syntax(void **state)
{
	static const char *const wrong[] = {
		"nonsense", "all.", "all:x.example", "all/8", "-", "+", "--all", "a:", "a/", "a//", "a/33", "a//129",
		"a/032", "a/-1", "a/+8", "a/24/64", "a/24//", "a//64/24", "a///64", "a/99999999999999999999", "a/24x", "a:museum",
		"a:museum.", "a:example.com:8080", "a:111.222.33.44", "a:example.-com", "a:example.com-", "a:example..",
		"a:example.c_m", "a:%{d", "a:%{}", "a:%{d0}", "a:%{d00}", "a:%{x}", "a:%{d}x", "a:%{dr2}", "a:%{d2rr}",
		"a:%{d:}", "a:%d", "a:%", "a:%{d}.%", "a:%{c}", "a:%{r}.example.com", "a:%{T}.example.com", "a:%{d}.", "a:/24",
		"a.example.com", "a:ex\303\244mple.com", "a:example.com\tall", "a:exam\001ple.com", "mx:", "mx/33", "mx:com",
		"ptr:", "ptr/24", "ptr:com", "ip4", "ip4:", "ip4:1.2.3", "ip4:1.2.3.4.5", "ip4:1.2.3.4/33", "ip4:1.2.3.4/",
		"ip4:1.2.3.4//32", "ip4:1.2.3.4/032", "ip4:1.2.3.04", "ip4:1.2.3.256", "ip4:1.2.3.4:25", "ip4:2001:db8::1",
		"ip4:[1.2.3.4]", "ip4/24:1.2.3.4", "ip6", "ip6:", "ip6:1.2.3.4", "ip6:2001:db8::1/129", "ip6:2001:db8:::1",
		"ip6:::1/", "ip6:[::1]", "ip6:IPv6:::1", "ip6:fe80::1%eth0", "include", "include:", "include:com",
		"include:example.com/24", "include/24", "exists", "exists:", "exists:com", "exists:%(ir).example.com",
		"redirect=", "redirect=com", "redirect=x.example/24", "redirect:x.example", "-redirect=x.example", "redirect",
		"redirect=a.example redirect=b.example", "exp=", "exp=com", "exp=a.example exp=b.example", "foo=%", "foo=%{x}",
		"foo=%abc", "foo=\303\244", "=x", "1x=y", "f@o=x", "moo", "+foo=x", "v=spf1\177", "ip4=1.2.3.4\t",
	};
	static const char *const right[] = {
		"ALL", "aLL", "a", "A:Example.COM.", "a/0", "a//0", "a/24//64", "a:example.com/24//64", "a:foo:bar/baz.example.net",
		"a:example.com//64", "a:%{d}/24", "a:x.%{d}//64", "a:%{d}", "a:%%", "a:%{d2r.-+,/_=}", "a:%{D999999999}.x.yz",
		"a:a-b.xn--zckzah", "a:x.1a", "a:x.a1-2b", "mx", "mx/24", "mx:%{o}//64", "ptr", "ptr:example.com",
		"ip4:1.2.3.4", "ip4:0.0.0.0/0", "ip6:::", "ip6:::/0", "ip6:::1.2.3.4/96", "IP6:2001:DB8::/32", "exists:%{i}.%{v}.x.yz",
		"foo=", "foo=%{c}%{r}%{t}", "f-o_o.1=a:b/c", "default=pass", "a=b", "all=x", "exp=x.yz", "EXP=x.yz", "moo=%%%_%-",
		"exists:%{l1r+}.x.yz", "include=x",
	};
	char text[300];
	struct span terms;
	struct spf_term t;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct buf b = BUF_ON(text);
		struct test check_wrong = { text, NULL, NULL, NULL, SPF_PERMERROR, NULL };
		struct spf s;
		buf_addf(&b, "v=spf1 ip4:192.0.2.1 %s -all", wrong[i]);
		assert_true(check(&check_wrong, &s));
		assert_int_equal(check_asks, 1);
	}
	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		struct buf b = BUF_ON(text);
		buf_addf(&b, "v=spf1 %s", right[i]);
		assert_true(spfrecord_is(buf_span(&b), &terms));
		if (!spfrecord_check(terms, &t))
			fail_msg("%s is not taken", right[i]);
	}
	assert_true(spfrecord_is(span_make("v=spf1 a:b.c\0d.e -all", 21), &terms));
	assert_false(spfrecord_check(terms, &t));
	assert_true(spfrecord_is(span_make("v=spf1 ip4:1.2.3.4\0 -all", 24), &terms));
	assert_false(spfrecord_check(terms, &t));
	assert_true(spfrecord_is(span_make("v=spf1 \0all", 11), &terms));
	assert_false(spfrecord_check(terms, &t));
}

/* Section 5 without include. */
static void test_mechanisms(void **state)
{
	static const struct test t[] = {
		{ "v=spf1 ip4:192.0.2.0/31 -all", NULL, NULL, NULL, SPF_PASS, "ip4:192.0.2.0/31" },
		{ "v=spf1 ip4:192.0.2.0 -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ~ip4:192.0.2.255/0 -all", NULL, NULL, NULL, SPF_SOFTFAIL, NULL },
		{ "v=spf1 ip4:192.0.2.1 -all", "::ffff:192.0.2.1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 ip6:::ffff:192.0.2.1 -all", "192.0.2.1", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ip6:::/0 -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 ip6:2001:db8::/127 -all", "2001:db8::2", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:six.example.net -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:six.example.net -all", "2001:db8:1::1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:six.example.net//64 -all", "2001:db8:1::9", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:six.example.net/24 -all", "2001:db8:1::9", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:six.example.net/24//64 -all", "192.0.2.77", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:six.example.net//0 -all", "192.0.2.77", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:far.example.net/0 -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:far.example.net/0 -all", "2001:db8::1", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:missing.example.net/0 -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:failed.example.net ip4:192.0.2.1", NULL, NULL, NULL, SPF_TEMPERROR, "a:failed.example.net" },
		{ "v=spf1 a:slow.example.net ip4:192.0.2.1", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 a:foo:bar/baz.example.net -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:a.b.museum. -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:example.xn--zckzah -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:a..example.net -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 a:" L60 "abcd.example.net -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 mx:six.example.net -all", "2001:db8:1::1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 mx:six.example.net//64 -all", "2001:db8:1::2", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 mx:null.example.net mx:null2.example.net -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		/* No exchangers: the address of the domain is none. */
		{ "v=spf1 mx:far.example.net -all", "198.51.100.7", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 mx:broken.example.net -all", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 mx:failed.example.net -all", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 mx:10.mx.example.net -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 mx:11.mx.example.net -all", NULL, NULL, NULL, SPF_PERMERROR, "mx:11.mx.example.net" },
		{ "v=spf1 exists:six.example.net -all", "2001:db8::1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:missing.example.net -all", NULL, NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 exists:failed.example.net -all", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 ptr -all", "127.0.0.1", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr:NINE.example.org -all", "203.0.113.9", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 ptr:ine.example.org -all", "203.0.113.9", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr:n1.example.net ptr:n2.example.net -all", "203.0.113.9", NULL, NULL, SPF_PASS,
		  "ptr:n2.example.net" },
		{ "v=spf1 ptr:failed.example.net ?all", "203.0.113.9", NULL, NULL, SPF_NEUTRAL, NULL },
		{ "v=spf1 ptr:example.net -all", "203.0.113.8", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 ptr:eleventh.example.org ptr:example.org -all", "203.0.113.8", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr -all", "203.0.113.7", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr -all", "198.51.100.200", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 ptr:six.example.net -all", "2001:db8:1::1", NULL, NULL, SPF_PASS, NULL },
	};

	(void)state;
	CHECK(t);
}

/* Sections 5.2, 6. */
static void test_nested(void **state)
{
	static const struct test t[] = {
		{ "v=spf1 include:pass.example.net ~all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 -include:pass.example.net ~all", NULL, NULL, NULL, SPF_FAIL,
		  "-include:pass.example.net ip4:192.0.2.1" },
		{ "v=spf1 include:pass.example.net ~all", "192.0.2.2", NULL, NULL, SPF_SOFTFAIL, "~all" },
		{ "v=spf1 include:softfail.example.net ?all", NULL, NULL, NULL, SPF_NEUTRAL, "?all" },
		{ "v=spf1 include:neutral.example.net -all", NULL, NULL, NULL, SPF_FAIL, "-all" },
		{ "v=spf1 include:softfail.example.net", NULL, NULL, NULL, SPF_NEUTRAL, "" },
		{ "v=spf1 include:missing.example.net +all", NULL, NULL, NULL, SPF_PERMERROR, "include:missing.example.net" },
		{ "v=spf1 include:failed.example.net +all", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 include:wrong.example.net +all", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 include:two.example.net +all", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 include:fails.example.net +all", NULL, NULL, NULL, SPF_TEMPERROR,
		  "include:fails.example.net a:failed.example.net" },
		{ "v=spf1 include:deep.example.net -all", NULL, NULL, NULL, SPF_PASS,
		  "include:deep.example.net include:pass.example.net ip4:192.0.2.1" },
		{ "v=spf1 include:back.example.net -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 include:back.example.net ~all", "192.0.2.2", NULL, NULL, SPF_SOFTFAIL, "~all" },
		{ "v=spf1 include:loop.example.net", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 redirect=around.example.net", NULL, NULL, NULL, SPF_PERMERROR, "redirect=around.example.net" },
		{ "v=spf1 include:%{l}.example.net -all", NULL, "pass@example.com", NULL, SPF_PASS, NULL },
		{ "v=spf1 include:%{d1}", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 include:a..example.net", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		/* <domain> is the included one, <sender> stays. */
		{ "v=spf1 include:self.example.net -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 redirect=self.example.net", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 redirect=pass.example.net ip4:192.0.2.2", "192.0.2.2", NULL, NULL, SPF_PASS, "ip4:192.0.2.2" },
		{ "v=spf1 redirect=pass.example.net ?all", NULL, NULL, NULL, SPF_NEUTRAL, "?all" },
		{ "v=spf1 REDIRECT=softfail.example.net", NULL, NULL, NULL, SPF_SOFTFAIL, "~all" },
		{ "v=spf1 redirect=missing.example.net", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 redirect=failed.example.net", NULL, NULL, NULL, SPF_TEMPERROR, NULL },
		{ "v=spf1 redirect=%{d1}", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 redirect=back.example.net", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exp=missing.example.net foo=bar -all", NULL, NULL, NULL, SPF_FAIL, "-all" },
	};

	(void)state;
	CHECK(t);
}

/* Section 4.6.4. */
static void test_limits(void **state)
{
#define F "far.example.net"
#define TEN(x) x x x x x x x x x x
	static const struct test t[] = {
		{ "v=spf1" TEN(" a:" F) " ip4:192.0.2.1", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1" TEN(" a:" F) " a:" F " ip4:192.0.2.1", NULL, NULL, NULL, SPF_PERMERROR, "a:" F },
		{ "v=spf1" TEN(" exists:six.example.%{l}"), NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1" TEN(" mx:six.example.net/32"), "192.0.2.2", NULL, NULL, SPF_NEUTRAL, NULL },
		{ "v=spf1" TEN(" ptr:x.yz") " ptr:x.yz", "192.0.2.10", NULL, NULL, SPF_PERMERROR, "ptr:x.yz" },
		{ "v=spf1" TEN(" a:" F) " redirect=pass.example.net", NULL, NULL, NULL, SPF_PERMERROR, NULL },
		{ "v=spf1 a:" F " a:" F " a:" F " a:" F " a:" F " a:" F " a:" F " a:" F " a:" F " redirect=pass.example.net", NULL,
		  NULL, NULL, SPF_PASS, NULL },
		/* Not reached, not counted. */
		{ "v=spf1 ip4:192.0.2.1" TEN(" a:" F) TEN(" mx"), NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:m1.example a:m2.example ip4:192.0.2.1", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 a:m1.example exists:m2.example mx:m3.example ip4:192.0.2.1", NULL, NULL, NULL, SPF_PERMERROR,
		  "mx:m3.example" },
		{ "v=spf1 a:m1.example mx:bare.mx.example.net mx:bare.mx.example.net +all", NULL, NULL, NULL, SPF_PERMERROR,
		  "mx:bare.mx.example.net" },
		{ "v=spf1 mx:10.mx.example.net mx:10.mx.example.net +all", "192.0.2.2", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 ptr ptr ptr ptr ~all", "198.51.100.200", NULL, NULL, SPF_SOFTFAIL, NULL },
		{ "v=spf1 exists:%{p}.x.yz" TEN(" a:" F), NULL, NULL, NULL, SPF_PERMERROR, NULL },
	};

	(void)state;
	CHECK(t);
	/* The most that can be asked. */
	static struct spf s;
	const struct test most = { "v=spf1" TEN(" mx:10.mx.example.net"), "203.0.113.77", NULL, NULL, SPF_PERMERROR, NULL };
	assert_true(check(&most, &s));
	assert_in_range(check_asks, 30, SPF_ASKS_MAX);
}

/* Macros in whole checks; what %{p} stands for (section 7.3). */
static void test_macros(void **state)
{
	static const struct test t[] = {
		{ "v=spf1 exists:%{l}.%{i}.%{v}.%{h}.%{o} -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:a%-b%_c%%d.%{d} -all", NULL, NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:2%{L}.%{d} ~all", NULL, "+1.user+tag@example.com", NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{p}.p -all", "2001:db8:1::1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{p}.p -all", "192.0.2.10", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{P}.p -all", "192.0.2.65", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{p}.p -all", "127.0.0.1", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{p}.p -all", "203.0.113.7", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:%{p2}.p -all", "203.0.113.9", NULL, NULL, SPF_FAIL, NULL },
		{ "v=spf1 exists:%{p}.p -all", "203.0.113.9", NULL, NULL, SPF_PASS, NULL },
		{ "v=spf1 exists:n2.%{p2}.p exists:%{p3}.p -all", "203.0.113.9", "user@example.net", NULL, SPF_PASS, NULL },
		{ "v=spf1 redirect=%{p}", "192.0.2.10", "user@la.example.net", NULL, SPF_PERMERROR, NULL },
	};

	(void)state;
	CHECK(t);
}

static void test_broad(void **state)
{
	static const struct { const char *record, *client; bool broad; } t[] = {
		{ "v=spf1 +all", "192.0.2.1", true }, { "v=spf1 exists:far.example.net", "192.0.2.1", true },
		{ "v=spf1 ip4:192.0.0.0/15", "192.0.2.1", true }, { "v=spf1 ip4:192.0.0.0/16", "192.0.2.1", false },
		{ "v=spf1 ip6:2001:db8::/31", "2001:db8::1", true }, { "v=spf1 ip6:2001:db8::/32", "2001:db8::1", false },
		{ "v=spf1 a:far.example.net/8", "198.51.2.1", true }, { "v=spf1 a:far.example.net/16//0", "198.51.2.1", false },
		{ "v=spf1 mx:six.example.net//16", "2001:db8::1", true }, { "v=spf1 ptr", "192.0.2.65", false },
		{ "v=spf1 include:all.example.net", "192.0.2.1", true }, { "v=spf1 redirect=all.example.net", "192.0.2.1", true },
		{ "v=spf1 include:pass.example.net", "192.0.2.1", false },
		{ "v=spf1 include:pass.example.net include:deep.example.net ip4:192.0.2.9", "192.0.2.9", false },
	};
	static struct spf s;

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct test c = { t[i].record, t[i].client, NULL, NULL, SPF_PASS, NULL };
		assert_true(check(&c, &s));
		if (s.broad != t[i].broad)
			fail_msg("%s: broad %d", t[i].record, s.broad);
	}
	struct test fails = { "v=spf1 -all", NULL, NULL, NULL, SPF_FAIL, NULL };
	assert_true(check(&fails, &s));
	assert_false(s.broad);
	assert_string_equal(s.domain, "example.com");
}

/* Records at and over the limits of length, alone and nested; a sender over its limit. */
static void test_long(void **state)
{
	static char text[SPFRECORD_MAX + 2], sender[SPF_SENDER_MAX + 20];
	static struct spf s;
	struct test t = { text, "192.0.2.9", NULL, NULL, SPF_FAIL, "-all" };

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text, "v=spf1", 6);
	memcpy(text + SPFRECORD_MAX - 4, "-all", 5);
	assert_true(check(&t, &s));
	memcpy(text + SPFRECORD_MAX - 4, " -all", 6);
	t.want = SPF_PERMERROR;
	t.mechanism = "";
	assert_true(check(&t, &s));

	/* Each includes another: four fit, a fifth does not. */
	memset(text, ' ', sizeof text);
	memcpy(text, "v=spf1", 6);
	memcpy(text + SPFRECORD_MAX - 21, "include:x.example.com", 22);
	struct netaddr client = { .family = 4 };
	struct dns_record r = { .text = span_make(text, SPFRECORD_MAX) };
	struct dns_answer a = { .status = DNS_FOUND, .exists = true, .count = 1, .records = &r };
	spf_begin(&s, &client, span_of("u@example.com"), span_of("x"));
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(spf_next(&s), SPF_ASKS);
		spf_take(&s, &a);
	}
	assert_int_equal(spf_next(&s), SPF_ASKS);
	spf_take(&s, &a);
	assert_int_equal(spf_next(&s), SPF_DONE);
	assert_int_equal(s.result, SPF_PERMERROR);
	assert_string_equal(s.why, "SPF record too long");

	memset(sender, 'a', sizeof sender);
	memcpy(sender + SPF_SENDER_MAX - 12, "@example.com", 13);
	t = (struct test){ "v=spf1 exists:%{l}.%{s}.%{d} ~all", NULL, sender, NULL, SPF_SOFTFAIL, "~all" };
	assert_int_equal(strlen(sender), SPF_SENDER_MAX);
	assert_true(check(&t, &s));
	memmove(sender + 1, sender, sizeof sender - 1);
	t.want = SPF_NONE;
	t.mechanism = "";
	assert_true(check(&t, &s));
}

/* Answers that nobody asked for, or that make no sense. */
static void test_answers(void **state)
{
	static struct spf s;
	const struct dns_record odd[] = { { .text = SPAN("v=spf1 mx a ptr exists:x.yz -all") } };
	const struct dns_answer found = { .status = DNS_FOUND, .count = 1, .records = odd };
	const struct dns_answer empty = { .status = DNS_FOUND };
	struct netaddr client = { .family = 4 };

	(void)state;
	spf_begin(&s, &client, span_of("u@example.com"), span_of("h"));
	spf_take(&s, &empty);
	spf_take(&s, &found);
	assert_int_equal(spf_next(&s), SPF_DONE);
	assert_int_equal(s.result, SPF_NONE);

	/* Every answer is that record, whatever was asked. */
	spf_begin(&s, &client, span_of("u@example.com"), span_of("h"));
	while (spf_next(&s) == SPF_ASKS)
		spf_take(&s, &found);
	assert_int_equal(s.result, SPF_PASS);
	assert_string_equal(s.mechanism, "exists:x.yz");

	client.family = 0;
	spf_begin(&s, &client, span_of("u@example.com"), span_of("h"));
	assert_int_equal(spf_next(&s), SPF_DONE);
	assert_int_equal(s.result, SPF_NONE);
	spf_begin(&s, &(struct netaddr){ .family = 4 }, span_make("u@e\0.com", 8), span_make("\0", 1));
	assert_int_equal(spf_next(&s), SPF_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appendix_a), cmocka_unit_test(test_start), cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_mechanisms), cmocka_unit_test(test_nested), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_macros), cmocka_unit_test(test_broad), cmocka_unit_test(test_long),
		cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests_name("spf", tests, NULL, NULL);
}
