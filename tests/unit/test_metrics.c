#include "check.h"

#include "engine/metrics.h"

#define NOW 1000000

static void test_latency(void **state)
{
	struct metrics m = { 0 };
	struct decision d = { .verdict = VERDICT_PASS, .reason = REASON_KNOWN };

	(void)state;
	assert_int_equal(metrics_latency_us(&m, 0.5), 0);
	for (int i = 0; i < 99; i++)
		metrics_count(&m, &d, 3000);
	metrics_count(&m, &d, 3600 * (uint64_t)1000000000);
	assert_int_equal(metrics_latency_us(&m, 0.99), 4);
	assert_int_equal(metrics_latency_us(&m, 1), 1 << (METRICS_LATENCY_BUCKETS - 1));
	assert_int_equal(m.requests, 100);
	assert_int_equal(m.reasons[VERDICT_PASS][REASON_KNOWN], 100);
}

static void test_behind(void **state)
{
	struct metrics m = { 0 };

	(void)state;
	assert_int_equal(metrics_behind_s(&m, NOW), 0);
	metrics_meet(&m, NOW, NOW);
	metrics_meet(&m, NOW - 500, NOW);
	assert_int_equal(metrics_behind_s(&m, NOW), 0);
	metrics_meet(&m, NOW + 30, NOW);
	metrics_meet(&m, NOW + 20, NOW + 10);
	assert_int_equal(metrics_behind_s(&m, NOW + 10), 30);
	assert_int_equal(metrics_behind_s(&m, NOW + 3599), 30);
	assert_int_equal(metrics_behind_s(&m, NOW + 3600), 0);
	/* Less than it was, but that was long ago. */
	metrics_meet(&m, NOW + 4005, NOW + 4000);
	assert_int_equal(metrics_behind_s(&m, NOW + 4000), 5);
	/* The clock was set back since: what was told by it does not count. */
	assert_int_equal(metrics_behind_s(&m, NOW), 0);
	metrics_meet(&m, NOW + 4, NOW);
	assert_int_equal(metrics_behind_s(&m, NOW), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_latency), cmocka_unit_test(test_behind) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
