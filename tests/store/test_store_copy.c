/* Copying one store into another: everything, once, however often. */
#include "harness.h"

#include "store/copy.h"

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void test_differences(void **state)
{
	struct record have, want, delta, merged;
	uint64_t seed = 17;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		have = harness_random_record(&seed);
		want = harness_random_record(&seed);
		merged = have;
		if (store_copy_delta(&have, &want, &delta))
			record_merge(&merged, &delta);
		/* Nothing is left to be copied. */
		assert_false(store_copy_delta(&merged, &want, &delta));
		if (have.generation < want.generation)
			harness_assert_record(&merged, &want);
		if (have.generation > want.generation)
			harness_assert_record(&merged, &have);
		if (have.generation != want.generation)
			continue;
		assert_int_equal(merged.blocked, greater(have.blocked, want.blocked));
		assert_int_equal(merged.passed, greater(have.passed, want.passed));
		assert_int_equal(merged.strikes, greater(have.strikes, want.strikes));
		assert_int_equal(merged.expires, greater((uint64_t)have.expires, (uint64_t)want.expires));
	}
}

static void turn(void *store)
{
	struct store **s = store;

	if (*s)
		store_turn(*s);
}

struct sums { uint64_t blocked, passed, rows; };

static void add_up(void *arg, struct span key, const struct record *r)
{
	struct sums *s = arg;

	(void)key;
	s->blocked += r->blocked;
	s->passed += r->passed;
	s->rows++;
}

static void test_copies_once(void **state)
{
	const struct harness_driver *row = *state;
	struct record pass = { .passed_at = HARNESS_NOW, .expires = HARNESS_NOW + 100, .passed = 7 };
	struct store_options options;
	struct store *source = NULL;
	struct sums sums;
	struct harness h;

	harness_begin(&h, row->name, NULL);
	harness_open(&h);
	options = h.options;
	options.driver = "memory";
	source = store_open(&options, &h.why);
	assert_non_null(source);
	loop_each_turn(h.loop, turn, &source);
	struct store *target = h.store;
	h.store = source;
	harness_fill(&h, 0, 2500);
	harness_merge(&h, "a key000007", pass);
	h.store = target;
	/* What is there already counts, and is not counted again. */
	harness_fill(&h, 2400, 2600);
	for (unsigned round = 0; round < 3; round++) {
		struct store_copy c = { .from = source, .to = target, .loop = h.loop };
		assert_int_equal(store_copy(&c, &h.why), 0);
		assert_int_equal(c.read, 2500);
		assert_int_equal(c.written, round ? 0 : 2400);
		sums = (struct sums){ 0 };
		harness_scan(&h, "", 1000, add_up, &sums);
		assert_int_equal(sums.rows, 2600);
		assert_int_equal(sums.blocked, 2600);
		assert_int_equal(sums.passed, 7);
	}
	store_close(&source);
	harness_end(&h);
}

static void test_target_fails(void **state)
{
	struct store_options options;
	struct store *source;
	struct harness h;

	(void)state;
	harness_begin(&h, "failing", "fail-merge");
	harness_open(&h);
	options = h.options;
	options.driver = "memory";
	source = store_open(&options, &h.why);
	assert_non_null(source);
	struct store *target = h.store;
	h.store = source;
	harness_fill(&h, 0, 10);
	h.store = target;
	struct store_copy c = { .from = source, .to = target, .loop = h.loop };
	assert_int_equal(store_copy(&c, &h.why), -1);
	assert_non_null(strstr(buf_str(&h.why), "cannot write"));
	store_close(&source);
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest alone[] = { cmocka_unit_test(test_differences), cmocka_unit_test(test_target_fails) };
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_copies_once) };

	return cmocka_run_group_tests(alone, NULL, NULL) + harness_run_drivers(tests, sizeof tests / sizeof *tests);
}
