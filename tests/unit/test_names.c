#include "names/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct names *names;

static int set_up(void **state)
{
	char text[200];
	struct buf why = BUF_ON(text);

	(void)state;
	names = names_new(&why);
	if (!names)
		print_error("%s\n", buf_str(&why));
	return names ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	names_free(&names);
	names_free(&names);
	return names ? -1 : 0;
}

static void test_source(void **state)
{
	(void)state;
	const char *source = names_source(names);
	assert_true(strcmp(source, "built-in") == 0 || source[0] == '/');
}

static void test_org(void **state)
{
	static const struct { const char *name, *org; } rows[] = {
		{ "mail.example.com", "example.com" },
		{ "example.com", "example.com" },
		{ "a.b.c.example.co.uk", "example.co.uk" },
		{ "Mail.Example.CO.UK", "Example.CO.UK" },
		{ "mail.example.com.", "example.com" },
		{ "com", "" },
		{ "co.uk", "" },
		{ "localhost", "" },
		{ "", "" },
		{ ".", "" },
		{ "..", "" },
		{ ".example.com", "" },
		{ "mail..example.com", "" },
		{ "example.com..", "" },
		/* Top-level domains that no list has */
		{ "mail.victim.example", "victim.example" },
		{ "victim.example", "victim.example" },
		{ "example", "" },
		{ "a.b.nosuchtld", "b.nosuchtld" },
		/* Wildcards and their exceptions */
		{ "a.b.c.ck", "b.c.ck" },
		{ "c.ck", "" },
		{ "www.ck", "www.ck" },
		{ "x.www.ck", "www.ck" },
		/* Private suffixes: two customers, two organisations */
		{ "mail.alice.github.io", "alice.github.io" },
		{ "bob.github.io", "bob.github.io" },
		{ "github.io", "" },
		{ "mx.alice.dyndns.org", "alice.dyndns.org" },
		{ "mail-ej1-f54.google.com", "google.com" },
		{ "mail-eopbgr10051.outbound.protection.outlook.com", "outlook.com" },
		/* A-labels */
		{ "www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn" },
		{ "xn--bcher-kva.example.de", "example.de" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span name = span_of(rows[i].name), org = names_org(names, name);
		if (!span_eq(org, span_of(rows[i].org)))
			fail_msg("%s gives %.*s, not %s", rows[i].name, SPAN_ARG(org), rows[i].org);
		if (org.n)
			assert_true(org.p >= name.p && org.p + org.n <= name.p + name.n);
	}
}

static void test_org_hostile(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof text);
	for (size_t i = 1; i < sizeof text; i += 2)
		text[i] = '.';
	assert_int_equal(names_org(names, span_make(text, 253)).n, 3);
	assert_int_equal(names_org(names, span_make(text, 254)).n, 3);	/* with its final dot */
	assert_int_equal(names_org(names, span_make(text, 255)).n, 0);
	assert_int_equal(names_org(names, span_make(text, sizeof text)).n, 0);
	assert_int_equal(names_org(names, span_make("a.\0.example", 11)).n, 0);
	assert_int_equal(names_org(names, span_make(NULL, 0)).n, 0);
	/* Bytes that are no text give an answer inside the name, whatever it is. */
	uint64_t x = 88172645463325252u;
	for (unsigned round = 0; round < 20000; round++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t n = x % 60;
		for (size_t i = 0; i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[i] = x % 4 ? (char)(x >> 24) : '.';
		}
		struct span org = names_org(names, span_make(text, n));
		if (org.n)
			assert_true(org.p >= text && org.p + org.n <= text + n);
	}
}

static void test_ascii(void **state)
{
	static const struct { const char *in, *out; bool changed; } rows[] = {
		{ "user@example.org", "user@example.org", false },
		{ "User@Example.ORG", "User@Example.ORG", false },
		{ "", "", false },
		{ "<>", "<>", false },
		{ "user@b\303\274cher.example", "user@xn--bcher-kva.example", true },
		{ "user@B\303\234CHER.Example", "user@xn--bcher-kva.example", true },
		{ "user@bu\314\210cher.example", "user@xn--bcher-kva.example", true },	/* decomposed */
		{ "<user@b\303\274cher.example>", "<user@xn--bcher-kva.example>", true },
		{ "J\303\234rgen@b\303\274cher.example", "J\303\234rgen@xn--bcher-kva.example", true },
		{ "J\303\234rgen@example.org", "J\303\234rgen@example.org", false },
		{ "J\303\234rgen", "J\303\234rgen", false },
		{ "a@b@b\303\274cher.example", "a@b@xn--bcher-kva.example", true },
		/* Non-transitional: sharp s stays itself */
		{ "user@stra\303\237e.example", "user@xn--strae-oqa.example", true },
		{ "user@xn--bcher-kva.example", "user@xn--bcher-kva.example", false },
		/* What has no A-labels stays: invalid UTF-8, a full-width '@', a label too long */
		{ "user@\377\376.example", "user@\377\376.example", false },
		{ "user@b\303.example", "user@b\303.example", false },
		{ "user@a\357\274\240b.example", "user@a\357\274\240b.example", false },
		{ "user@\303\274 x.example", "user@\303\274 x.example", false },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_ON(text);
		bool changed = names_ascii(&b, span_of(rows[i].in));
		if (!span_eq(buf_span(&b), span_of(rows[i].out)) || changed != rows[i].changed)
			fail_msg("%s gives %s (%d)", rows[i].in, buf_str(&b), changed);
	}
}

static void test_ascii_hostile(void **state)
{
	char in[5000], text[100], large[6000];
	struct buf b = BUF_ON(text);

	(void)state;
	buf_adds(&b, "to ");
	names_ascii(&b, span_of("u@\303\274.example"));
	assert_string_equal(buf_str(&b), "to u@xn--tda.example");
	b = buf_on(text, 10);
	assert_true(names_ascii(&b, span_of("u@b\303\274cher.example")));
	assert_true(b.over);
	assert_int_equal(b.n, 9);
	memset(in, '\303', sizeof in);
	in[1] = '@';
	b = buf_on(large, sizeof large);
	assert_false(names_ascii(&b, span_make(in, sizeof in)));
	assert_int_equal(b.n, sizeof in);
	assert_memory_equal(large, in, sizeof in);
	/* 250 labels of two bytes are more than a name may have. */
	struct buf many = buf_on(in, 1000);
	buf_adds(&many, "u@");
	for (unsigned i = 0; i < 250; i++)
		buf_adds(&many, "\303\274.");
	b = buf_on(large, sizeof large);
	assert_false(names_ascii(&b, buf_span(&many)));
	assert_true(span_eq(buf_span(&b), buf_span(&many)));
	b = buf_on(large, sizeof large);
	assert_false(names_ascii(&b, span_make("u@\303\274\0.example", 13)));
	assert_int_equal(b.n, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_org),
		cmocka_unit_test(test_org_hostile),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_ascii_hostile),
	};
	return cmocka_run_group_tests_name("names", tests, set_up, tear_down);
}
