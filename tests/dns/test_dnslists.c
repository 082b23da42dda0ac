#include "fixture.h"

#include <unistd.h>

#include "base/log.h"
#include "dns/dnslists.h"

static struct server real, bad;
static char log_path[] = "/tmp/greylag-dnslists-XXXXXX";

static struct dnslists *begin(struct fixture *f, const struct server *s, unsigned good_ms, unsigned bad_ms)
{
	fixture_begin(f, s->port, 0, PATIENCE_MS, 0);
	struct dnslists_options o = { .loop = f->loop, .resolver = f->resolver, .clock = &f->clock.clock,
				      .good_ms = good_ms, .bad_ms = bad_ms, .silent_ms = bad_ms };
	struct dnslists *l = dnslists_new(&o);
	assert_non_null(l);
	return l;
}

static void set(struct dnslists *l, const struct dnslists_zone *zones, unsigned count)
{
	char text[200];
	struct buf why = BUF_ON(text);

	assert_int_equal(dnslists_set(l, zones, count, &why), 0);
}

static enum dnslists_health health(const struct dnslists *l, unsigned i)
{
	struct dnslists_status s;

	assert_true(dnslists_status(l, i, &s));
	assert_true((s.why[0] != '\0') == (s.health == DNSLISTS_BAD || s.health == DNSLISTS_SILENT));
	assert_int_equal(s.tested_s, s.health == DNSLISTS_UNTESTED ? 0 : NOW);
	assert_int_equal(dnslists_usable(l, s.kind, span_of(s.zone)), s.why[0] == '\0');
	return s.health;
}

static void wait_health(struct fixture *f, struct dnslists *l, unsigned i, enum dnslists_health wanted)
{
	uint64_t until = fixture_ms() + WAIT_MS;

	while (health(l, i) != wanted && fixture_ms() < until)
		loop_once(f->loop, 10);
	if (health(l, i) != wanted) {
		struct dnslists_status s;
		dnslists_status(l, i, &s);
		fail_msg("%s is %s: %s", s.zone, dnslists_health_word(s.health), s.why);
	}
}

