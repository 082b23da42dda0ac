/* What a shared store's records are believed to say without asking again: only that a
 * client may pass, only for a while, and never against what we wrote ourselves. */
#include "harness.h"

#define CACHE_S 10

struct pair {
	struct harness h;		/* its store believes for CACHE_S */
	struct store *other;		/* another mail server's */
};

static bool is_shared(void **state)
{
	const struct harness_driver *driver = *state;

	return strcmp(driver->name, "memory") != 0 && strcmp(driver->name, "rocksdb") != 0;
}

static void begin(struct pair *p, void **state, unsigned cache_s)
{
	const struct harness_driver *driver = *state;

	if (!is_shared(state))
		skip();
	harness_begin(&p->h, driver->name, NULL);
	p->h.options.later_ms = 50;
	p->other = store_open(&p->h.options, &p->h.why);
	assert_non_null(p->other);
	p->h.options.cache_s = cache_s;
	harness_open(&p->h);
}

static void end(struct pair *p)
{
	store_close(&p->other);
	harness_end(&p->h);
}

static struct record passed(void)
{
	return (struct record){ .first_seen = HARNESS_NOW - 100, .last_seen = HARNESS_NOW, .passed_at = HARNESS_NOW,
				.expires = HARNESS_NOW + 86400, .passed = 1 };
}

static struct record held(void)
{
	return (struct record){ .last_seen = HARNESS_NOW, .held_until = HARNESS_NOW + 3600, .held_for = HOLD_SPAM, .strikes = 1 };
}

