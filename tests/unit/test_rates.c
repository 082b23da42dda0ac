#include "check.h"

#include "engine/hopping.h"
#include "engine/rates.h"

#define NOW 1700000000

static void a_sliding_window(void **state)
{
	struct rates *r = rates_new();

	(void)state;
	assert_non_null(r);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(rates_count(r, 7, NOW + i, 60, 0), i);
	assert_int_equal(rates_look(r, 7, NOW + 30, 60), 10);
	assert_int_equal(rates_look(r, 8, NOW + 30, 60), 0);
	/* Of the window before a share remains, and after two nothing. */
	assert_int_equal(rates_look(r, 7, NOW + 1 + 90, 60), 5);
	assert_int_equal(rates_count(r, 7, NOW + 1 + 90, 60, 0), 6);
	assert_int_equal(rates_look(r, 7, NOW + 1 + 300, 60), 0);
	/* A clock that was set back counts from there. */
	assert_int_equal(rates_count(r, 7, NOW - 5000, 60, 0), 1);
	rates_free(&r);
}

static void what_comes_together_is_one(void **state)
{
	struct rates *r = rates_new();

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(rates_would(r, 7, NOW + i, 60, 5), 1 + i / 5);
		assert_int_equal(rates_count(r, 7, NOW + i, 60, 5), 1 + i / 5);
	}
	assert_int_equal(rates_would(r, 8, NOW, 60, 5), 1);
	assert_int_equal(rates_look(r, 8, NOW, 60), 0);
	/* Not for as long as a clock was set back. */
	assert_int_equal(rates_count(r, 7, NOW + 15 - 3, 60, 5), 5);
	assert_int_equal(rates_count(r, 7, NOW - 5000, 60, 5), 1);
	assert_int_equal(rates_count(r, 7, NOW - 4990, 60, 5), 2);
	rates_free(&r);
}

static void a_flood_takes_no_memory(void **state)
{
	struct rates *r = rates_new();
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 300000; i++)
		assert_true(rates_count(r, check_random(&seed), NOW + i / 1000, 60, 0) >= 1);
	assert_int_equal(rates_count(r, 0, NOW, 60, 0), 1);
	rates_free(&r);
}

static void several_bring_one_mail(void **state)
{
	struct hopping *h = hopping_new();

	(void)state;
	assert_int_equal(hopping_note(h, 1, 10, NOW, 3, 10, 3600), 0);
	assert_int_equal(hopping_note(h, 1, 10, NOW + 1, 3, 10, 3600), 0);	/* the same one again */
	assert_int_equal(hopping_note(h, 1, 11, NOW + 2, 3, 10, 3600), 0);
	assert_int_equal(hopping_note(h, 2, 12, NOW + 2, 3, 10, 3600), 0);	/* other mail */
	assert_int_equal(hopping_look(h, 1, NOW + 2), 0);
	assert_int_equal(hopping_note(h, 1, 12, NOW + 3, 3, 10, 3600), NOW + 3603);
	assert_int_equal(hopping_note(h, 1, 10, NOW + 1000, 3, 10, 3600), NOW + 3603);
	assert_int_equal(hopping_look(h, 1, NOW + 1000), NOW + 3603);
	assert_int_equal(hopping_look(h, 1, NOW + 3603), 0);
	assert_int_equal(hopping_note(h, 1, 10, NOW + 3603, 3, 10, 3600), 0);
	/* Too far apart: retries and forwarders. */
	assert_int_equal(hopping_note(h, 3, 10, NOW, 3, 10, 3600), 0);
	assert_int_equal(hopping_note(h, 3, 11, NOW + 6, 3, 10, 3600), 0);
	assert_int_equal(hopping_note(h, 3, 12, NOW + 12, 3, 10, 3600), 0);
	hopping_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sliding_window), cmocka_unit_test(what_comes_together_is_one), cmocka_unit_test(a_flood_takes_no_memory),
		cmocka_unit_test(several_bring_one_mail),
	};
	return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