static unsigned logged(const char *words)
{
	char line[1000];
	unsigned n = 0;

	log_flush();
	FILE *f = fopen(log_path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		n += strstr(line, words) != NULL;
	fclose(f);
	return n;
}

static void good_lists(void **state)
{
	static const struct dnslists_zone zones[] = {
		{ DNSLIST_DNSBL, "bl.test" }, { DNSLIST_DNSBL, "six.test" }, { DNSLIST_RHSBL, "rhs.test" },
		{ DNSLIST_DNSWL, "wl.test" }, { DNSLIST_DNSWL, "bl.test" }, { DNSLIST_DNSBL, "bl.test" },
	};
	struct fixture f;
	struct dnslists *l = begin(&f, &real, 0, 0);
	struct dnslists_status s;

	(void)state;
	set(l, zones, 6);
	assert_true(dnslists_usable(l, DNSLIST_DNSBL, span_of("bl.test")));
	assert_true(dnslists_usable(l, DNSLIST_DNSBL, span_of("BL.Test")));
	assert_false(dnslists_usable(l, DNSLIST_RHSBL, span_of("bl.test")));
	assert_false(dnslists_usable(l, DNSLIST_DNSBL, span_of("another.test")));
	assert_int_equal(health(l, 0), DNSLISTS_UNTESTED);
	assert_false(dnslists_status(l, 5, &s));
	for (unsigned i = 0; i < 5; i++)
		wait_health(&f, l, i, DNSLISTS_GOOD);
	dnslists_free(&l);
	fixture_end(&f);
}

static void bad_lists(void **state)
{
	static const struct { struct dnslists_zone zone; enum dnslists_health health; const char *why; } rows[] = {
		{ { DNSLIST_DNSBL, "good.bad" }, DNSLISTS_BAD, "lists 127.0.0.1" },
		{ { DNSLIST_DNSWL, "good.bad" }, DNSLISTS_BAD, "lists 127.0.0.1" },
		{ { DNSLIST_RHSBL, "good.bad" }, DNSLISTS_BAD, "\"invalid\"" },
		{ { DNSLIST_DNSBL, "absent.bad" }, DNSLISTS_BAD, "no test entry (127.0.0.2)" },
		{ { DNSLIST_RHSBL, "absent.bad" }, DNSLISTS_BAD, "no test entry (the domain \"test\")" },
		{ { DNSLIST_DNSBL, "quota.bad" }, DNSLISTS_BAD, "refuses to answer (127.255.255.254)" },
		{ { DNSLIST_DNSWL, "quota.bad" }, DNSLISTS_BAD, "refuses to answer" },
		{ { DNSLIST_DNSBL, "hijacked.bad" }, DNSLISTS_BAD, "answers 203.0.113.7" },
		{ { DNSLIST_DNSBL, "silent.bad" }, DNSLISTS_SILENT, "does not answer" },
		{ { DNSLIST_DNSWL, "silent.bad" }, DNSLISTS_SILENT, "does not answer" },
		{ { DNSLIST_DNSBL, "refused.bad" }, DNSLISTS_SILENT, "answer with an error" },
		{ { DNSLIST_RHSBL, "garbage.bad" }, DNSLISTS_SILENT, "does not answer" },
	};
	struct dnslists_zone zones[sizeof rows / sizeof *rows];
	unsigned count = sizeof rows / sizeof *rows;
	struct fixture f;
	struct dnslists *l = begin(&f, &bad, 0, 0);

	(void)state;
	for (unsigned i = 0; i < count; i++)
		zones[i] = rows[i].zone;
	set(l, zones, count);
	for (unsigned i = 0; i < count; i++) {
		struct dnslists_status s;
		wait_health(&f, l, i, rows[i].health);
		assert_true(dnslists_status(l, i, &s));
		if (!strstr(s.why, rows[i].why))
			fail_msg("%s: %s", s.zone, s.why);
	}
	assert_int_equal(logged("dnsbl hijacked.bad is not used: it answers 203.0.113.7"), 1);
	dnslists_free(&l);
	fixture_end(&f);
}

/* Ends, is told once, is tested again and again, and comes back. */
static void comes_back(void **state)
{
	static const struct dnslists_zone zones[] = { { DNSLIST_DNSWL, "moody.bad" } };
	struct fixture f;
	struct dnslists *l = begin(&f, &bad, 30, 30);

	(void)state;
	bad.shared->mood = WAY_absent;
	set(l, zones, 1);
	wait_health(&f, l, 0, DNSLISTS_GOOD);
	bad.shared->mood = WAY_quota;
	wait_health(&f, l, 0, DNSLISTS_BAD);
	unsigned before = bad.shared->questions;
	uint64_t until = fixture_ms() + WAIT_MS;
	while (bad.shared->questions < before + 20 && fixture_ms() < until)
		loop_once(f.loop, 10);
	assert_true(bad.shared->questions >= before + 20);
	assert_int_equal(logged("dnswl moody.bad is not used"), 1);
	bad.shared->mood = WAY_silent;
	wait_health(&f, l, 0, DNSLISTS_SILENT);
	assert_int_equal(logged("dnswl moody.bad is not used"), 2);
	bad.shared->mood = WAY_absent;
	wait_health(&f, l, 0, DNSLISTS_GOOD);
	assert_int_equal(logged("dnswl moody.bad is used again"), 1);
	dnslists_free(&l);
	fixture_end(&f);
}

static void reload(void **state)
{
	static const struct dnslists_zone first[] = { { DNSLIST_DNSBL, "bl.test" }, { DNSLIST_DNSBL, "world.test" } };
	static const struct dnslists_zone second[] = { { DNSLIST_DNSBL, "world.test" }, { DNSLIST_RHSBL, "rhs.test" } };
	struct fixture f;
	struct dnslists *l = begin(&f, &real, 0, 0);
	struct dnslists_status s;

	(void)state;
	set(l, first, 2);
	wait_health(&f, l, 0, DNSLISTS_GOOD);
	wait_health(&f, l, 1, DNSLISTS_BAD);
	uint64_t sent = fixture_stats(&f).sent;
	set(l, second, 2);
	assert_int_equal(health(l, 0), DNSLISTS_BAD);
	assert_false(dnslists_usable(l, DNSLIST_DNSBL, span_of("bl.test")));
	wait_health(&f, l, 1, DNSLISTS_GOOD);
	assert_int_equal(fixture_stats(&f).sent, sent + 2);
	/* Taken away and freed in the middle of a test. */
	set(l, first, 2);
	loop_once(f.loop, 0);
	set(l, NULL, 0);
	assert_false(dnslists_status(l, 0, &s));
	set(l, first, 2);
	loop_once(f.loop, 0);
	dnslists_free(&l);
	loop_once(f.loop, 50);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lists), cmocka_unit_test(bad_lists), cmocka_unit_test(comes_back),
		cmocka_unit_test(reload),
	};
	char text[200];
	struct buf why = BUF_ON(text);
	struct log_options o = { .target = LOG_TO_FILE, .path = log_path, .ident = "test", .level = LOG_LEVEL_DEBUG };

	if (!server_there())
		return 77;
	close(mkstemp(log_path));
	if (log_open(&o, &why))
		return 1;
	server_real(&real);
	server_bad(&bad, false);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_end(&real);
	server_end(&bad);
	log_close();
	unlink(log_path);
	return failed;
}
