#include "check.h"

#include <sys/stat.h>

#include "web/auth.h"

static const char token[] = "0123456789abcdef";

static void same(void **state)
{
	static const char *const texts[] = { "", "a", "b", "ab", "aa", token, "0123456789abcdeF" };

	(void)state;
	for (size_t i = 0; i < 7; i++)
		for (size_t k = 0; k < 7; k++)
			assert_int_equal(auth_same(span_of(texts[i]), span_of(texts[k])), i == k);
	assert_false(auth_same(span_make("a\0", 2), span_of("a")));
	static char longest[AUTH_TOKEN_MOST + 2], other[AUTH_TOKEN_MOST + 2];
	/* What differs only behind the longest token is not the same. */
	other[AUTH_TOKEN_MOST] = 'x';
	assert_false(auth_same(span_make(longest, sizeof longest), span_make(other, sizeof other)));
	assert_true(auth_same(span_make(longest, AUTH_TOKEN_MOST), span_make(other, AUTH_TOKEN_MOST)));
}

static void tokens(void **state)
{
	struct auth *a = auth_new(span_of(token)), *none = auth_new((struct span){ 0 });

	(void)state;
	assert_true(auth_required(a));
	assert_false(auth_required(none));
	assert_true(auth_token_is(a, span_of(token)));
	assert_false(auth_token_is(a, span_make(token, sizeof token - 2)));
	assert_false(auth_token_is(a, (struct span){ 0 }));
	assert_false(auth_token_is(none, (struct span){ 0 }));
	auth_free(&a);
	auth_free(&none);
	assert_null(a);
	auth_free(&a);
}

static void sessions(void **state)
{
	struct auth *a = auth_new(span_of(token));
	char id[AUTH_ID] = "", csrf[AUTH_ID] = "", first[AUTH_ID] = "", again[AUTH_ID] = "";

	(void)state;
	assert_false(auth_find(a, (struct span){ 0 }, csrf));
	assert_true(auth_begin(a, first));
	assert_int_equal(strlen(first), AUTH_ID - 1);
	assert_true(auth_find(a, span_of(first), csrf));
	assert_int_equal(strlen(csrf), AUTH_ID - 1);
	assert_string_not_equal(first, csrf);
	assert_false(auth_find(a, span_of(csrf), again));
	assert_false(auth_find(a, (struct span){ 0 }, again));
	for (int i = 0; i < 64; i++) {
		assert_true(auth_begin(a, id));
		assert_true(auth_find(a, span_of(id), again));
	}
	assert_false(auth_find(a, span_of(first), again));
	auth_end(a, span_of(id));
	assert_false(auth_find(a, span_of(id), again));
	auth_end(a, span_of(id));
	auth_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(same), cmocka_unit_test(tokens), cmocka_unit_test(sessions) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
