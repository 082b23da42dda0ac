/* What the driver valkey has of its own: several writers, and a server that goes. */
#include "harness.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */

static void begin(struct harness *h)
{
	harness_begin(h, "valkey", NULL);
	harness_open(h);
}

/* The server is going to hang. */
static void begin_hanging(struct harness *h)
{
	harness_begin(h, "valkey", NULL);
	h->options.deadline_ms = DEADLINE_MS;
	harness_open(h);
}

/* --- Merging --------------------------------------------------------------- */

static void count_done(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	++*(unsigned *)op->arg;
}

/* RFC 6647 C7: several border MXs share one memory. */
static void test_two_writers(void **state)
{
	enum { EACH = 2000 };
	static struct store_merge ops[2][EACH];
	struct harness h;
	struct record got, delta = harness_attempt(HARNESS_NOW), later = { .passed = 1 };
	unsigned done = 0;

	(void)state;
	begin(&h);
	struct store *both[2] = { h.store, store_open(&h.options, &h.why) };
	assert_non_null(both[1]);
	for (unsigned i = 0; i < EACH; i++)
		for (unsigned j = 0; j < 2; j++) {
			ops[j][i] = (struct store_merge){ .count = 1, .done = count_done, .arg = &done };
			ops[j][i].deltas[0] = (struct store_delta){ span_of(i % 2 ? "a one" : "a two"), delta, false };
			assert_int_equal(store_merge(both[j], &ops[j][i]), STORE_PENDING);
			store_merge_later(both[j], span_of("a one"), &later);
			if (i % 100 == 0)
				harness_turn(&h);
		}
	while (done < 2 * EACH)
		harness_turn(&h);
	assert_true(store_close(&both[1]));
	harness_wait_counts(&h, "a one", 3 * EACH, &got);
	assert_int_equal(got.blocked, EACH);
	assert_int_equal(got.passed, 2 * EACH);
	assert_true(harness_get(&h, "a two", &got));
	assert_int_equal(got.blocked, EACH);
	harness_end(&h);
}

static void test_equals_core(void **state)
{
	struct record a, b, got, expected;
	uint64_t seed = 5;
	char key[32];
	struct harness h;

	(void)state;
	begin(&h);
	for (unsigned i = 0; i < 4000; i++) {
		store_trust_clock(h.store, i % 2);
		snprintf(key, sizeof key, "a p%u", i);
		a = harness_random_record(&seed);
		b = harness_random_record(&seed);
		expected = (struct record){ 0 };
		record_merge(&expected, &a);
		record_merge(&expected, &b);
		harness_merge(&h, key, a);
		harness_merge(&h, key, b);
		assert_true(harness_get(&h, key, &got));
		harness_assert_record(&got, &expected);
	}
	harness_end(&h);
}

static void test_scripts_forgotten(void **state)
{
	struct harness_flood f;
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct store_stats stats;
	struct harness h;

	(void)state;
	begin(&h);
	assert_int_equal(harness_merge_one(&h, "t a b c"), STORE_DONE);
	harness_server_ask(&h.server, "SCRIPT FLUSH");
	harness_flood_begin(&f, 500);
	for (unsigned i = 0; i < 500; i++)
		harness_flood_add(&h, &f, span_of("a many"), &delta, false);
	harness_flood_end(&h, &f);
	assert_int_equal(f.failed, 0);
	harness_server_ask(&h.server, "SCRIPT FLUSH");
	store_merge_later(h.store, span_of("a many"), &delta);
	harness_wait_counts(&h, "a many", 501, &got);
	assert_int_equal(got.blocked, 501);
	harness_server_ask(&h.server, "SCRIPT FLUSH");
	store_maintain(h.store);
	store_stats(h.store, &stats);
	assert_int_equal(stats.failures + stats.later_dropped, 0);
	harness_assert_healthy(&h);
	harness_end(&h);
}

