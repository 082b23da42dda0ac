#include "check.h"

static void comparing(void **state)
{
	(void)state;
	assert_true(span_eq(span_of(""), span_of(NULL)));
	assert_true(span_eq(span_of("abc"), span_make("abcd", 3)));
	assert_false(span_eq(span_of("abc"), span_of("abC")));
	assert_true(span_ieq(span_of("aBc"), span_of("AbC")));
	assert_false(span_ieq(span_of("@"), span_of("`")));	/* 0x20 apart, but no letters */
	assert_false(span_ieq(span_of("\xc4"), span_of("\xe4")));	/* ASCII only */
	assert_true(span_starts(span_of("abc"), span_of("")));
	assert_true(span_iends(span_of("mail.EXAMPLE.org"), span_of(".example.ORG")));
	assert_false(span_ends(span_of("org"), span_of("example.org")));
	assert_true(span_has(span_of("example.org"), span_of("le.o")) && span_has(span_of(NULL), span_of("")));
	assert_false(span_has(span_of("example.org"), span_of("Org")) || span_has(span_of(NULL), span_of("a")));
	assert_false(span_has(span_make("abcd", 3), span_of("cd")));
}

static void cutting(void **state)
{
	struct span rest = span_of("a,,b"), head;

	(void)state;
	assert_true(span_cut(&rest, ',', &head));
	assert_span(head, "a");
	assert_true(span_cut(&rest, ',', &head));
	assert_span(head, "");
	assert_true(span_cut(&rest, ',', &head));
	assert_span(head, "b");
	assert_false(span_cut(&rest, ',', &head));
	assert_span(span_trim(span_of(" \t x y\r\n")), "x y");
	assert_span(span_trim(span_of(" \n ")), "");
	assert_span(span_from(span_of("abc"), 9), "");
	assert_span(span_head(span_of("abc"), 9), "abc");
	assert_int_equal(span_rfind(span_of("a@b@c"), '@'), 3);
	assert_int_equal(span_rfind(span_of("abc"), '@'), 3);
}

static void numbers(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(span_uint(span_of("18446744073709551615"), UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_false(span_uint(span_of("18446744073709551616"), UINT64_MAX, &n));
	assert_false(span_uint(span_of("256"), 255, &n));
	assert_false(span_uint(span_of(""), 9, &n));
	assert_false(span_uint(span_of("-1"), 9, &n));
	assert_false(span_uint(span_of("1 "), 9, &n));
	assert_false(span_uint(span_of("0x1"), 99, &n));
	assert_true(n == UINT64_MAX);	/* untouched by failures */
}

static void unwrapping(void **state)
{
	static const struct { const char *text, *wanted; } rows[] = {
		{ "<a>", "a" }, { "<>", "" }, { "<", "<" }, { "", "" }, { "<a", "<a" }, { "a>", "a>" }, { "<<a>>", "<a>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_span(span_unwrap(span_of(rows[i].text), '<', '>'), rows[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwrapping), cmocka_unit_test(comparing), cmocka_unit_test(cutting), cmocka_unit_test(numbers),
	};
	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
