#include "check.h"

#include "lists/ranges.h"

/* What each text contains; nothing when it is refused. */
static const struct row {
	enum range_unit unit;
	const char *text;
	bool good;
	int64_t in[3], out[3];
} rows[] = {
	{ RANGE_NUMBER, "25", true, { 25, 25, 25 }, { 24, 26, -1 } },
	{ RANGE_NUMBER, "2-10", true, { 2, 5, 10 }, { 1, 11, -1 } },
	{ RANGE_NUMBER, ">=10", true, { 10, 11, RANGES_NUMBER_MAX }, { 9, 0, -1 } },
	{ RANGE_NUMBER, ">= 10", true, { 10, 11, RANGES_NUMBER_MAX }, { 9, 0, -1 } },
	{ RANGE_NUMBER, "<=10", true, { 0, 9, 10 }, { 11, 12, -1 } },
	{ RANGE_NUMBER, "0", true, { 0, 0, 0 }, { 1, 2, -1 } },
	{ RANGE_NUMBER, "10-2", .good = false }, { RANGE_NUMBER, "", .good = false },
	{ RANGE_NUMBER, "-", .good = false }, { RANGE_NUMBER, "1-", .good = false },
	{ RANGE_NUMBER, "-1", .good = false }, { RANGE_NUMBER, ">=", .good = false },
	{ RANGE_NUMBER, "1-2-3", .good = false }, { RANGE_NUMBER, "1000000001", .good = false },
	{ RANGE_NUMBER, "99999999999999999999", .good = false }, { RANGE_NUMBER, ">10", .good = false },
	{ RANGE_TRUTH, "yes", true, { 1, 1, 1 }, { 0, 2, -1 } },
	{ RANGE_TRUTH, "NO", true, { 0, 0, 0 }, { 1, 2, -1 } },
	{ RANGE_TRUTH, "true", .good = false }, { RANGE_TRUTH, "", .good = false },
	{ RANGE_MINUTE, "22:00-06:00", true, { 1320, 0, 359 }, { 360, 1319, -1 } },
	{ RANGE_MINUTE, "8:30-17:00", true, { 510, 600, 1019 }, { 509, 1020, -1 } },
	{ RANGE_MINUTE, "22:00-24:00", true, { 1320, 1400, 1439 }, { 0, 1319, -1 } },
	{ RANGE_MINUTE, "22:00-00:00", true, { 1320, 1400, 1439 }, { 0, 1319, -1 } },
	{ RANGE_MINUTE, "00:00-24:00", true, { 0, 700, 1439 }, { -1, -1, -1 } },
	{ RANGE_MINUTE, "23:59-00:01", true, { 1439, 0, 0 }, { 1, 1438, -1 } },
	{ RANGE_MINUTE, "06:00-06:00", .good = false }, { RANGE_MINUTE, "24:00-06:00", .good = false },
	{ RANGE_MINUTE, "22:00", .good = false }, { RANGE_MINUTE, "22-06", .good = false },
	{ RANGE_MINUTE, "25:00-06:00", .good = false }, { RANGE_MINUTE, "24:01-06:00", .good = false },
	{ RANGE_MINUTE, "22:60-06:00", .good = false }, { RANGE_MINUTE, "22:0-06:00", .good = false },
	{ RANGE_MINUTE, ":00-06:00", .good = false }, { RANGE_MINUTE, "22:00-06:00-07:00", .good = false },
	{ RANGE_MINUTE, "022:00-06:00", .good = false },
	{ RANGE_WEEKDAY, "mon-fri", true, { 0, 2, 4 }, { 5, 6, -1 } },
	{ RANGE_WEEKDAY, "Sat", true, { 5, 5, 5 }, { 4, 6, -1 } },
	{ RANGE_WEEKDAY, "fri-mon", true, { 4, 6, 0 }, { 1, 3, -1 } },
	{ RANGE_WEEKDAY, "monday", .good = false }, { RANGE_WEEKDAY, "mon-", .good = false },
	{ RANGE_WEEKDAY, "-fri", .good = false }, { RANGE_WEEKDAY, "", .good = false },
};

static void texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct ranges set = { 0 };
		struct range range;
		if (range_parse(row->unit, span_of(row->text), &range) != row->good)
			fail_msg("\"%s\" is %s", row->text, row->good ? "refused" : "taken");
		if (!row->good)
			continue;
		assert_true(ranges_add(&set, range));
		for (unsigned k = 0; k < 3; k++)
			if (!ranges_find(&set, row->in[k]) || ranges_find(&set, row->out[k]))
				fail_msg("\"%s\": %lld, %lld", row->text, (long long)row->in[k], (long long)row->out[k]);
		ranges_free(&set);
	}
}

static void several(void **state)
{
	struct ranges set = { 0 };

	(void)state;
	assert_false(ranges_find(&set, 0));
	for (int64_t i = 0; i < 100; i++)
		assert_true(ranges_add(&set, (struct range){ i * 10, i * 10 + 4 }));
	for (int64_t v = 0; v < 1000; v++)
		assert_int_equal(ranges_find(&set, v), v % 10 <= 4);
	assert_false(ranges_find(&set, 1000));
	ranges_free(&set);
	assert_false(ranges_find(&set, 0));
}

/* Every minute and every pair of ends: against the plain definition. */
static void every_minute(void **state)
{
	char text[20];

	(void)state;
	for (int from = 0; from < 1440; from += 37)
		for (int to = 0; to <= 1440; to += 45) {
			struct range range;
			struct ranges set = { 0 };
			snprintf(text, sizeof text, "%02d:%02d-%02d:%02d", from / 60, from % 60, to / 60, to % 60);
			if (from == to)
				continue;
			assert_true(range_parse(RANGE_MINUTE, span_of(text), &range));
			assert_true(ranges_add(&set, range));
			for (int m = 0; m < 1440; m++) {
				bool wanted = from < to ? m >= from && m < to : m >= from || m < to;
				if (ranges_find(&set, m) != wanted)
					fail_msg("%s at %d", text, m);
			}
			ranges_free(&set);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts), cmocka_unit_test(several), cmocka_unit_test(every_minute),
	};
	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
