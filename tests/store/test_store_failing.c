/* The wrapper's ways with a driver that fails, hangs or is slow. */
#include "harness.h"

static void name_of(char out[32], unsigned i)
{
	snprintf(out, 32, "a key%05u", i);
}

static void begin_failing(struct harness *h, const char *target)
{
	harness_begin(h, "failing", target);
	harness_open(h);
}

static void test_fail(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct store_stats stats;
	struct harness h;
	bool found;

	(void)state;
	begin_failing(&h, "fail");
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_FAILED);
	assert_int_equal(harness_backup(&h, "/nonexistent"), STORE_FAILED);
	assert_non_null(store_health(h.store));
	store_stats(h.store, &stats);
	assert_in_range(stats.failures, 3, 5);
	harness_end(&h);
}

static void test_fail_some(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct harness h;
	bool found;

	(void)state;
	begin_failing(&h, "fail-merge");
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_DONE);
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_FAILED);
	harness_end(&h);
	begin_failing(&h, "fail-after 2");
	assert_null(store_health(h.store));
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_DONE);
	assert_true(harness_get(&h, "a b", &got));
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	assert_non_null(store_health(h.store));
	harness_end(&h);
	begin_failing(&h, "slow 200");
	uint64_t before = harness_now_ms();
	assert_false(harness_get(&h, "a b", &got));
	assert_in_range(harness_now_ms() - before, 150, 20000);
	assert_in_range(h.turned_ms, 0, 2000);
	harness_end(&h);
}

struct hung { unsigned gets, merges; };

static void hung_get(struct store_get *op, enum store_status status)
{
	assert_int_equal(status, STORE_FAILED);
	((struct hung *)op->arg)->gets++;
}

static void hung_merge(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_FAILED);
	((struct hung *)op->arg)->merges++;
}

static void test_hang(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	struct hung hung = { 0 };
	struct store_get get = { .count = 1, .keys = { span_of("a b") }, .done = hung_get, .arg = &hung };
	struct store_merge merge = { .count = 1, .deltas = { { span_of("a b"), delta, true } }, .done = hung_merge, .arg = &hung };
	struct harness h;

	(void)state;
	begin_failing(&h, "hang");
	assert_int_equal(store_get(h.store, &get), STORE_PENDING);
	assert_int_equal(store_merge(h.store, &merge), STORE_PENDING);
	/* The census is pending too by then. */
	harness_turn_for(&h, 1200);
	assert_int_equal(hung.gets + hung.merges, 0);
	uint64_t before = harness_now_ms();
	harness_close(&h);
	assert_true(harness_now_ms() - before < STORE_CLOSE_S * 1000 / 2);
	assert_int_equal(hung.gets, 1);
	assert_int_equal(hung.merges, 1);
	harness_end(&h);
}

static void test_later_survives_failure(void **state)
{
	struct record delta = { .last_seen = 3, .expires = HARNESS_NOW + 5, .passed = 1 }, got;
	struct store_stats stats;
	struct harness h;
	bool found;
	char name[32];

	(void)state;
	begin_failing(&h, "fail-first 2");
	for (unsigned i = 0; i < 2; i++) {
		store_merge_later(h.store, span_of("a b"), &delta);
		harness_turn_for(&h, 1100);
		assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	}
	harness_turn_for(&h, 1100);
	assert_true(harness_get(&h, "a b", &got));
	assert_int_equal(got.passed, 2);
	store_stats(h.store, &stats);
	assert_int_equal(stats.later_dropped, 0);
	harness_end(&h);

	begin_failing(&h, "fail");
	for (unsigned i = 0; i < 80000; i++) {
		name_of(name, i);
		store_merge_later(h.store, span_of(name), &delta);
	}
	store_stats(h.store, &stats);
	assert_in_range(stats.journal_dropped, 1, 20000);
	harness_end(&h);
}

static void test_bad_driver(void **state)
{
	struct harness h;

	(void)state;
	harness_begin(&h, "postgres", "x");
	assert_false(harness_try_open(&h));
	assert_non_null(strstr(buf_str(&h.why), "postgres"));
	h.options.driver = "failing";
	h.options.target = "fail-often";
	assert_false(harness_try_open(&h));
	h.options.target = "fail-after";
	assert_false(harness_try_open(&h));
	h.options.target = "fail-open";
	assert_false(harness_try_open(&h));
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail), cmocka_unit_test(test_fail_some),
		cmocka_unit_test(test_hang), cmocka_unit_test(test_later_survives_failure),
		cmocka_unit_test(test_bad_driver),
	};

	return cmocka_run_group_tests_name("store_failing", tests, NULL, NULL);
}
