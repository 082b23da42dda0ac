#include "lists/addrset.h"

#include "check.h"

struct look {
	const char *address;
	bool in;
};

static void check_looks(const char *entry, const struct look *looks, size_t count)
{
	struct wordset *set = wordset_new();

	assert_int_equal(addrset_add(set, span_of(entry)), 1);
	for (size_t i = 0; i < count; i++)
		if (addrset_find(set, span_of(looks[i].address)) != looks[i].in)
			fail_msg("\"%s\" in the set of \"%s\": %d", looks[i].address, entry, !looks[i].in);
	wordset_free(&set);
}
#define CHECK_LOOKS(entry, looks) check_looks(entry, looks, sizeof looks / sizeof *looks)

static void test_forms(void **state)
{
	static const struct look address[] = { { "user@example.org", true }, { "USER@Example.Org", true },
		{ "user+tag@example.org", true }, { "user+a+b@example.org", true }, { "user@example.org.", true },
		{ "user@sub.example.org", false }, { "auser@example.org", false }, { "user-x@example.org", false },
		{ "user", false }, { "", false }, { "+user@example.org", false }, { "user@x@example.org", false } };
	static const struct look anywhere[] = { { "abuse@example.org", true }, { "Abuse+x@b.example", true },
		{ "abuse", true }, { "abuse@", true }, { "noabuse@example.org", false }, { "@abuse", false } };
	static const struct look exactly[] = { { "a@example.org", true }, { "a+b@EXAMPLE.org", true },
		{ "@example.org", true }, { "a@sub.example.org", false }, { "example.org", false } };
	static const struct look domain[] = { { "a@example.org", true }, { "a@sub.example.org", true },
		{ "a@badexample.org", false }, { "a@example.org.evil", false }, { "example.org", false },
		{ "example.org@evil", false }, { "\"x@example.org\"@evil", false } };
	static const struct look null[] = { { "", true }, { "<>", false }, { "a@example.org", false } };
	static const struct look literal[] = { { "a@[192.0.2.1]", true }, { "a@[192.0.2.2]", false } };

	(void)state;
	CHECK_LOOKS("user@example.org", address);
	CHECK_LOOKS("<User@example.ORG>", address);
	CHECK_LOOKS("user@example.org.", address);
	CHECK_LOOKS("abuse@", anywhere);
	CHECK_LOOKS("@example.org", exactly);
	CHECK_LOOKS("example.org", domain);
	CHECK_LOOKS("example.org.", domain);
	CHECK_LOOKS("<>", null);
	CHECK_LOOKS("a@[192.0.2.1]", literal);
}

static void test_entry_with_extension(void **state)
{
	static const struct look looks[] = { { "user+tag@example.org", true }, { "user@example.org", false },
		{ "user+other@example.org", false } };

	(void)state;
	CHECK_LOOKS("user+tag@example.org", looks);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", "@", "a b@example.org", "/x", "a/b", ".example.org", "*.example.org",
		"a@b..c", "a@-b", "user@b\303\274cher.example", "a@x y", "a@[]", "<", "a,b" };
	struct wordset *set = wordset_new();
	char longest[1100];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (addrset_add(set, span_of(bad[i])) != 0)
			fail_msg("\"%s\" was taken for an address", bad[i]);
	assert_int_equal(addrset_add(set, span_make("a\0b@example.org", 15)), 0);
	memset(longest, 'a', sizeof longest);
	assert_int_equal(addrset_add(set, span_make(longest, sizeof longest)), 0);
	assert_int_equal(wordset_count(set), 0);
	wordset_free(&set);
}

/* Local parts beyond ASCII are legitimate (RFC 6531) and are compared as they are. */
static void test_utf8_local(void **state)
{
	static const struct look looks[] = { { "j\303\274rgen@example.org", true }, { "jurgen@example.org", false } };

	(void)state;
	CHECK_LOOKS("j\303\274rgen@example.org", looks);
}

static void test_hostile_lookups(void **state)
{
	struct wordset *set = wordset_new();
	char text[1100];

	(void)state;
	assert_int_equal(addrset_add(set, span_of("a@")), 1);
	assert_int_equal(addrset_add(set, span_of("example.org")), 1);
	memset(text, '+', sizeof text);
	for (size_t n = 1; n < sizeof text; n++)
		assert_false(addrset_find(set, span_make(text, n)));
	memset(text, '@', sizeof text);
	for (size_t n = 1; n < sizeof text; n++)
		assert_false(addrset_find(set, span_make(text, n)));
	memset(text, '.', sizeof text);
	assert_false(addrset_find(set, span_make(text, 1024)));
	memset(text, 'x', sizeof text);
	assert_false(addrset_find(set, span_make(text, 1024)));
	memcpy(text + 1024 - 12, "@example.org", 12);
	assert_true(addrset_find(set, span_make(text, 1024)));
	assert_false(addrset_find(set, span_make("x@example.org\0", 14)));
	wordset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_entry_with_extension), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_utf8_local), cmocka_unit_test(test_hostile_lookups),
	};
	return cmocka_run_group_tests_name("addrset", tests, NULL, NULL);
}
