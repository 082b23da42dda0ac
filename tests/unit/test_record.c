#include "check.h"

#include "core/record.h"

static struct record random_record(uint64_t *seed)
{
	return (struct record){
		.generation = check_random(seed) % 3,
		.first_seen = check_random(seed) % 4, .last_seen = check_random(seed) % 4,
		.passed_at = check_random(seed) % 3, .expires = check_random(seed) % 5,
		.blocked = check_random(seed) % 3, .passed = check_random(seed) % 3,
		.held_until = check_random(seed) % 3, .held_for = check_random(seed) % HOLD_COUNT,
		.strikes = check_random(seed) % 3,
	};
}

static bool same(const struct record *a, const struct record *b)
{
	return a->generation == b->generation && a->first_seen == b->first_seen &&
	       a->last_seen == b->last_seen && a->passed_at == b->passed_at &&
	       a->expires == b->expires && a->blocked == b->blocked && a->passed == b->passed &&
	       a->held_until == b->held_until && a->held_for == b->held_for && a->strikes == b->strikes;
}

static struct record merged(struct record a, struct record b)
{
	record_merge(&a, &b);
	return a;
}

/* DESIGN section 4: any number of writers, in any order and grouping. */
static void merge_is_commutative_and_associative(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct record a = random_record(&seed), b = random_record(&seed), c = random_record(&seed);
		struct record ab = merged(a, b), ba = merged(b, a);
		assert_true(same(&ab, &ba));
		struct record left = merged(merged(a, b), c), right = merged(a, merged(b, c));
		assert_true(same(&left, &right));
	}
}

static void fields_merge_as_described(void **state)
{
	struct record r = { .first_seen = 100, .last_seen = 100, .expires = 500, .blocked = 1 };
	const struct record later = { .first_seen = 150, .last_seen = 150, .passed_at = 150,
				      .expires = 900, .passed = 1 };

	(void)state;
	record_merge(&r, &later);
	assert_int_equal(r.first_seen, 100);
	assert_int_equal(r.last_seen, 150);
	assert_int_equal(r.passed_at, 150);
	assert_int_equal(r.expires, 900);
	assert_int_equal(r.blocked, 1);
	assert_int_equal(r.passed, 1);
	const struct record anew = { .generation = 1, .first_seen = 2000, .last_seen = 2000,
				     .expires = 2500, .blocked = 1 };
	record_merge(&r, &anew);
	assert_true(same(&r, &anew));
	record_merge(&r, &later);	/* of the former generation: too late */
	assert_true(same(&r, &anew));
}

static void encoding(void **state)
{
	unsigned char bytes[RECORD_SIZE];
	struct record r = { 0xfedcba98, 1800000000, 1800000001, 1800000002, 1900000000, 123456789012, 3, 1800000003,
			    HOLD_TRAP, 7 }, back;

	(void)state;
	record_encode(&r, bytes);
	assert_int_equal(bytes[0], RECORD_VERSION);
	assert_int_equal(bytes[1], 0x98);	/* little-endian */
	assert_true(record_decode(span_make((char *)bytes, sizeof bytes), &back));
	assert_true(same(&r, &back));
	r = (struct record){ .first_seen = INT64_MAX, .last_seen = -5, .blocked = UINT64_MAX };
	record_encode(&r, bytes);
	assert_true(record_decode(span_make((char *)bytes, sizeof bytes), &back));
	assert_true(back.first_seen == ((int64_t)1 << 40) - 1);
	assert_int_equal(back.last_seen, 0);
	assert_true(back.blocked == ((uint64_t)1 << 48) - 1);
}

/* Records that a greylag without holds wrote. */
static void first_version(void **state)
{
	unsigned char bytes[RECORD_SIZE];
	struct record r = { .generation = 2, .first_seen = 5, .last_seen = 6, .expires = 7, .passed = 8 }, back;

	(void)state;
	record_encode(&r, bytes);
	bytes[0] = 1;
	assert_true(record_decode(span_make((char *)bytes, RECORD_SIZE_1), &back));
	assert_true(same(&r, &back));
	assert_false(record_decode(span_make((char *)bytes, RECORD_SIZE), &back));
}

static void what_is_no_record(void **state)
{
	unsigned char bytes[RECORD_SIZE + 1] = { RECORD_VERSION };
	struct record r;

	(void)state;
	assert_false(record_decode(span_make((char *)bytes, 0), &r));
	assert_false(record_decode(span_make((char *)bytes, RECORD_SIZE - 1), &r));
	assert_false(record_decode(span_make((char *)bytes, RECORD_SIZE + 1), &r));
	bytes[0] = RECORD_VERSION + 1;
	assert_false(record_decode(span_make((char *)bytes, RECORD_SIZE), &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merge_is_commutative_and_associative),
		cmocka_unit_test(fields_merge_as_described), cmocka_unit_test(encoding),
		cmocka_unit_test(first_version), cmocka_unit_test(what_is_no_record),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
