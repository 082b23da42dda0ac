#include "lists/pattern.h"

#include "check.h"

#include <time.h>

static struct patterns *one(const char *text)
{
	char storage[200];
	struct buf why = BUF_ON(storage);
	struct patterns *p = patterns_new();

	assert_non_null(p);
	if (patterns_add(p, span_of(text), &why) != 0)
		fail_msg("%s: %s", text, buf_str(&why));
	assert_int_equal(patterns_count(p), 1);
	return p;
}

static bool matches(const char *pattern, struct span subject)
{
	struct patterns *p = one(pattern);
	bool yes = patterns_match(p, subject);

	patterns_free(&p);
	assert_null(p);
	return yes;
}

static void test_match(void **state)
{
	(void)state;
	assert_true(matches("^smtp\\d+\\.example\\.org$", span_of("SMTP12.example.ORG")));
	assert_false(matches("^smtp\\d+\\.example\\.org$", span_of("smtp.example.org")));
	assert_true(matches("ample", span_of("www.example.org")));
	assert_true(matches("^$", span_make(NULL, 0)));
	assert_true(matches("a\\/b", span_of("a/b")));
	/* What perl programs such as postgrey understand: groups and what refers to them. */
	assert_true(matches("^(\\d+)-\\1\\.", span_of("17-17.example.org")));
	assert_false(matches("^(\\d+)-\\1\\.", span_of("17-18.example.org")));
	assert_true(matches("^(?:mail|mx)[^.]*\\.", span_of("mx7.example.org")));
	/* Bytes, not characters; and NUL is a byte like others. */
	assert_true(matches("^...$", span_make("a\0\377", 3)));
}

static void test_several(void **state)
{
	char storage[200];
	struct buf why = BUF_ON(storage);
	struct patterns *p = one("^a");

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(patterns_add(p, span_of(i == 19 ? "z$" : "^q"), &why), 0);
	assert_int_equal(patterns_count(p), 21);
	assert_true(patterns_match(p, span_of("abc")));
	assert_true(patterns_match(p, span_of("xyz")));
	assert_false(patterns_match(p, span_of("xyzzy")));
	/* Remembered, and not for longer than it is true. */
	for (unsigned i = 0; i < 3; i++) {
		assert_true(patterns_match(p, span_of("xyz")));
		assert_false(patterns_match(p, span_of("xyzzy")));
	}
	assert_int_equal(patterns_add(p, span_of("zzy$"), &why), 0);
	assert_true(patterns_match(p, span_of("xyzzy")));
	assert_int_equal(patterns_count(p), 22);
	patterns_free(&p);
	patterns_free(&p);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "(", "[a", "*a", "(?<n>a)(?<n>b)", "\\C", "a{2,1}", "(?R" };
	char storage[200];
	struct buf why = BUF_ON(storage);
	struct patterns *p = patterns_new();

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_clear(&why);
		if (patterns_add(p, span_of(bad[i]), &why) != -1)
			fail_msg("/%s/ was taken", bad[i]);
		assert_true(span_starts(buf_span(&why), span_of("regular expression: ")));
		assert_non_null(strstr(buf_str(&why), " at offset "));
	}
	assert_int_equal(patterns_count(p), 0);
	assert_false(patterns_match(p, span_of("a")));
	patterns_free(&p);
}

static double seconds_for(const char *pattern, struct span subject)
{
	struct timespec a, b;
	struct patterns *p = one(pattern);

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_false(patterns_match(p, subject));
	clock_gettime(CLOCK_MONOTONIC, &b);
	patterns_free(&p);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* Patterns that take years without limits; a pattern that meets one is no match. */
static void test_runaway(void **state)
{
	static const char *const nasty[] = { "(a+)+$", "^(a|aa)+$", "(x+x+)+y", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)[^a]z",
		"^(?:(?:a|b|aa)*)*c", "((a{1,9}){1,9}){1,9}z" };
	char subject[1024];

	(void)state;
	memset(subject, 'a', sizeof subject);
	subject[sizeof subject - 1] = '!';
	for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
		double s = seconds_for(nasty[i], span_make(subject, sizeof subject));
		if (s > 0.5)
			fail_msg("/%s/ took %f s", nasty[i], s);
	}
	memset(subject, 'x', sizeof subject);
	assert_true(seconds_for("(x+x+)+y", span_make(subject, sizeof subject)) < 0.5);
}

/* Recursion goes to the heap, which has a limit, and not to the stack. */
static void test_deep(void **state)
{
	static char subject[100000];

	(void)state;
	memset(subject, '(', sizeof subject);
	assert_true(seconds_for("^(\\((?1)*\\))$", span_make(subject, sizeof subject)) < 0.5);
}

static void test_spelled(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "/a/", "a" }, { "/a/i", "a" }, { "/a/I", "a" }, { "/a/b/", "a/b" }, { "/i", NULL }, { "/i/", "i" },
		{ "//", NULL }, { "/", NULL }, { "", NULL }, { "//i", NULL }, { "/a", NULL }, { "a/", NULL },
		{ "/a/x", NULL }, { "/etc/list", NULL }, { "///", "/" },
	};
	struct span text;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (pattern_spelled(span_of(rows[i].in), &text) != (rows[i].out != NULL))
			fail_msg("%s", rows[i].in);
		if (rows[i].out)
			assert_span(text, rows[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match), cmocka_unit_test(test_several), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_runaway), cmocka_unit_test(test_deep), cmocka_unit_test(test_spelled),
	};
	return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
