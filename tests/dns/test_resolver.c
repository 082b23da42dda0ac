#include "../lib/port.h"
#include "fixture.h"

static struct server real, bad;

static void assert_first(const struct ask *a, const char *address)
{
	struct netaddr wanted;

	assert_true(netaddr_parse(span_of(address), &wanted));
	assert_true(netaddr_eq(&a->address, &wanted));
}

static void turn_for(struct fixture *f, unsigned ms)
{
	uint64_t until = fixture_ms() + ms;
	bool over;

	/* The last turn begins when the time is over: a stall may have left timers that are due. */
	do {
		over = fixture_ms() >= until;
		loop_once(f->loop, 10);
	} while (!over);
}

static void types(void **state)
{
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	assert_int_equal(ask_now(&f, &a, DNS_A, "Host.TEST."), DNS_FOUND);
	assert_int_equal(a.answer.count, 2);
	assert_int_equal(a.answer.ttl_s, 300);
	assert_int_equal(ask_now(&f, &a, DNS_AAAA, "host.test"), DNS_FOUND);
	assert_first(&a, "2001:db8::1");
	assert_int_equal(ask_now(&f, &a, DNS_A, "alias.test"), DNS_FOUND);
	assert_int_equal(a.answer.count, 2);
	assert_int_equal(a.answer.ttl_s, 60);
	assert_int_equal(ask_now(&f, &a, DNS_MX, "mail.test"), DNS_FOUND);
	assert_int_equal(a.answer.count, 2);
	assert_non_null(strstr(a.text, "host.test;"));
	assert_int_equal(ask_now(&f, &a, DNS_MX, "null.test"), DNS_FOUND);
	assert_string_equal(a.text, ";");
	assert_int_equal(ask_now(&f, &a, DNS_PTR, "pointer.test"), DNS_FOUND);
	assert_string_equal(a.text, "host.test;");
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "text.test"), DNS_FOUND);
	assert_string_equal(a.text, "v=spf1 -all;");
	/* Cut short in a datagram, whole over TCP. */
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "long.test"), DNS_FOUND);
	assert_int_equal(strlen(a.text), 20 * 200 + 1);
	assert_int_equal(ask_now(&f, &a, DNS_A, "nobody.test"), DNS_NONE);
	assert_false(a.answer.exists);
	assert_int_equal(a.answer.ttl_s, 120);
	assert_int_equal(ask_now(&f, &a, DNS_PTR, "host.test"), DNS_NONE);
	assert_true(a.answer.exists);
	assert_int_equal(ask_now(&f, &a, DNS_A, "elsewhere.example"), DNS_FAILED);
	fixture_end(&f);
}

/* Asks again after so long, and says whether a server was asked. */
static bool asks_again(struct fixture *f, const char *name, unsigned after_s)
{
	uint64_t sent = fixture_stats(f).sent;
	struct ask a = { 0 };

	fixture_later(f, after_s);
	ask_now(f, &a, DNS_A, name);
	return fixture_stats(f).sent != sent;
}

static void remembers(void **state)
{
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	assert_int_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	fixture_later(&f, 299);
	ask(&f, &a, DNS_A, "HOST.test.");
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.count, 2);
	assert_int_equal(a.answer.ttl_s, 1);
	assert_int_equal(fixture_stats(&f).remembered, 1);
	assert_true(asks_again(&f, "host.test", 1));
	/* Another type is another question. */
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "host.test"), DNS_NONE);
	assert_int_equal(fixture_stats(&f).sent, 3);
	asks_again(&f, "brief.test", 0);
	assert_false(asks_again(&f, "brief.test", 4));
	assert_true(asks_again(&f, "brief.test", 1));
	asks_again(&f, "weeks.test", 0);
	assert_false(asks_again(&f, "weeks.test", 86399));
	assert_true(asks_again(&f, "weeks.test", 1));
	/* What there is not, by the SOA record's minimum. */
	asks_again(&f, "nobody.test", 0);
	assert_false(asks_again(&f, "nobody.test", 119));
	assert_true(asks_again(&f, "nobody.test", 1));
	resolver_forget(f.resolver, DNS_A, span_of("Nobody.test."));
	assert_true(asks_again(&f, "nobody.test", 0));
	fixture_end(&f);
	fixture_begin(&f, bad.port, 0, 0, 0);
	asks_again(&f, "a.never.bad", 0);
	assert_false(asks_again(&f, "a.never.bad", 3599));
	assert_true(asks_again(&f, "a.never.bad", 1));
	fixture_end(&f);
}