/* What was written while the clock could not be trusted ends all the same. */
static void test_untrusted_gets_expiry(void **state)
{
	struct record old = { .expires = HARNESS_NOW - STORE_GRACE_S - 1, .blocked = 1 }, got;
	struct harness h;

	(void)state;
	begin(&h);
	store_trust_clock(h.store, false);
	harness_merge(&h, "a old", old);
	harness_merge(&h, "a new", harness_attempt(HARNESS_NOW));
	assert_true(harness_get(&h, "a old", &got));
	store_trust_clock(h.store, true);
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	while (harness_get(&h, "a old", &got) && harness_now_ms() < until)
		harness_turn(&h);
	assert_false(harness_get(&h, "a old", &got));
	assert_true(harness_get(&h, "a new", &got));
	harness_server_ask(&h.server, "EVAL \"if redis.call('PTTL', KEYS[1]) < 259100000 then error('x') end return 1\" 1 \"test:a new\"");
	harness_end(&h);
}

/* Keys of others, and values that are no records, do no harm. */
static void test_strangers(void **state)
{
	struct store_stats stats;
	struct record got;
	struct harness h;

	(void)state;
	begin(&h);
	harness_server_ask(&h.server, "SET \"other:a x\" y");
	harness_server_ask(&h.server, "SET \"test:a odd\" y");
	harness_server_ask(&h.server, "LPUSH \"test:a list\" y");
	assert_int_equal(harness_merge_one(&h, "a [*?"), STORE_DONE);
	assert_int_equal(harness_merge_one(&h, "a xyz"), STORE_DONE);
	assert_int_equal(harness_scan(&h, "", 10, NULL, NULL), 2);
	assert_int_equal(harness_scan(&h, "a [*", 10, NULL, NULL), 1);
	assert_false(harness_get(&h, "a odd", &got));
	assert_false(harness_get(&h, "a list", &got));
	assert_int_equal(harness_merge_one(&h, "a odd"), STORE_DONE);
	assert_true(harness_get(&h, "a odd", &got));
	assert_int_equal(harness_merge_one(&h, "a list"), STORE_FAILED);
	harness_assert_trouble(&h, "WRONGTYPE");
	assert_int_equal(harness_merge_one(&h, "a xyz"), STORE_DONE);
	harness_assert_healthy(&h);
	store_stats(h.store, &stats);
	assert_true(stats.odd_records > 0);
	harness_end(&h);
}

/* --- Scans ----------------------------------------------------------------- */

static void check_next(void *arg, struct span key, const struct record *r)
{
	unsigned *next = arg;
	char number[16];

	snprintf(number, sizeof number, "a %06u", *next);
	assert_true(span_eq(span_head(key, 8), span_of(number)));
	assert_int_equal(r->blocked, 1);
	++*next;
}

/* More keys than fit into one run: the scan goes on with the next. */
static void test_long_scan(void **state)
{
	enum { KEYS = 9000 };
	struct record delta = harness_attempt(HARNESS_NOW);
	struct harness_flood f;
	char key[KEY_MAX + 1];
	unsigned next = 0;
	struct harness h;

	(void)state;
	harness_begin(&h, "valkey", NULL);
	harness_open(&h);
	harness_flood_begin(&f, KEYS);
	memset(key, 'x', sizeof key);
	for (unsigned i = 0; i < KEYS; i++) {
		char number[16];
		snprintf(number, sizeof number, "a %06u", i * 7919 % KEYS);
		memcpy(key, number, 8);
		harness_flood_add(&h, &f, span_make(key, KEY_MAX), &delta, false);
	}
	harness_flood_end(&h, &f);
	assert_int_equal(f.failed, 0);
	assert_int_equal(harness_scan(&h, "a ", 700, check_next, &next), KEYS);
	harness_end(&h);
}

struct page {
	struct store_scan op;
	char from[KEY_MAX + 1];
	struct record records[10];
	enum store_status status;
	bool done;
};

static void page_done(struct store_scan *op, enum store_status status)
{
	struct page *p = op->arg;

	p->status = status;
	p->done = true;
}

static bool read_page(struct harness *h, struct page *p)
{
	p->done = false;
	p->status = store_scan(h->store, &p->op);
	return p->status == STORE_PENDING;
}

