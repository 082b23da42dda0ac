/* SPF over the resolver, against nsd and a server that misbehaves. */
#include "fixture.h"

#include "dns/spfcheck.h"
#include "dns/spfnets.h"

static struct server real, bad;

static void on_check(struct spfcheck *c)
{
	unsigned *calls = c->arg;

	++*calls;
}

static void start(struct fixture *f, struct spfcheck *c, const char *client, const char *sender, unsigned *calls)
{
	struct netaddr a;

	assert_true(netaddr_parse(span_of(client), &a));
	spfcheck_start(c, f->resolver, &a, span_of(sender), span_of("helo.spf.test"), on_check, calls);
}

static void wait_calls(struct fixture *f, const unsigned *calls, unsigned wanted)
{
	uint64_t until = fixture_ms() + WAIT_MS;

	while (*calls < wanted && fixture_ms() < until)
		loop_once(f->loop, 20);
	assert_int_equal(*calls, wanted);
}

static const struct { const char *client, *sender; enum spf_result want; const char *mechanism; } checks[] = {
	{ "198.51.100.9", "alice@spf.test", SPF_PASS, "ip4:198.51.100.0/24" },
	{ "2001:db8:5::1", "alice@spf.test", SPF_PASS, "include:inner.spf.test ip6:2001:db8:5::/48" },
	{ "2001:db8::77", "alice@SPF.Test.", SPF_PASS, "include:inner.spf.test a:host.test//64" },
	{ "192.0.2.2", "alice@spf.test", SPF_PASS, "include:inner.spf.test a:host.test//64" },
	{ "203.0.113.9", "alice@spf.test", SPF_PASS, "exists:%{ir}.%{l}.who.spf.test" },
	{ "203.0.113.9", "bob@spf.test", SPF_SOFTFAIL, "~all" },
	{ "203.0.113.9", "alice@redirect.spf.test", SPF_PASS, "exists:%{ir}.%{l}.who.spf.test" },
	{ "10.1.119.1", "x@long.spf.test", SPF_PASS, "ip4:10.1.119.0/24" },
	{ "10.2.0.1", "x@long.spf.test", SPF_FAIL, "-all" },
	{ "192.0.2.9", "x@two.spf.test", SPF_PERMERROR, "" },
	{ "192.0.2.9", "x@loop.spf.test", SPF_PERMERROR, NULL },
	{ "192.0.2.9", "x@lost.spf.test", SPF_TEMPERROR, "a:elsewhere.example" },
	{ "192.0.2.1", "x@ptr.spf.test", SPF_FAIL, "-all" },
	{ "192.0.2.9", "x@text.test", SPF_FAIL, "-all" },
	{ "192.0.2.9", "x@host.test", SPF_NONE, "" },
	{ "192.0.2.9", "x@nobody.test", SPF_NONE, "" },
	{ "192.0.2.9", "x@elsewhere.example", SPF_TEMPERROR, "" },
	{ "192.0.2.9", "x@localhost", SPF_NONE, "" },
	{ "192.0.2.9", "", SPF_NONE, "" },
};
#define CHECKS (sizeof checks / sizeof *checks)

/* All at once, and again from memory: then within the call. */
static void test_checks(void **state)
{
	static struct spfcheck c[CHECKS];
	struct fixture f;
	unsigned calls = 0, wrong = 0;

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	for (size_t i = 0; i < CHECKS; i++)
		start(&f, &c[i], checks[i].client, checks[i].sender, &calls);
	assert_true(calls < CHECKS);
	wait_calls(&f, &calls, CHECKS);
	for (size_t i = 0; i < CHECKS; i++) {
		const struct spf *s = &c[i].spf;
		if (s->result == checks[i].want && (!checks[i].mechanism || !strcmp(s->mechanism, checks[i].mechanism)))
			continue;
		print_error("%s from %s: %s by \"%s\" (%s)\n", checks[i].sender, checks[i].client,
			    spf_result_word(s->result), s->mechanism, s->why);
		wrong++;
	}
	assert_int_equal(wrong, 0);
	uint64_t sent = fixture_stats(&f).sent;
	for (size_t i = 0; i < CHECKS; i++)
		start(&f, &c[i], checks[i].client, checks[i].sender, &calls);
	assert_int_equal(calls, 2 * CHECKS);
	assert_int_equal(fixture_stats(&f).sent, sent);
	fixture_end(&f);
}