/* 5, 10, 20, 30 seconds. */
static void remembers_failures(void **state)
{
	static const unsigned hold[] = { 5, 10, 20, 30, 30 };
	struct fixture f;

	(void)state;
	fixture_begin(&f, bad.port, 0, PATIENCE_MS, 0);
	assert_true(asks_again(&f, "a.servfail.bad", 0));
	for (size_t i = 0; i < sizeof hold / sizeof *hold; i++) {
		assert_false(asks_again(&f, "a.servfail.bad", hold[i] - 1));
		assert_true(asks_again(&f, "a.servfail.bad", 1));
	}
	bad.shared->mood = WAY_silent;
	assert_true(asks_again(&f, "a.moody.bad", 0));
	assert_false(asks_again(&f, "a.moody.bad", 4));
	bad.shared->mood = WAY_good;
	assert_true(asks_again(&f, "a.moody.bad", 1));
	assert_false(asks_again(&f, "a.moody.bad", 29));
	bad.shared->mood = WAY_silent;
	assert_true(asks_again(&f, "a.moody.bad", 1));
	assert_true(asks_again(&f, "a.moody.bad", 5));
	assert_int_equal(fixture_stats(&f).timeouts, 3);
	assert_int_equal(fixture_stats(&f).failures, 6);
	fixture_end(&f);
}

static void shares(void **state)
{
	static struct ask asks[50];
	struct fixture f;

	(void)state;
	fixture_begin(&f, bad.port, 0, ANSWERED_MS, 0);
	unsigned before = bad.shared->questions;
	for (size_t i = 0; i < 50; i++)
		ask(&f, &asks[i], DNS_A, "shared.slow.bad");
	/* Those in the middle and at both ends. */
	for (size_t i = 0; i < 50; i += 7)
		resolver_cancel(f.resolver, &asks[i].query);
	assert_int_equal(fixture_stats(&f).in_flight, 1);
	ask_wait(&asks[1]);
	turn_for(&f, 50);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(asks[i].calls, i % 7 != 0);
	assert_int_equal(bad.shared->questions - before, 1);
	assert_int_equal(fixture_stats(&f).sent, 1);
	assert_int_equal(fixture_stats(&f).queries, 50);
	assert_int_equal(fixture_stats(&f).in_flight, 0);
	fixture_end(&f);
}

static void late_answer(void **state)
{
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, bad.port, 0, ANSWERED_MS, 0);
	ask(&f, &a, DNS_A, "late.slow.bad");
	resolver_cancel(f.resolver, &a.query);
	resolver_cancel(f.resolver, &a.query);
	uint64_t until = fixture_ms() + WAIT_MS;
	while (fixture_stats(&f).in_flight && fixture_ms() < until)
		loop_once(f.loop, 10);
	assert_int_equal(a.calls, 0);
	ask(&f, &a, DNS_A, "late.slow.bad");
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, DNS_FOUND);
	assert_first(&a, "127.0.0.2");
	assert_int_equal(fixture_stats(&f).sent, 1);
	fixture_end(&f);
}

