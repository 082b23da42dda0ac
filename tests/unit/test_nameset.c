#include "lists/nameset.h"

#include "check.h"

struct look {
	const char *name;
	bool in;
};

static void check_looks(const char *entry, const struct look *looks, size_t count)
{
	struct wordset *set = wordset_new();

	assert_int_equal(nameset_add(set, span_of(entry)), 1);
	for (size_t i = 0; i < count; i++)
		if (nameset_find(set, span_of(looks[i].name)) != looks[i].in)
			fail_msg("\"%s\" in the set of \"%s\": %d", looks[i].name, entry, !looks[i].in);
	wordset_free(&set);
	assert_null(set);
}
#define CHECK_LOOKS(entry, looks) check_looks(entry, looks, sizeof looks / sizeof *looks)

static void test_forms(void **state)
{
	static const struct look whole[] = { { "example.org", true }, { "a.b.example.org", true },
		{ "EXAMPLE.org.", true }, { "badexample.org", false }, { "org", false }, { "example.org.evil", false },
		{ "", false }, { ".", false }, { ".example.org", true }, { "example.org..", false } };
	static const struct look below[] = { { "example.org", false }, { "a.example.org", true },
		{ "b.A.Example.Org", true }, { "aexample.org", false } };
	static const struct look exact[] = { { "mx.example.org", true }, { "MX.example.org.", true },
		{ "a.mx.example.org", false }, { "example.org", false } };

	(void)state;
	CHECK_LOOKS("example.org", whole);
	CHECK_LOOKS("Example.ORG.", whole);
	CHECK_LOOKS(".example.org", below);
	CHECK_LOOKS("*.example.org", below);
	CHECK_LOOKS("=mx.example.org", exact);
}

/* One name may be in the set in more than one form. */
static void test_forms_add_up(void **state)
{
	struct wordset *set = wordset_new();

	(void)state;
	assert_int_equal(nameset_add(set, span_of("=example.org")), 1);
	assert_false(nameset_find(set, span_of("a.example.org")));
	assert_int_equal(nameset_add(set, span_of(".example.org")), 1);
	assert_true(nameset_find(set, span_of("a.example.org")));
	assert_true(nameset_find(set, span_of("example.org")));
	assert_int_equal(wordset_count(set), 1);
	wordset_free(&set);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", ".", "=", "*.", "*", "..", "=.example.org", "a..b", "a b", "a/b", "/x/",
		"user@example.org", "-example.org", "ex*mple.org", "b\303\274cher.example", "a\tb", "a,b", "=*.example.org" };
	struct wordset *set = wordset_new();
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (nameset_add(set, span_of(bad[i])) != 0)
			fail_msg("\"%s\" was taken for a name", bad[i]);
	memset(longest, 'a', sizeof longest);
	assert_int_equal(nameset_add(set, span_make(longest, 254)), 0);
	assert_int_equal(nameset_add(set, span_make("a\0b", 3)), 0);
	assert_int_equal(wordset_count(set), 0);
	assert_int_equal(nameset_add(set, span_make(longest, 253)), 1);
	assert_true(nameset_find(set, span_make(longest, 253)));
	assert_false(nameset_find(set, span_make(longest, 300)));
	wordset_free(&set);
}

/* Names are looked up as strangers send them. */
static void test_hostile_lookups(void **state)
{
	struct wordset *set = wordset_new();
	char dots[256];

	(void)state;
	assert_false(nameset_find(set, span_of("example.org")));
	assert_int_equal(nameset_add(set, span_of("example.org")), 1);
	memset(dots, '.', sizeof dots);
	assert_false(nameset_find(set, span_make(dots, sizeof dots)));
	assert_false(nameset_find(set, span_make(NULL, 0)));
	assert_false(nameset_find(set, span_make("example.org\0", 12)));
	assert_false(nameset_find(set, span_of("\377\376.org")));
	wordset_free(&set);
}

static void test_many(void **state)
{
	enum { MANY = 50000 };
	struct wordset *set = wordset_new();
	char text[40];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "h%u.Example%u.org", i, i % 977);
		assert_int_equal(nameset_add(set, span_of(text)), 1);
	}
	assert_int_equal(wordset_count(set), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "x.h%u.example%u.ORG", i, i % 977);
		assert_true(nameset_find(set, span_of(text)));
		snprintf(text, sizeof text, "h%u.example%u.org", i + MANY, i % 977);
		assert_false(nameset_find(set, span_of(text)));
	}
	wordset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_forms_add_up), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile_lookups), cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests_name("nameset", tests, NULL, NULL);
}
