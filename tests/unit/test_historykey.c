#include "check.h"

#include <time.h>

#include "core/historykey.h"

#define AT INT64_C(1795266000)	/* 2026-11-21T13:00:00Z */

static void readable(void **state)
{
	struct key k;

	(void)state;
	assert_true(historykey(&k, AT + 3599, history_verdict(VERDICT_DEFER, REASON_NEW)));
	assert_span(key_span(&k), "h 2026112113 defer new");
	assert_true(historykey(&k, AT, HISTORY_DELAYS));
	assert_span(key_span(&k), "h 2026112113 delay 60");
	assert_true(historykey(&k, AT, HISTORY_DELAYS + HISTORY_BUCKETS - 1));
	assert_span(key_span(&k), "h 2026112113 delay more");
	assert_true(historykey(&k, AT, HISTORY_DELAYED_S));
	assert_span(key_span(&k), "h 2026112113 delay total");
	assert_false(historykey(&k, AT, HISTORY_COUNTERS));
	assert_int_equal(k.n, 0);
}

/* Each counter has a key of its own, which says the same when it is read. */
static void there_and_back(void **state)
{
	struct key k;
	int64_t hour;
	unsigned counter;

	(void)state;
	for (unsigned i = 0; i < HISTORY_COUNTERS; i++) {
		assert_true(historykey(&k, AT + 1234, i));
		assert_true(historykey_split(key_span(&k), &hour, &counter));
		assert_int_equal(hour, AT);
		assert_int_equal(counter, i);
	}
}

/* Against the system's calendar, at odd steps through all the years. */
static void dates(void **state)
{
	for (int64_t t = 0; t < HISTORY_END; t += 86400 * 13 + 3600 * 7 + 11) {
		char text[40], wanted[40];
		struct buf b = BUF_ON(text);
		time_t at = (time_t)t;
		struct key k;
		struct tm tm;
		int64_t hour;
		unsigned counter;

		historykey_hour(&b, t);
		strftime(wanted, sizeof wanted, "h %Y%m%d%H ", gmtime_r(&at, &tm));
		assert_string_equal(buf_str(&b), wanted);
		historykey(&k, t, 0);
		assert_true(historykey_split(key_span(&k), &hour, &counter));
		assert_int_equal(hour, t - t % 3600);
	}
	(void)state;
}

static void times_that_no_key_can_tell(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, HISTORY_END - 1, HISTORY_END, INT64_MAX };
	static const char *const keys[] = { "h 1970010100 ", "h 1970010100 ", "h 1970010100 ",
					    "h 9999123123 ", "h 9999123123 ", "h 9999123123 " };

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		char text[40];
		struct buf b = BUF_ON(text);
		historykey_hour(&b, times[i]);
		assert_string_equal(buf_str(&b), keys[i]);
	}
}

static void splitting_refuses(void **state)
{
	static const char *const keys[] = {
		"", "h", "h ", "h 2026112113", "h 2026112113 ", "h 2026112113 defer", "h 2026112113 defer ", "h 2026112113 defer dog",
		"h 2026112113 defer new ", "h 2026112113 defer new x", "h 2026112113 delay 61", "h 2026112113 delay", "h 2026112113 delay -1",
		"h 2026112124 defer new", "h 2026113113 defer new", "h 2026022913 defer new", "h 2026130113 defer new",
		"h 1969123123 defer new", "h 202611211 defer new", "h 20261121130 defer new", "h  2026112113 defer new",
		"h 2026112113  defer new", "m 2026112113 defer new", "h2026112113 defer new", "h \xff\xff\xff\xff\xff\xff\xff\xff\xff\xff defer new",
	};
	int64_t hour;
	unsigned counter;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (historykey_split(span_of(keys[i]), &hour, &counter))
			fail_msg("\"%s\" is no such key", keys[i]);
	assert_false(historykey_split(span_make("h 2026112113 defer new\0", 23), &hour, &counter));
	assert_true(historykey_split(span_of("h 2028022913 defer new"), &hour, &counter));
}

/* Kept out of where triplets are meant. */
static void no_key_of_another_kind(void **state)
{
	struct key_parts parts;
	struct key k;

	(void)state;
	for (unsigned i = 0; i < HISTORY_COUNTERS; i++) {
		historykey(&k, AT, i);
		assert_false(key_split(key_span(&k), &parts));
	}
}

static void buckets(void **state)
{
	static const struct { int64_t delay; unsigned bucket; } rows[] = {
		{ -5, 0 }, { 0, 0 }, { 59, 0 }, { 60, 1 }, { 119, 1 }, { 120, 2 }, { 299, 2 }, { 300, 3 }, { 600, 4 }, { 900, 5 },
		{ 1800, 6 }, { 3600, 7 }, { 7200, 8 }, { 14400, 9 }, { 28800, 10 }, { 86399, 10 }, { 86400, 11 }, { INT64_MAX, 11 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(history_bucket(rows[i].delay), rows[i].bucket);
	for (unsigned i = 0; i + 1 < HISTORY_BUCKETS; i++)
		assert_int_equal(history_bucket(history_under(i)), i + 1);
	assert_int_equal(history_under(HISTORY_BUCKETS - 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable), cmocka_unit_test(there_and_back), cmocka_unit_test(dates),
		cmocka_unit_test(times_that_no_key_can_tell), cmocka_unit_test(splitting_refuses),
		cmocka_unit_test(no_key_of_another_kind), cmocka_unit_test(buckets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