/* Each is over in time and calls once. */
static void misbehaviour(void **state)
{
	static const struct { const char *name; enum dns_status status; } rows[] = {
		{ "a.good.bad", DNS_FOUND }, { "a.absent.bad", DNS_NONE }, { "a.silent.bad", DNS_TIMEOUT },
		{ "a.refused.bad", DNS_FAILED }, { "a.servfail.bad", DNS_FAILED }, { "a.notimp.bad", DNS_FAILED },
		{ "a.formerr.bad", DNS_FOUND }, { "a.broken.bad", DNS_FAILED }, { "a.referral.bad", DNS_FAILED },
		{ "a.cut.bad", DNS_FAILED }, { "a.wrongid.bad", DNS_TIMEOUT }, { "a.wrongname.bad", DNS_TIMEOUT },
		{ "a.forged.bad", DNS_FOUND }, { "a.garbage.bad", DNS_TIMEOUT }, { "a.brief.bad", DNS_TIMEOUT },
		{ "a.loop.bad", DNS_FAILED }, { "a.missing.bad", DNS_FAILED }, { "a.hijacked.bad", DNS_FOUND },
		{ "a.empty.bad", DNS_TIMEOUT },
	};
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fixture_begin(&f, bad.port, 0, rows[i].status == DNS_TIMEOUT ? PATIENCE_MS : ANSWERED_MS, 0);
		uint64_t from = fixture_ms();
		enum dns_status status = ask_now(&f, &a, DNS_A, rows[i].name);
		uint64_t took = fixture_ms() - from;
		if (status != rows[i].status)
			fail_msg("%s: %d", rows[i].name, status);
		if (took > IN_TIME_MS)
			fail_msg("%s: %u ms", rows[i].name, (unsigned)took);
		turn_for(&f, 20);
		assert_int_equal(a.calls, 1);
		if (status == DNS_FOUND && strcmp(rows[i].name, "a.hijacked.bad") != 0)
			assert_first(&a, "127.0.0.2");
		fixture_end(&f);
	}
}

/* EDNS is tried, and left where it is not understood (RFC 6891 section 7). */
static void old_server(void **state)
{
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, bad.port, 0, ANSWERED_MS, 0);
	unsigned before = bad.shared->questions;
	assert_int_equal(ask_now(&f, &a, DNS_A, "a.formerr.bad"), DNS_FOUND);
	assert_int_equal(bad.shared->questions - before, 2);
	fixture_end(&f);
}

/* An answer cut short, and a server that takes the connection and says nothing. */
static void stalled_tcp(void **state)
{
	struct server stalling;
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	server_bad(&stalling, true);
	fixture_begin(&f, stalling.port, 0, PATIENCE_MS, 0);
	uint64_t from = fixture_ms();
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "a.cut.bad"), DNS_TIMEOUT);
	assert_true(fixture_ms() - from < IN_TIME_MS);
	fixture_end(&f);
	server_end(&stalling);
}

/* Nothing can be sent: the call comes before resolver_ask returns. */
static void unreachable(void **state)
{
	struct fixture f;
	struct ask a = { 0 };
	char text[200];
	struct buf why = BUF_ON(text);

	(void)state;
	fixture_begin(&f, bad.port, 0, PATIENCE_MS, 0);
	resolver_free(&f.resolver);
	f.options.servers = "255.255.255.255";
	f.resolver = resolver_new(&f.options, &why);
	assert_non_null(f.resolver);
	ask(&f, &a, DNS_A, "host.test");
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.answer.status, DNS_FAILED);
	assert_int_equal(fixture_stats(&f).in_flight, 0);
	assert_int_equal(fixture_stats(&f).failures, 1);
	fixture_end(&f);
}

/* Nobody listens; the first of two servers is dead, lame or silent. */
static void dead_servers(void **state)
{
	static const char *const names[] = { "text.refused.bad", "text.servfail.bad" };
	struct fixture f;
	struct ask a = { 0 };
	unsigned nobody = port_reserve();

	(void)state;
	fixture_begin(&f, nobody, 0, PATIENCE_MS, 0);
	uint64_t from = fixture_ms();
	assert_int_not_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	assert_true(fixture_ms() - from < IN_TIME_MS);
	fixture_end(&f);
	fixture_begin(&f, nobody, real.port, PATIENCE_MS, 0);
	assert_int_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	fixture_end(&f);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		/* The real server refuses these too. */
		fixture_begin(&f, bad.port, real.port, PATIENCE_MS, 0);
		assert_int_equal(ask_now(&f, &a, DNS_TXT, names[i]), DNS_FAILED);
		fixture_end(&f);
		fixture_begin(&f, real.port, bad.port, PATIENCE_MS, 0);
		assert_int_equal(ask_now(&f, &a, DNS_A, "second.good.bad"), DNS_FOUND);
		fixture_end(&f);
	}
}

