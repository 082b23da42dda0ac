#include "check.h"

#include "core/key.h"

static void readable(void **state)
{
	struct key k;

	(void)state;
	assert_true(key_allowed(&k, span_of("example.org")));
	assert_span(key_span(&k), "a example.org");
	assert_true(key_triplet(&k, span_of("192.0.2.0/24"), span_of("a@x.example"), span_of("b@y.example")));
	assert_span(key_span(&k), "t 192.0.2.0/24 a@x.example b@y.example");
	assert_true(key_triplet(&k, span_of("example.org"), span_of(""), span_of("b@y.example")));
	assert_span(key_span(&k), "t example.org <> b@y.example");
	assert_true(key_triplet(&k, span_of("example.org"), span_of("a b%\n@x"), span_of("c@d")));
	assert_span(key_span(&k), "t example.org a%20b%25%0A@x c@d");
}

static void what_is_too_long(void **state)
{
	char text[3000];
	struct key k, other;
	struct key_parts parts;

	(void)state;
	memset(text, 'x', sizeof text);
	assert_false(key_allowed(&k, span_make(text, sizeof text)));
	assert_int_equal(k.n, 0);
	memset(text, ' ', sizeof text);	/* triples when escaped: a hash stands for the rest */
	assert_true(key_triplet(&k, span_of("id"), span_make(text, 1000), span_make(text, 1024)));
	assert_true(key_split(key_span(&k), &parts));
	/* As stores of all versions have it. */
	assert_true(span_ends(parts.sender, span_of("%~1100521888786965452")));
	assert_true(key_triplet(&other, span_of("id"), span_make(text, 1001), span_make(text, 1024)));
	assert_false(span_eq(key_span(&k), key_span(&other)));
	assert_true(key_triplet(&other, span_of("id"), span_make(text, 1000), span_make(text, 1024)));
	assert_true(span_eq(key_span(&k), key_span(&other)));
}

static void splitting_undoes_building(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char sender[40], recipient[40], back[200];
		size_t n = check_random(&seed) % sizeof sender, m = 1 + check_random(&seed) % (sizeof recipient - 1);
		for (size_t i = 0; i < sizeof sender; i++) {
			sender[i] = (char)check_random(&seed);
			recipient[i] = (char)check_random(&seed);
		}
		struct key k;
		struct key_parts parts;
		assert_true(key_triplet(&k, span_of("id"), span_make(sender, n), span_make(recipient, m)));
		assert_true(key_split(key_span(&k), &parts));
		struct buf b = BUF_ON(back);
		key_unescape(&b, parts.sender);
		assert_true(span_eq(buf_span(&b), span_make(sender, n)));
		buf_clear(&b);
		key_unescape(&b, parts.recipient);
		assert_true(span_eq(buf_span(&b), span_make(recipient, m)));
	}
}

static void what_is_no_key(void **state)
{
	static const char *const bad[] = { "", "a", "a ", "x id", "t id", "t id s", "t id s r more", "a id more",
					   "ab id", " id" };
	struct key_parts parts;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(key_split(span_of(bad[i]), &parts));
}

static void prefixes(void **state)
{
	char text[100];
	struct buf b = BUF_ON(text);

	(void)state;
	key_prefix(&b, 't', span_of(""));
	assert_string_equal(buf_str(&b), "t ");
	buf_clear(&b);
	key_prefix(&b, 't', span_of("example.org"));
	assert_string_equal(buf_str(&b), "t example.org ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readable), cmocka_unit_test(what_is_too_long),
		cmocka_unit_test(splitting_undoes_building), cmocka_unit_test(what_is_no_key),
		cmocka_unit_test(prefixes),
	};
	return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