/* Scans of the same prefix do not get in each other's way; too many at once fail. */
static void test_scans_at_once(void **state)
{
	enum { SCANS = 6 };
	static struct page pages[SCANS];
	unsigned failed = 0;
	struct harness h;

	(void)state;
	begin_hanging(&h);
	harness_fill(&h, 0, 25);
	for (unsigned i = 0; i < SCANS; i++) {
		struct page *p = &pages[i];
		p->op = (struct store_scan){ .prefix = span_of("a "), .limit = 10, .records = p->records,
					     .done = page_done, .arg = p };
		p->op.from = buf_on(p->from, sizeof p->from);
		p->op.keys = buf_heap(100000);
	}
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SCANS; i++)
			failed += !read_page(&h, &pages[i]);
		assert_int_equal(failed, 2 * (round + 1));
		for (unsigned i = 0; i < 4; i++) {
			while (!pages[i].done)
				harness_turn(&h);
			assert_int_equal(pages[i].status, STORE_DONE);
			assert_int_equal(pages[i].op.count, round < 2 ? 10 : 5);
			assert_int_equal(pages[i].op.more, round < 2);
		}
	}
	/* One that fails half-way can be taken up where it stood. */
	buf_clear(&pages[0].op.from);
	harness_server_signal(&h.server, SIGSTOP);
	assert_true(read_page(&h, &pages[0]));
	while (!pages[0].done)
		harness_turn(&h);
	assert_int_equal(pages[0].status, STORE_FAILED);
	harness_server_signal(&h.server, SIGCONT);
	harness_wait_healthy(&h);
	buf_adds(&pages[0].op.from, "a key000022");
	assert_true(read_page(&h, &pages[0]));
	while (!pages[0].done)
		harness_turn(&h);
	assert_int_equal(pages[0].op.count, 2);
	for (unsigned i = 0; i < SCANS; i++)
		buf_free(&pages[i].op.keys);
	harness_end(&h);
}

/* --- Failure is normal ----------------------------------------------------- */

static void test_server_restarts(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
		harness_server_stop(&h.server);
		harness_wait_trouble(&h);
		/* Within the call: nobody waits. */
		uint64_t before = harness_now_ms();
		unsigned turns = h.turns;
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
			assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
		}
		assert_int_equal(h.turns, turns);
		assert_true(harness_now_ms() - before < 5000);
		harness_wait_text(&h, "cannot be reached");
		harness_server_start(&h.server, h.base, NULL);
		harness_wait_healthy(&h);
		assert_int_equal(harness_get_one(&h, "a key"), STORE_DONE);
	}
	harness_end(&h);
}

static void test_killed_under_way(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	struct harness_flood f;
	struct harness h;
	unsigned size = 3000;

	(void)state;
	begin(&h);
	harness_flood_begin(&f, size);
	for (unsigned i = 0; i < size; i++) {
		if (i == size / 2)
			harness_server_stop(&h.server);
		harness_flood_add(&h, &f, span_of("a key"), &delta, false);
	}
	harness_flood_end(&h, &f);
	assert_true(f.failed >= size / 2);
	harness_end(&h);
}