/* After none, one, two turns of the loop: it may have ended by then, but does not call later. */
static void test_cancel(void **state)
{
	static struct spfcheck c;
	struct fixture f;

	(void)state;
	for (unsigned turns = 0; turns < 8; turns++) {
		unsigned calls = 0, before;
		fixture_begin(&f, real.port, 0, 0, 0);
		start(&f, &c, "203.0.113.9", "alice@spf.test", &calls);
		for (unsigned i = 0; i < turns; i++)
			loop_once(f.loop, 100);
		before = calls;
		assert_true(turns || !calls);
		spfcheck_cancel(&c);
		memset(&c, 0xa5, sizeof c);
		for (unsigned i = 0; i < 5; i++)
			loop_once(f.loop, 5);
		assert_int_equal(calls, before);
		start(&f, &c, "203.0.113.9", "alice@spf.test", &calls);
		wait_calls(&f, &calls, before + 1);
		assert_int_equal(c.spf.result, SPF_PASS);
		fixture_end(&f);
	}
}

/* A server that is silent or makes no sense: temperror in the end, and nobody waits in a call. */
static void test_bad_server(void **state)
{
	static const struct { const char *domain; enum spf_result want; } rows[] = {
		{ "x.silent.bad", SPF_TEMPERROR }, { "x.servfail.bad", SPF_TEMPERROR }, { "x.refused.bad", SPF_TEMPERROR },
		{ "x.absent.bad", SPF_NONE }, { "x.garbage.bad", SPF_TEMPERROR }, { "x.loop.bad", SPF_TEMPERROR },
	};
	static struct spfcheck c[sizeof rows / sizeof *rows];
	const unsigned count = sizeof rows / sizeof *rows;
	struct fixture f;
	char sender[50];
	unsigned calls = 0;

	(void)state;
	/* First with much patience, so that a stall of the machine is no waiting; then to the end. */
	for (unsigned patience_ms = ANSWERED_MS;; patience_ms = PATIENCE_MS) {
		fixture_begin(&f, bad.port, 0, patience_ms, 0);
		uint64_t before = fixture_ms();
		for (unsigned i = 0; i < count; i++) {
			snprintf(sender, sizeof sender, "u@%s", rows[i].domain);
			start(&f, &c[i], "192.0.2.1", sender, &calls);
		}
		assert_int_equal(calls, 0);
		assert_true(patience_ms == PATIENCE_MS || fixture_ms() - before < 9 * ANSWERED_MS / 10);
		if (patience_ms == PATIENCE_MS)
			break;
		for (unsigned i = 0; i < count; i++)
			spfcheck_cancel(&c[i]);
		fixture_end(&f);
	}
	wait_calls(&f, &calls, count);
	for (unsigned i = 0; i < count; i++)
		if (c[i].spf.result != rows[i].want)
			fail_msg("%s: %s", rows[i].domain, spf_result_word(c[i].spf.result));
	fixture_end(&f);
}

static void on_nets(struct spfnets *n)
{
	unsigned *calls = n->arg;

	++*calls;
}

static void flatten(struct fixture *f, struct spfnets *n, const char *domain, struct buf *out)
{
	unsigned calls = 0;

	memset(n, 0xa5, sizeof *n);
	spfnets_start(n, f->resolver, span_of(domain), on_nets, &calls);
	wait_calls(f, &calls, 1);
	buf_clear(out);
	for (unsigned i = 0; i < n->count; i++) {
		netprefix_add(out, &n->nets[i]);
		buf_addc(out, ' ');
	}
}

