/* The caps on records that wait for their retry, on every driver. */
#include "harness.h"

static void begin(struct harness *h, void **state)
{
	const struct harness_driver *row = *state;

	harness_begin(h, row->name, NULL);
	harness_open(h);
}

static bool keeps(void **state)
{
	return ((const struct harness_driver *)*state)->keeps;
}

struct tally { unsigned pending, retried, passed; };

static void tally_row(void *arg, struct span key, const struct record *r)
{
	struct tally *t = arg;

	(void)key;
	if (!record_pending(r))
		t->passed++;
	else if (r->blocked > 1)
		t->retried++;
	else
		t->pending++;
}

static struct tally count(struct harness *h, const char *prefix)
{
	struct tally t = { 0 };

	harness_scan(h, prefix, 1000, tally_row, &t);
	return t;
}

/* `each` triplets of every identity from first to last, seen a minute apart. */
static void flood(struct harness *h, const char *name, unsigned identities, unsigned first, unsigned count_each)
{
	struct harness_flood f;
	char identity[64];
	struct key k;

	harness_flood_begin(&f, identities * count_each);
	for (unsigned i = first; i < first + count_each; i++)
		for (unsigned j = 0; j < identities; j++) {
			struct record r = harness_attempt(HARNESS_NOW - 3600 + (int64_t)(i % 60) * 60);
			snprintf(identity, sizeof identity, "%s%u.example", name, j);
			harness_triplet(&k, identity, i);
			harness_flood_add(h, &f, key_span(&k), &r, true);
		}
	harness_flood_end(h, &f);
	assert_int_equal(f.failed, 0);
}

static void pass_and_retry(struct harness *h, const char *identity, unsigned first, unsigned passed, unsigned retried)
{
	struct record old = harness_attempt(HARNESS_NOW - 86400), again = { .last_seen = HARNESS_NOW, .blocked = 1 };
	struct record pass = { .passed_at = HARNESS_NOW, .expires = HARNESS_NOW + 999, .passed = 1 };
	struct harness_flood f;
	struct key k;

	harness_flood_begin(&f, 2 * (passed + retried));
	for (unsigned i = first; i < first + passed + retried; i++) {
		harness_triplet(&k, identity, i);
		harness_flood_add(h, &f, key_span(&k), &old, true);
		harness_flood_add(h, &f, key_span(&k), i < first + passed ? &pass : &again, false);
	}
	harness_flood_end(h, &f);
}

static void test_cap_identity(void **state)
{
	const struct harness_driver *row = *state;
	struct store_stats stats;
	struct harness h;

	harness_begin(&h, row->name, NULL);
	h.options.cap_identity = 1000;
	harness_open(&h);
	pass_and_retry(&h, "bad0.example", 0, 60, 40);
	flood(&h, "good", 3, 0, 200);
	flood(&h, "bad", 1, 1000, 5000);
	harness_wait_census(&h);
	struct tally bad = count(&h, "t bad0.example "), good = count(&h, "t good");
	assert_int_equal(bad.passed, 60);
	assert_int_equal(bad.retried, 40);
	assert_in_range(bad.pending + bad.retried, 480, 1300);
	assert_int_equal(good.pending, 600);
	store_stats(h.store, &stats);
	assert_int_equal(stats.evicted, 5040 - bad.pending - bad.retried);
	assert_true(stats.pending_records >= 600 + bad.pending + bad.retried);
	store_census(h.store);
	harness_wait_census(&h);
	store_stats(h.store, &stats);
	assert_int_equal(stats.pending_records, 600 + bad.pending + bad.retried);
	if (keeps(state)) {
		harness_reopen(&h);
		store_census(h.store);
		harness_wait_census(&h);
		flood(&h, "bad", 1, 10000, 5000);
		harness_wait_census(&h);
		bad = count(&h, "t bad0.example ");
		assert_int_equal(bad.passed, 60);
		assert_int_equal(bad.retried, 40);
		assert_in_range(bad.pending + bad.retried, 480, 1300);
		assert_int_equal(count(&h, "t good").pending, 600);
	}
	harness_end(&h);
}

static void test_cap_total(void **state)
{
	const struct harness_driver *row = *state;
	struct store_stats stats;
	struct harness h;

	harness_begin(&h, row->name, NULL);
	h.options.cap_total = 2000;
	harness_open(&h);
	pass_and_retry(&h, "old.example", 0, 50, 50);
	flood(&h, "many", 1000, 0, 10);
	harness_wait_census(&h);
	struct tally t = count(&h, "t ");
	assert_int_equal(t.passed, 50);
	assert_int_equal(t.retried, 50);
	assert_in_range(t.pending + t.retried, 1500, 2600);
	store_stats(h.store, &stats);
	assert_int_equal(stats.evicted, 10050 - t.pending - t.retried);
	assert_true(stats.pending_records >= t.pending + t.retried);
	harness_end(&h);
}

/* A store that is already over its cap is thinned out by the census at the start;
 * of records that were never retried the oldest go. */
static void oldest(void *arg, struct span key, const struct record *r)
{
	int64_t *least = arg;

	(void)key;
	if (r->first_seen < *least)
		*least = r->first_seen;
}

static void wait_evicted(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	struct store_stats stats;

	do {
		harness_turn(h);
		store_stats(h->store, &stats);
	} while (stats.evicted == 0 && harness_now_ms() < until);
}

static void test_cap_after_restart(void **state)
{
	const struct harness_driver *row = *state;
	int64_t least = INT64_MAX;
	struct harness h;

	if (!row->keeps)
		skip();
	harness_begin(&h, row->name, NULL);
	harness_open(&h);
	flood(&h, "many", 100, 0, 60);
	harness_close(&h);
	h.options.cap_total = 3000;
	harness_open(&h);
	/* Not asked for: the store does it by itself. */
	wait_evicted(&h);
	harness_wait_census(&h);
	assert_int_equal(count(&h, "t ").pending, 2700);
	harness_scan(&h, "t ", 1000, oldest, &least);
	assert_in_range(least, HARNESS_NOW - 3600 + 30 * 60, HARNESS_NOW - 3600 + 33 * 60);
	harness_end(&h);
}

static void test_no_cap(void **state)
{
	struct harness h;

	begin(&h, state);
	flood(&h, "bad", 1, 0, 3000);
	store_census(h.store);
	harness_wait_census(&h);
	assert_int_equal(count(&h, "t ").pending, 3000);
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cap_identity), cmocka_unit_test(test_cap_total),
		cmocka_unit_test(test_cap_after_restart), cmocka_unit_test(test_no_cap),
	};

	return harness_run_drivers(tests, sizeof tests / sizeof *tests);
}