static void test_server_hangs(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin_hanging(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_server_signal(&h.server, SIGSTOP);
	uint64_t before = harness_now_ms(), turned = h.turned_ms;
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	harness_assert_trouble(&h, "no answer in time");
	assert_in_range(harness_now_ms() - before, DEADLINE_MS - 10, 10 * DEADLINE_MS);
	assert_in_range(h.turned_ms - turned, 0, DEADLINE_MS + 700);
	unsigned turns = h.turns;
	before = harness_now_ms();
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	assert_int_equal(h.turns, turns);
	assert_true(harness_now_ms() - before < DEADLINE_MS / 2);
	harness_assert_trouble(&h, "no answer in time");
	harness_turn_for(&h, 1500);
	harness_server_signal(&h.server, SIGCONT);
	harness_wait_healthy(&h);
	assert_true(harness_get(&h, "a key", &got));
	harness_end(&h);
}

/* It hangs while nothing is asked of it: health knows all the same. */
static void test_hangs_idle(void **state)
{
	struct harness h;

	(void)state;
	begin_hanging(&h);
	harness_server_signal(&h.server, SIGSTOP);
	harness_wait_trouble(&h);
	uint64_t before = harness_now_ms();
	harness_close(&h);
	assert_true(harness_now_ms() - before < STORE_CLOSE_S * 1000 / 2);
	harness_end(&h);
}

/* More at once than there is room for fails; what was taken completes. */
static void test_bounded(void **state)
{
	enum { MANY = 17000 };
	struct record delta = harness_attempt(HARNESS_NOW);
	struct store_merge *ops = calloc(MANY, sizeof *ops);
	unsigned done = 0, taken = 0;
	struct harness h;

	(void)state;
	assert_non_null(ops);
	harness_begin(&h, "valkey", NULL);
	harness_open(&h);
	for (unsigned i = 0; i < MANY; i++) {
		ops[i] = (struct store_merge){ .count = 1, .done = count_done, .arg = &done };
		ops[i].deltas[0] = (struct store_delta){ span_of("a key"), delta, false };
		taken += store_merge(h.store, &ops[i]) == STORE_PENDING;
	}
	assert_in_range(taken, 16000, 16384);
	while (done < taken)
		harness_turn(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_end(&h);
	free(ops);
}

/* --- Opening --------------------------------------------------------------- */

static void test_password(void **state)
{
	struct harness h;
	char path[128], target[128];

	(void)state;
	harness_begin(&h, "valkey", "none");
	harness_server_start(&h.server, h.base, "open sesame");
	snprintf(target, sizeof target, "unix:%s/socket", h.base);
	h.options.target = target;
	harness_password_file(&h, path, "close sesame");
	h.options.password_file = path;
	harness_open(&h);
	harness_wait_text(&h, "WRONGPASS");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	/* The right one is found without a restart. */
	harness_password_file(&h, path, "open sesame");
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_close(&h);
	h.options.user = "default";
	harness_open(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_close(&h);
	h.options.user = NULL;
	h.options.password_file = NULL;
	harness_open(&h);
	harness_wait_text(&h, "NOAUTH");
	harness_end(&h);
}

static void test_database(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	h.options.database = 3;
	harness_reopen(&h);
	assert_false(harness_get(&h, "a key", &got));
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	h.options.database = 99;
	harness_reopen(&h);
	harness_wait_text(&h, "out of range");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	harness_end(&h);
}

static void test_starts_without_server(void **state)
{
	struct harness h;

	(void)state;
	harness_begin(&h, "valkey", NULL);
	harness_server_stop(&h.server);
	harness_open(&h);
	harness_assert_trouble(&h, "cannot be reached");
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_end(&h);
}

static void test_bad_targets(void **state)
{
	static const char *const bad[] = {
		"", "localhost:6379", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x",
		"unix:", "example.org",
	};
	struct harness h;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		harness_begin(&h, "valkey", bad[i]);
		h.options.target = bad[i];
		assert_false(harness_try_open(&h));
		assert_non_null(strstr(buf_str(&h.why), "store valkey: "));
		harness_end(&h);
	}
	harness_begin(&h, "valkey", "[::1]:1");
	harness_open(&h);
	harness_wait_text(&h, "[::1]:1: ");
	harness_end(&h);
	harness_begin(&h, "valkey", "127.0.0.1:1");
	h.options.password_file = "/nonexistent";
	assert_false(harness_try_open(&h));
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest with_server[] = {
		cmocka_unit_test(test_two_writers), cmocka_unit_test(test_equals_core),
		cmocka_unit_test(test_scripts_forgotten), cmocka_unit_test(test_untrusted_gets_expiry),
		cmocka_unit_test(test_strangers), cmocka_unit_test(test_long_scan),
		cmocka_unit_test(test_scans_at_once), cmocka_unit_test(test_server_restarts),
		cmocka_unit_test(test_killed_under_way), cmocka_unit_test(test_server_hangs),
		cmocka_unit_test(test_hangs_idle), cmocka_unit_test(test_bounded), cmocka_unit_test(test_password),
		cmocka_unit_test(test_database), cmocka_unit_test(test_starts_without_server),
	};
	static const struct CMUnitTest without[] = { cmocka_unit_test(test_bad_targets) };

	int failed = cmocka_run_group_tests_name("valkey", without, NULL, NULL);
	if (harness_server_there())
		failed += cmocka_run_group_tests_name("valkey, a server", with_server, NULL, NULL);
	else
		printf("valkey: skipped, needs redis-server or valkey-server\n");
	return failed;
}