static void restart(void **state)
{
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, real.port, 0, PATIENCE_MS, 0);
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "long.test"), DNS_FOUND);
	server_stop(&real);
	fixture_later(&f, 301);
	assert_int_not_equal(ask_now(&f, &a, DNS_TXT, "long.test"), DNS_FOUND);
	assert_int_not_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	server_real_again(&real);
	assert_int_not_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	fixture_later(&f, 5);
	assert_int_equal(ask_now(&f, &a, DNS_A, "host.test"), DNS_FOUND);
	assert_int_equal(ask_now(&f, &a, DNS_TXT, "long.test"), DNS_FOUND);
	fixture_end(&f);
}

/* The kernel may have no room for so many datagrams at once: what it drops ends as a timeout. */
static void thousand(void **state)
{
	static struct ask asks[1000];
	unsigned lost = 0;
	struct fixture f;
	char name[30];

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "n%u.many.test", i);
		ask(&f, &asks[i], DNS_A, name);
	}
	assert_int_equal(fixture_stats(&f).in_flight, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		ask_wait(&asks[i]);
		if (asks[i].answer.status == DNS_TIMEOUT) {
			lost++;
			continue;
		}
		assert_int_equal(asks[i].answer.status, DNS_FOUND);
		assert_first(&asks[i], "192.0.2.5");
	}
	assert_int_equal(fixture_stats(&f).sent, 1000);
	assert_int_equal(fixture_stats(&f).timeouts, lost);
	assert_int_equal(fixture_stats(&f).in_flight, 0);
	assert_true(lost < 1000);
	fixture_later(&f, 5);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "n%u.many.test", i);
		assert_int_equal(ask_now(&f, &asks[i], DNS_A, name), DNS_FOUND);
		assert_first(&asks[i], "192.0.2.5");
	}
	assert_int_equal(fixture_stats(&f).sent, 1000 + lost);
	fixture_end(&f);
}

/* As many as can be told apart and no more, while nobody answers. */
static void flood(void **state)
{
	struct ask *asks = calloc(RESOLVER_IN_FLIGHT + 1, sizeof *asks);
	struct fixture f;
	char name[30];

	(void)state;
	assert_non_null(asks);
	fixture_begin(&f, bad.port, 0, 5000, 100);
	for (unsigned i = 0; i <= RESOLVER_IN_FLIGHT; i++) {
		snprintf(name, sizeof name, "n%u.silent.bad", i);
		ask(&f, &asks[i], DNS_A, name);
	}
	assert_int_equal(asks[RESOLVER_IN_FLIGHT].calls, 1);
	assert_int_equal(asks[RESOLVER_IN_FLIGHT].answer.status, DNS_FAILED);
	assert_int_equal(fixture_stats(&f).in_flight, RESOLVER_IN_FLIGHT);
	loop_once(f.loop, 100);
	/* Freed with all of them out. */
	fixture_end(&f);
	for (unsigned i = 0; i < RESOLVER_IN_FLIGHT; i++)
		assert_true(asks[i].calls == 0 && asks[i].query.link == NULL);
	free(asks);
}

/* The least recently used goes first. */
static void bounded(void **state)
{
	struct fixture f;
	struct ask a = { 0 };
	char name[30];

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 10);
	ask_now(&f, &a, DNS_A, "host.test");
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "n%u.many.test", i);
		ask_now(&f, &a, DNS_A, name);
		assert_false(asks_again(&f, "host.test", 0));
	}
	assert_false(asks_again(&f, "n49.many.test", 0));
	assert_false(asks_again(&f, "n41.many.test", 0));
	assert_true(asks_again(&f, "n40.many.test", 0));
	/* Long answers count by their length. */
	fixture_end(&f);
	fixture_begin(&f, real.port, 0, 0, 4);
	ask_now(&f, &a, DNS_A, "host.test");
	ask_now(&f, &a, DNS_TXT, "long.test");
	assert_true(asks_again(&f, "host.test", 0));
	fixture_end(&f);
}