static void test_nets(void **state)
{
	static struct spfnets n;
	struct fixture f;
	char text[4000];
	struct buf out = BUF_ON(text);

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	flatten(&f, &n, "Nets.SPF.test.", &out);
	assert_true(n.found);
	assert_false(n.failed);
	assert_string_equal(text, "198.51.100.0/24 192.0.2.0/28 2001:db8::/64 2001:db8:5::/48 2001:db8:7::/48 "
			    "192.0.2.200/32 192.0.2.1/32 192.0.2.2/32 2001:db8::1/128 ");
	assert_string_equal(buf_str(&n.skipped),
			    "ip4:203.0.0.0/8 (too large a network); ?ip4:203.0.113.4 (does not pass); "
			    "exists:%{i}.x.test (depends on the message); include:%{d}.test (a macro); "
			    "ptr (depends on the message); nobody.test (no SPF record); all (everybody)");
	fixture_end(&f);
}

static void test_nets_odd(void **state)
{
	static struct spfnets n;
	struct fixture f;
	char text[4000];
	struct buf out = BUF_ON(text);

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	flatten(&f, &n, "nobody.test", &out);
	assert_false(n.found);
	assert_int_equal(n.count, 0);
	assert_string_equal(buf_str(&n.skipped), "nobody.test (no SPF record)");
	flatten(&f, &n, "mail.test", &out);	/* exchangers only */
	assert_true(n.found);
	assert_int_equal(n.count, 3);
	flatten(&f, &n, "null.test", &out);
	assert_int_equal(n.count, 0);
	flatten(&f, &n, "wrong.spf.test", &out);
	assert_int_equal(n.count, 0);
	assert_string_equal(buf_str(&n.skipped), "wrong.spf.test (syntax error in its SPF record)");
	flatten(&f, &n, "two.spf.test", &out);
	assert_string_equal(buf_str(&n.skipped), "two.spf.test (more than one SPF record)");
	flatten(&f, &n, "chain.spf.test", &out);
	assert_string_equal(text, "203.0.113.77/32 ");
	flatten(&f, &n, "long.spf.test", &out);
	assert_int_equal(n.count, 120);
	assert_false(n.failed);
	flatten(&f, &n, "lost.spf.test", &out);
	assert_true(n.failed);
	assert_string_equal(buf_str(&n.skipped), "elsewhere.example (a failure of the DNS); elsewhere.example (a failure of the DNS)");
	flatten(&f, &n, "wide.spf.test", &out);
	assert_string_equal(text, "192.0.2.5/32 192.0.2.4/31 ");
	assert_non_null(strstr(buf_str(&n.skipped), "a:h28.many.test/31 (too many look-ups); a:h29"));
	assert_null(strstr(buf_str(&n.skipped), "a:h27.many.test"));
	flatten(&f, &n, "a..b", &out);
	assert_string_equal(buf_str(&n.skipped), "a..b (no name); a..b (no name)");
	assert_false(n.found);

	unsigned calls = 0;
	resolver_forget(f.resolver, DNS_TXT, span_of("nets.spf.test"));
	fixture_later(&f, 100000);
	spfnets_start(&n, f.resolver, span_of("nets.spf.test"), on_nets, &calls);
	spfnets_cancel(&n);
	memset(&n, 0xa5, sizeof n);
	for (unsigned i = 0; i < 10; i++)
		loop_once(f.loop, 10);
	assert_int_equal(calls, 0);
	fixture_end(&f);
}

static int servers_start(void **state)
{
	(void)state;
	server_real(&real);
	server_bad(&bad, false);
	return 0;
}

static int servers_end(void **state)
{
	(void)state;
	server_end(&real);
	server_end(&bad);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks), cmocka_unit_test(test_cancel), cmocka_unit_test(test_bad_server),
		cmocka_unit_test(test_nets), cmocka_unit_test(test_nets_odd),
	};

	if (!server_there()) {
		print_message("skip: no nsd\n");
		return 77;
	}
	return cmocka_run_group_tests_name("spfcheck", tests, servers_start, servers_end);
}