static void merge_done(struct store_merge *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static void get_done(struct store_get *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static void merge_there(struct pair *p, const char *key, struct record delta)
{
	enum store_status status = STORE_PENDING;
	struct store_merge op = { .count = 1, .deltas = { { span_of(key), delta, false } }, .done = merge_done, .arg = &status };
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	assert_int_equal(store_merge(p->other, &op), STORE_PENDING);
	while (status == STORE_PENDING && harness_now_ms() < until) {
		store_turn(p->other);
		loop_once(p->h.loop, 10);
	}
	assert_int_equal(status, STORE_DONE);
}

/* Whether a read was answered without the server. */
static bool reads_here(struct pair *p, const char *key, struct record *out)
{
	struct store_stats before, after;

	store_stats(p->h.store, &before);
	assert_true(harness_get(&p->h, key, out));
	store_stats(p->h.store, &after);
	return after.gets_slow == before.gets_slow;
}

static void test_for_a_while(void **state)
{
	struct record got;
	struct pair p;

	begin(&p, state, CACHE_S);
	merge_there(&p, "a x", passed());
	assert_false(reads_here(&p, "a x", &got));
	assert_true(reads_here(&p, "a x", &got));
	assert_int_equal(got.passed_at, HARNESS_NOW);
	/* Another mail server holds it: that counts here when the time is over. */
	merge_there(&p, "a x", held());
	clock_fake_set(&p.h.clock, HARNESS_NOW + CACHE_S - 1);
	assert_true(reads_here(&p, "a x", &got));
	assert_int_equal(got.held_until, 0);
	clock_fake_set(&p.h.clock, HARNESS_NOW + CACHE_S);
	assert_false(reads_here(&p, "a x", &got));
	assert_int_equal(got.held_until, HARNESS_NOW + 3600);
	end(&p);
}

static void test_only_who_may_pass(void **state)
{
	struct record waits = harness_attempt(HARNESS_NOW), over = passed(), got;
	const char *const keys[] = { "a waits", "a held", "a over", "t 10.0.0.0/24 a@b c@d", "w a@b c@d" };
	struct pair p;

	begin(&p, state, CACHE_S);
	over.expires = HARNESS_NOW;
	merge_there(&p, keys[0], waits);
	merge_there(&p, keys[1], passed());
	merge_there(&p, keys[1], held());
	merge_there(&p, keys[2], over);
	merge_there(&p, keys[3], passed());
	merge_there(&p, keys[4], passed());
	for (unsigned i = 0; i < 10; i++)
		assert_false(reads_here(&p, keys[i % 5], &got));
	end(&p);
}

/* What we do counts at once, also when the record is being read meanwhile. */
static void test_own_writes(void **state)
{
	enum store_status read, written;
	struct record got;
	struct pair p;

	begin(&p, state, CACHE_S);
	merge_there(&p, "a x", passed());
	merge_there(&p, "a y", passed());
	assert_false(reads_here(&p, "a x", &got));
	harness_merge(&p.h, "a x", held());
	assert_false(reads_here(&p, "a x", &got));
	assert_int_equal(got.held_until, HARNESS_NOW + 3600);
	/* Asked before and answered after, and the other way round: a new generation each time,
	 * which passed or waits by turns. */
	for (uint32_t i = 1; i <= 60; i++) {
		struct store_merge merge = { .count = 1, .done = merge_done, .arg = &written };
		struct store_get get = { .count = 1, .keys = { span_of("a y") }, .done = get_done, .arg = &read };
		merge.deltas[0] = (struct store_delta){ span_of("a y"), i % 2 ? harness_attempt(HARNESS_NOW) : passed(), true };
		merge.deltas[0].delta.generation = i;
		written = read = STORE_PENDING;
		if (i % 3 == 0)
			assert_int_equal(store_merge(p.h.store, &merge), STORE_PENDING);
		enum store_status now = store_get(p.h.store, &get);
		if (now != STORE_PENDING)
			read = now;
		if (i % 3)
			assert_int_equal(store_merge(p.h.store, &merge), STORE_PENDING);
		while (written == STORE_PENDING || read == STORE_PENDING)
			harness_turn(&p.h);
		assert_true(harness_get(&p.h, "a y", &got));
		assert_int_equal(got.generation, i);
		if (i % 4 == 0)
			assert_true(reads_here(&p, "a y", &got));
	}
	merge_there(&p, "a z", passed());
	assert_false(reads_here(&p, "a z", &got));
	assert_true(reads_here(&p, "a z", &got));
	harness_remove(&p.h, "a z\n");
	assert_false(harness_get(&p.h, "a z", &got));
	end(&p);
}

/* Believing saves questions, not counts. */
static void test_counts(void **state)
{
	struct record renewal = { .last_seen = HARNESS_NOW + 1, .expires = HARNESS_NOW + 90000, .passed = 1 }, got;
	struct store_stats stats;
	struct pair p;

	begin(&p, state, CACHE_S);
	merge_there(&p, "a x", passed());
	for (unsigned i = 0; i < 500; i++) {
		assert_true(harness_get(&p.h, "a x", &got));
		store_merge_later(p.h.store, span_of("a x"), &renewal);
		if (i % 100 == 0)
			harness_turn_for(&p.h, 60);
	}
	harness_turn_for(&p.h, 300);
	store_stats(p.h.store, &stats);
	assert_true(stats.gets_slow < 10);
	harness_close(&p.h);
	p.h.options.cache_s = 0;
	harness_open(&p.h);
	assert_true(harness_get(&p.h, "a x", &got));
	assert_int_equal(got.passed, 501);
	assert_int_equal(got.expires, HARNESS_NOW + 90000);
	end(&p);
}

static void test_off(void **state)
{
	struct record got;
	struct pair p;

	begin(&p, state, 0);
	merge_there(&p, "a x", passed());
	for (unsigned i = 0; i < 5; i++)
		assert_false(reads_here(&p, "a x", &got));
	end(&p);
}

/* The embedded stores have their own ways, whatever is set. */
static void test_embedded(void **state)
{
	const struct harness_driver *driver = *state;
	struct record got;
	struct pair p;

	if (is_shared(state))
		skip();
	harness_begin(&p.h, driver->name, NULL);
	p.h.options.cache_s = CACHE_S;
	harness_open(&p.h);
	harness_merge(&p.h, "a x", passed());
	for (unsigned i = 0; i < 3; i++) {
		assert_true(harness_get(&p.h, "a x", &got));
		assert_int_equal(got.passed, 1 + i);
		harness_merge(&p.h, "a x", passed());
	}
	harness_end(&p.h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_a_while), cmocka_unit_test(test_only_who_may_pass), cmocka_unit_test(test_own_writes),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_off), cmocka_unit_test(test_embedded),
	};

	return harness_run_drivers(tests, sizeof tests / sizeof *tests);
}
