#include "check.h"

static void fixed_never_overruns(void **state)
{
	char storage[9];
	struct buf b = buf_on(storage, sizeof storage - 1);

	(void)state;
	storage[8] = '!';
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "12345");
	assert_false(b.over);
	buf_adds(&b, "678");
	assert_true(b.over);
	assert_string_equal(buf_str(&b), "1234567");
	buf_addc(&b, 'x');
	assert_string_equal(buf_str(&b), "1234567");
	assert_int_equal(storage[8], '!');
	buf_clear(&b);
	assert_false(b.over);
	assert_int_equal(b.n, 0);
}

static void heap_grows_to_its_maximum(void **state)
{
	struct buf b = buf_heap(1000);

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_addc(&b, 'x');
	assert_false(b.over);
	buf_addc(&b, 'x');
	assert_true(b.over);
	assert_int_equal(b.n, 1000);
	buf_drop(&b, 990);
	assert_string_equal(buf_str(&b), "xxxxxxxxxx");
	buf_drop(&b, 999);
	assert_int_equal(b.n, 0);
	buf_free(&b);
	buf_adds(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_free(&b);
}

static void numbers_and_durations(void **state)
{
	char storage[200];
	struct buf b = BUF_ON(storage);

	(void)state;
	buf_addi(&b, INT64_MIN);
	buf_addc(&b, ' ');
	buf_addu(&b, UINT64_MAX);
	buf_addc(&b, ' ');
	buf_addduration(&b, 0);
	buf_addc(&b, ' ');
	buf_addduration(&b, 36 * 86400);
	buf_addc(&b, ' ');
	buf_addduration(&b, 5400);
	assert_string_equal(buf_str(&b), "-9223372036854775808 18446744073709551615 0s 36d 1h30m");
}

static void untrusted_text(void **state)
{
	char storage[200];
	struct buf b = BUF_ON(storage);

	(void)state;
	buf_addsafe(&b, span_make("a\0\n\x1b\"\\\x7f", 7), 100);
	assert_string_equal(buf_str(&b), "a\\x00\\x0a\\x1b\\x22\\x5c\\x7f");
	buf_clear(&b);
	buf_addsafe(&b, span_of("j\xc3\xb6rg \xff \xc3 \xc2\x9b \xed\xa0\x80 \xf0\x9f\x90\xa6"), 100);
	assert_string_equal(buf_str(&b), "j\xc3\xb6rg \\xff \\xc3 \\xc2\\x9b \\xed\\xa0\\x80 \xf0\x9f\x90\xa6");
	buf_clear(&b);
	buf_addsafe(&b, span_of("abcdef"), 3);
	assert_string_equal(buf_str(&b), "abc...");
}

static void error_texts(void **state)
{
	char storage[20];
	struct buf b = BUF_ON(storage);

	(void)state;
	buf_adds(&b, "before");
	assert_int_equal(buf_fail(&b, "%s", "a reason that is longer than that"), -1);
	assert_string_equal(buf_str(&b), "a reason that is lo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_never_overruns), cmocka_unit_test(heap_grows_to_its_maximum),
		cmocka_unit_test(numbers_and_durations), cmocka_unit_test(untrusted_text),
		cmocka_unit_test(error_texts),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
