#include "check.h"

#include "cli/report.h"

#define NOW INT64_C(1795266000)	/* 2026-11-21T13:00:00Z */

static void frequent_ones_stay(void **state)
{
	struct heavy *h = heavy_new(100);
	const struct heavy_row *rows;

	(void)state;
	assert_non_null(h);
	for (unsigned i = 0; i < 20000; i++) {
		char name[40];
		snprintf(name, sizeof name, "once-%u", i);
		heavy_add(h, span_of(name), 1, 0);
		if (i % 10 == 0)
			heavy_add(h, span_of("often"), 1, 1);
		if (i % 20 == 0)
			heavy_add(h, span_of("less"), 1, 0);
	}
	assert_true(heavy_full(h));
	assert_int_equal(heavy_top(h, 2, &rows), 2);
	assert_string_equal(rows[0].name, "often");
	assert_int_equal(rows[0].deferred, 2000);
	assert_int_equal(rows[0].passed, 2000);
	assert_string_equal(rows[1].name, "less");
	assert_int_equal(rows[1].deferred, 1000);
	heavy_free(&h);
	assert_null(h);
}

static void long_names_are_cut_between_characters(void **state)
{
	struct heavy *h = heavy_new(2);
	const struct heavy_row *rows;
	char text[600];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	heavy_add(h, span_make(text, 598), 1, 0);
	heavy_add(h, span_make("", 0), 0, 5);
	assert_int_equal(heavy_top(h, 10, &rows), 2);
	assert_int_equal(strlen(rows[0].name), 254);
	assert_string_equal(rows[1].name, "");
	assert_false(heavy_full(h));
	heavy_free(&h);
}

static struct report *fresh(int64_t length_s)
{
	const struct report_options options = { .now = NOW, .since = NOW - length_s, .until = NOW + 1, .after_s = 3600, .tries = 1,
						.mail_bytes = 1000, .top = 10 };
	struct report *r = report_new(&options);

	assert_non_null(r);
	return r;
}

static void slots(void **state)
{
	struct report *r = fresh(7 * 86400);

	(void)state;
	assert_false(r->hourly);
	assert_int_equal(r->slot_count, 8);
	report_count(r, NOW - 86400, VERDICT_DEFER, REASON_NEW, 3);
	report_count(r, NOW, VERDICT_PASS, REASON_KNOWN, 2);
	/* What lies outside is in the first or last one, and in the sums. */
	report_count(r, 0, VERDICT_DEFER, REASON_NEW, 1);
	report_count(r, INT64_MAX, VERDICT_DEFER, REASON_NEW, 1);
	report_finish(r);
	assert_int_equal(r->slots[0].verdicts[VERDICT_DEFER], 1);
	assert_int_equal(r->slots[6].verdicts[VERDICT_DEFER], 3);
	assert_int_equal(r->slots[7].verdicts[VERDICT_DEFER], 1);
	assert_int_equal(r->slots[7].verdicts[VERDICT_PASS], 2);
	assert_int_equal(report_begun(r), 5);
	report_free(&r);
	r = fresh(3 * 3600);
	assert_true(r->hourly);
	assert_int_equal(r->slot_count, 4);
	report_free(&r);
	r = fresh(3650 * INT64_C(86400));
	assert_int_equal(r->slot_count, 3651);
	report_free(&r);
}

static void shares_of_delays(void **state)
{
	struct report *r = fresh(86400);

	(void)state;
	assert_int_equal(report_delay_share(r, 0.5), 0);
	for (int i = 0; i < 90; i++)
		report_delay(r, 400);
	for (int i = 0; i < 10; i++)
		report_delay(r, 100000);
	assert_int_equal(r->delayed, 100);
	assert_int_equal(r->delayed_s, 90 * 400 + 10 * 100000);
	int64_t median = report_delay_share(r, 0.5);
	assert_true(median > 300 && median < 600);
	assert_int_equal(report_delay_share(r, 0.95), 86400);
	assert_int_equal(report_delay_share(r, 1), 86400);
	report_free(&r);
}

