#include "check.h"

#include "store/cache.h"

static void keeps_merges_and_drops(void **state)
{
	struct cache *c = cache_new(64);
	struct record r = { .first_seen = 5, .expires = 50 }, out;
	const struct record delta = { .last_seen = 9, .expires = 60, .passed = 1 };

	(void)state;
	assert_false(cache_get(c, span_of("a x"), 1, &out));
	cache_merge(c, span_of("a x"), &delta);		/* not here: nothing happens */
	assert_false(cache_get(c, span_of("a x"), 1, &out));
	cache_put(c, span_of("a x"), &r, CACHE_FOREVER);
	cache_merge(c, span_of("a x"), &delta);
	assert_true(cache_get(c, span_of("a x"), 1, &out));
	assert_int_equal(out.first_seen, 5);
	assert_int_equal(out.last_seen, 9);
	assert_int_equal(out.expires, 60);
	cache_put(c, span_of("a x"), &r, CACHE_FOREVER);
	assert_true(cache_get(c, span_of("a x"), 1, &out));
	assert_int_equal(out.expires, 50);
	cache_drop(c, span_of("a x"));
	assert_false(cache_get(c, span_of("a x"), 1, &out));
	cache_free(&c);
}

static void entries_end(void **state)
{
	struct cache *c = cache_new(64);
	struct record r = { .first_seen = 5 }, out;

	(void)state;
	cache_put(c, span_of("a x"), &r, 100);
	assert_true(cache_get(c, span_of("a x"), 99, &out));
	assert_false(cache_get(c, span_of("a x"), 100, &out));
	r.first_seen = 6;
	cache_put(c, span_of("a x"), &r, 200);
	assert_true(cache_get(c, span_of("a x"), 100, &out));
	assert_int_equal(out.first_seen, 6);
	cache_free(&c);
}

/* Whatever is asked: either not here, or exactly what was put last. */
static void never_wrong(void **state)
{
	enum { KEYS = 500 };
	struct cache *c = cache_new(128);
	int64_t truth[KEYS] = { 0 };
	uint64_t seed = 4;
	unsigned hits = 0;
	char key[200];

	(void)state;
	for (int round = 0; round < 100000; round++) {
		unsigned k = check_random(&seed) % KEYS;
		struct record r = { .expires = round + 1 }, out;
		/* Some keys are longer than an entry's room. */
		int n = snprintf(key, sizeof key, "%*u", k % 7 ? 20 : 150, k);
		struct span s = span_make(key, (size_t)n);
		if (cache_get(c, s, 1, &out)) {
			hits++;
			assert_int_equal(out.expires, truth[k]);
		}
		if (round % 3 == 0) {
			cache_drop(c, s);
			truth[k] = -1;
		} else {
			cache_put(c, s, &r, CACHE_FOREVER);
			truth[k] = round + 1;
		}
	}
	assert_true(hits > 1000);
	cache_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_merges_and_drops), cmocka_unit_test(entries_end), cmocka_unit_test(never_wrong),
	};
	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
