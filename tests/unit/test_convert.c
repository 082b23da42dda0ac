/* What the conversion is made of: regular expressions, statements of milter-greylist, words. */
#include "check.h"
#include "convert/mg.h"

static void regular_expressions(void **state)
{
	static const struct { const char *basic, *pcre; } rows[] = {
		{ "^a.*b$", "^a.*b$" }, { "a+b?c|d", "a\\+b\\?c\\|d" }, { "a\\+b\\?c\\|d", "a+b?c|d" },
		{ "\\(ab\\)\\{2,3\\}", "(ab){2,3}" }, { "(x){1}", "\\(x\\)\\{1\\}" }, { "*a", "\\*a" }, { "\\(*a\\)", "(\\*a)" },
		{ "a^b$c", "a\\^b\\$c" }, { "x\\|^y$", "x|^y$" }, { "[+(]", "[+(]" }, { "[]a]", "[]a]" }, { "[^]\\]", "[^]\\\\]" },
		{ "[[:alpha:]]", "[[:alpha:]]" }, { "\\.\\*", "\\.\\*" }, { "a\\/b", "a\\/b" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_ON(text);
		assert_true(mg_regex(&b, span_of(rows[i].basic), false));
		assert_string_equal(buf_str(&b), rows[i].pcre);
	}
	struct buf b = BUF_ON(text);
	assert_true(mg_regex(&b, span_of("a+(b|c)$"), true));
	assert_string_equal(buf_str(&b), "a+(b|c)$");
	assert_false(mg_regex(&b, span_of("[unclosed"), false));
	assert_false(mg_regex(&b, span_of("[[:x"), true));
	assert_false(mg_regex(&b, span_of(""), true));
	assert_false(mg_regex(&b, span_make("a\0b", 3), true));
}

static void statements(void **state)
{
	static const char text[] = "# comment \\\nquiet # more\n\nracl \"a \\\" b\" whitelist addr 1.2.3.4/24 \\ # why\n"
		"  rcpt /^x \\/y/\nlist \"l\" addr {1.1.1.1\n 2.2.2.2 }\nbad \"open\nsubnetmatch /24\nratelimit \"r\" rcpt 1 / 2m";
	static const unsigned counts[] = { 1, 7, 7, 1, 2, 6 }, lines[] = { 2, 4, 6, 8, 9, 10 };
	struct mg_lex l;

	(void)state;
	assert_true(mglex_start(&l, span_of(text)));
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		assert_true(mglex_next(&l));
		assert_int_equal(l.count, counts[i]);
		assert_int_equal(l.at, lines[i]);
		assert_int_equal(l.problem != NULL, i == 3);
		if (i == 1) {
			assert_int_equal(l.tokens[1].kind, MG_STRING);
			assert_true(span_eq(l.tokens[1].text, span_of("a \\\" b")));
			assert_int_equal(l.tokens[6].kind, MG_REGEX);
			assert_true(span_eq(l.tokens[6].text, span_of("^x \\/y")));
		}
	}
	assert_false(mglex_next(&l));
	mglex_end(&l);
}

static void words(void **state)
{
	static const struct { const char *value, *word; } rows[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" }, { "example.org", "example.org" }, { "a@b.example", "a@b.example" },
		{ "delay", "\"delay\"" }, { "", "\"\"" }, { "a b", "\"a b\"" }, { "/a\\.b/", "\"/a\\\\.b/\"" }, { "\"", "\"\\\"\"" },
		{ "#x.y", "\"#x.y\"" }, { "*.x", "\"*.x\"" }, { "=x.y", "=x.y" },
	};
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_ON(text);
		convert_word(&b, span_of(rows[i].value));
		assert_string_equal(buf_str(&b), rows[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular_expressions), cmocka_unit_test(statements), cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