static void triplet(struct report *r, const char *identity, const char *sender, const char *recipient, int64_t first, int64_t last,
		    int64_t passed_at, uint64_t deferred, bool named)
{
	const struct report_triplet t = { span_of(identity), span_of(sender), span_of(recipient), first, last, passed_at, deferred,
					  passed_at ? 1 : 0, named };
	report_triplet(r, &t);
}

static void real_servers_stand_out(void **state)
{
	struct report *r = fresh(86400);

	(void)state;
	triplet(r, "10.0.0.0/24", "a", "1", NOW - 9000, NOW - 9000, 0, 1, false);
	triplet(r, "10.0.1.0/24", "a", "1", NOW - 9000, NOW - 9000, 0, 1, false);
	triplet(r, "10.0.1.0/24", "a", "2", NOW - 9000, NOW - 9000, 0, 1, false);
	triplet(r, "real.example", "a", "1", NOW - 20000, NOW - 9000, 0, 5, true);
	triplet(r, "real.example", "a", "2", NOW - 20000, NOW - 9000, 0, 5, true);
	triplet(r, "real.example", "b", "3", NOW - 20000, NOW - 19000, NOW - 19000, 1, true);
	triplet(r, "slow.example", "a", "1", NOW - 60, NOW - 60, 0, 1, true);
	report_finish(r);
	assert_int_equal(r->lost_count, 5);
	assert_int_equal(r->waiting, 1);
	assert_int_equal(r->lost_kept, 5);
	assert_int_equal(r->systems_retried, 1);
	assert_int_equal(r->systems_silent, 3);
	assert_string_equal(r->lost[0].identity, "real.example");
	assert_int_equal(r->lost[0].score, 10);
	assert_string_equal(r->lost[2].identity, "10.0.1.0/24");
	assert_int_equal(r->lost[2].score, 1);
	assert_int_equal(r->lost[4].score, 0);
	report_free(&r);
}

/* A first good retry stands in the triplet's record, and in that of the organisation and
 * of the address which are known by it. */
static void a_pass_counts_once(void **state)
{
	struct report *r = fresh(86400);
	const struct heavy_row *rows;

	(void)state;
	triplet(r, "192.0.2.1", "", "", NOW - 9000, NOW - 9000, NOW - 9000, 0, false);
	triplet(r, "real.example", "", "", NOW - 9000, NOW - 9000, NOW - 9000, 0, true);
	triplet(r, "10.0.1.0/24", "a", "1", NOW - 9000, NOW - 9000, NOW - 9000, 1, false);
	triplet(r, "real.example", "a", "1", NOW - 9000, NOW - 9000, NOW - 9000, 1, true);
	report_finish(r);
	unsigned n = heavy_top(r->lists[REPORT_SOURCES], 4, &rows);
	assert_int_equal(n, 2);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rows[i].passed, 1);
	report_free(&r);
}

/* However many there are, the likeliest stay. */
static void a_flood_is_bounded(void **state)
{
	struct report *r = fresh(86400);
	char identity[40], recipient[40];

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		snprintf(identity, sizeof identity, "10.%u.%u.0/24", i / 256 % 256, i % 256);
		for (unsigned j = 0; j < (i == 777 ? 5000 : 1); j++) {
			snprintf(recipient, sizeof recipient, "%u", j);
			triplet(r, identity, "", recipient, NOW - 9000, NOW - 9000, 0, 1, false);
		}
		if (i == 500)
			triplet(r, "real.example", "a", "1", NOW - 20000, NOW - 9000, 0, 5, true);
	}
	report_finish(r);
	assert_int_equal(r->lost_count, 30000 + 4999 + 1);
	assert_int_equal(r->lost_kept, REPORT_LOST_MAX);
	assert_string_equal(r->lost[0].identity, "real.example");
	report_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frequent_ones_stay), cmocka_unit_test(long_names_are_cut_between_characters), cmocka_unit_test(slots),
		cmocka_unit_test(shares_of_delays), cmocka_unit_test(real_servers_stand_out),
		cmocka_unit_test(a_pass_counts_once), cmocka_unit_test(a_flood_is_bounded),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