/* A `done` that asks for the same, for another name, that cancels its neighbour; in a
 * memory of one entry. */
static void reentrant(void **state)
{
	struct fixture f;
	static struct ask first, second, third, other;

	(void)state;
	fixture_begin(&f, real.port, 0, 0, 1);
	first.then = &third;
	first.instead = &second;
	ask(&f, &second, DNS_TXT, "text.test");
	ask(&f, &first, DNS_TXT, "text.test");
	ask(&f, &other, DNS_TXT, "host.test");
	ask_wait(&first);
	ask_wait(&third);
	ask_wait(&other);
	assert_int_equal(second.calls, 0);
	assert_string_equal(first.text, "v=spf1 -all;");
	assert_string_equal(third.text, "v=spf1 -all;");
	fixture_end(&f);
}

static void odd_names(void **state)
{
	static const char *const impossible[] = {
		"", ".", "a..b", ".a.test", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.test",
	};
	static const char *const odd[] = {
		"back\\slash.good.bad", "end\\.good.bad", "user+tag=x@example.good.bad", "high\xff\x80.good.bad",
		"sp ace\"quote.good.bad", "a(b)$;.good.bad", "_spf.good.bad", "*.good.bad",
	};
	struct fixture f;
	struct ask a = { 0 };

	(void)state;
	fixture_begin(&f, bad.port, 0, PATIENCE_MS, 0);
	for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
		ask(&f, &a, DNS_A, impossible[i]);
		assert_int_equal(a.calls, 1);
		assert_int_equal(a.answer.status, DNS_NONE);
	}
	assert_int_equal(fixture_stats(&f).sent, 0);
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (ask_now(&f, &a, DNS_A, odd[i]) != DNS_FOUND)
			fail_msg("%s: %d", odd[i], a.answer.status);
	/* RFC 7686: not asked for. */
	assert_int_equal(ask_now(&f, &a, DNS_A, "hidden.onion"), DNS_NONE);
	fixture_end(&f);
}

static void options(void **state)
{
	static const char *const good[] = { "127.0.0.1", " 127.0.0.1:5353  [::1]:53 ", "::1", "2001:db8::53", "[::1]", "" };
	static const char *const wrong[] = {
		"localhost", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1,127.0.0.2", "[::1", ":53", "\xff",
		"1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1",
	};
	char text[300];
	struct buf why = BUF_ON(text);
	struct fixture f;

	(void)state;
	fixture_begin(&f, bad.port, 0, 0, 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		f.options.servers = good[i];
		struct resolver *r = resolver_new(&f.options, &why);
		if (!r)
			fail_msg("%s: %s", good[i], buf_str(&why));
		resolver_free(&r);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		f.options.servers = wrong[i];
		buf_clear(&why);
		assert_null(resolver_new(&f.options, &why));
		assert_true(why.n > 0);
	}
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types), cmocka_unit_test(remembers), cmocka_unit_test(remembers_failures),
		cmocka_unit_test(shares), cmocka_unit_test(late_answer), cmocka_unit_test(misbehaviour),
		cmocka_unit_test(old_server), cmocka_unit_test(stalled_tcp), cmocka_unit_test(unreachable), cmocka_unit_test(dead_servers), cmocka_unit_test(restart),
		cmocka_unit_test(thousand),
		cmocka_unit_test(flood), cmocka_unit_test(bounded), cmocka_unit_test(reentrant),
		cmocka_unit_test(odd_names), cmocka_unit_test(options),
	};

	if (!server_there())
		return 77;
	server_real(&real);
	server_bad(&bad, false);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_end(&real);
	server_end(&bad);
	return failed;
}
