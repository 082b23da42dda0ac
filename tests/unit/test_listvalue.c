#include "check.h"

#include "lists/addrset.h"
#include "lists/listvalue.h"
#include "lists/nameset.h"

static void normal_forms(void **state)
{
	static const struct { enum list_kind kind; const char *text, *normal; } rows[] = {
		{ LIST_CLIENT, "192.0.2.1", "192.0.2.1" }, { LIST_CLIENT, "192.0.2.1/32", "192.0.2.1" },
		{ LIST_CLIENT, "192.0.2.77/24", "192.0.2.0/24" }, { LIST_CLIENT, "10.1", "10.1.0.0/16" },
		{ LIST_CLIENT, "10.1.2.", "10.1.2.0/24" }, { LIST_CLIENT, "2001:DB8::1/32", "2001:db8::/32" },
		{ LIST_CLIENT, "::ffff:192.0.2.1", "192.0.2.1" }, { LIST_CLIENT, "0.0.0.0/0", "0.0.0.0/0" },
		{ LIST_CLIENT, "mail.example.org", NULL }, { LIST_CLIENT, "192.0.2.0/33", NULL }, { LIST_CLIENT, "", NULL },
		{ LIST_NAME, "Mail.Example.ORG.", "mail.example.org" }, { LIST_NAME, "*.example.org", ".example.org" },
		{ LIST_NAME, ".example.org", ".example.org" }, { LIST_NAME, "=MX.example.org", "=mx.example.org" },
		{ LIST_NAME, "192.0.2.1", NULL }, { LIST_NAME, "10.1", NULL }, { LIST_NAME, "=192.0.2.1", NULL },
		{ LIST_NAME, "a@b", NULL }, { LIST_NAME, "", NULL }, { LIST_NAME, ".", NULL }, { LIST_NAME, "*", NULL },
		{ LIST_NAME, "a b", NULL }, { LIST_NAME, "\xc3\xa4.example", NULL },
		{ LIST_SENDER, "Alice@Example.org", "alice@example.org" }, { LIST_SENDER, "<Alice@Example.org.>", "alice@example.org" },
		{ LIST_SENDER, "<>", "<>" }, { LIST_SENDER, "alice@", "alice@" }, { LIST_RECIPIENT, "@Example.org", "@example.org" },
		{ LIST_RECIPIENT, "Example.org.", "example.org" }, { LIST_SENDER, "a@[192.0.2.1]", "a@[192.0.2.1]" },
		{ LIST_SENDER, "", NULL }, { LIST_SENDER, "@", NULL }, { LIST_SENDER, "a b@c", NULL }, { LIST_SENDER, "a@b..c", NULL },
		{ LIST_DOMAIN, "Example.COM.", "example.com" }, { LIST_DOMAIN, "_spf.example.com", "_spf.example.com" },
		{ LIST_DOMAIN, "", NULL }, { LIST_DOMAIN, ".", NULL }, { LIST_DOMAIN, ".example.com", NULL },
		{ LIST_DOMAIN, "*.example.com", NULL }, { LIST_DOMAIN, "=example.com", NULL }, { LIST_DOMAIN, "@example.com", NULL },
		{ LIST_DOMAIN, "192.0.2.1", NULL }, { LIST_DOMAIN, "2001:db8::1", NULL }, { LIST_DOMAIN, "a..b", NULL }, { LIST_DOMAIN, "a.b..", NULL },
		{ LIST_DOMAIN, "\xc3\xa4.example", NULL }, { LIST_DOMAIN, "a b", NULL }, { LIST_DOMAIN, "a<b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[LIST_VALUE_MAX + 1], problem[200], again_text[LIST_VALUE_MAX + 1];
		struct buf out = BUF_ON(text), why = BUF_ON(problem), again = BUF_ON(again_text);
		int good = listvalue_read(rows[i].kind, span_of(rows[i].text), &out, &why);
		if (good != (rows[i].normal != NULL) || (!good && why.n == 0))
			fail_msg("\"%s\": %d", rows[i].text, good);
		if (!good)
			continue;
		assert_span(buf_span(&out), rows[i].normal);
		assert_int_equal(listvalue_read(rows[i].kind, buf_span(&out), &again, &why), 1);
		assert_span(buf_span(&again), rows[i].normal);
	}
}

static void too_long(void **state)
{
	char value[LIST_VALUE_MAX + 2], text[LIST_VALUE_MAX + 1], problem[200];
	struct buf out = BUF_ON(text), why = BUF_ON(problem);

	(void)state;
	memset(value, 'x', sizeof value);
	value[LIST_VALUE_MAX - 1] = value[LIST_VALUE_MAX] = '@';
	assert_int_equal(listvalue_read(LIST_SENDER, span_make(value, LIST_VALUE_MAX), &out, &why), 1);
	assert_int_equal(out.n, LIST_VALUE_MAX);
	assert_int_equal(listvalue_read(LIST_SENDER, span_make(value, LIST_VALUE_MAX + 1), &out, &why), 0);
	assert_int_equal(listvalue_of_name(span_make(value, 400), NULL, NULL), false);
}

/* Pieces of which names and addresses are made, so that they meet often. */
static struct span make(uint64_t *seed, char *text, size_t size, bool address)
{
	static const char *const labels[] = { "a", "b", "aa", "A", "x-1" };
	static const char *const heads[] = { "", "", "@", "u@", "U+v@", "u+v@", "+@", ".", "*.", "=", "u@@", "<u@" };
	struct buf b = buf_on(text, size);

	buf_adds(&b, heads[check_random(seed) % (address ? 12 : 1)]);
	for (unsigned n = check_random(seed) % 4; n; n--) {
		buf_adds(&b, labels[check_random(seed) % 5]);
		if (n > 1 || check_random(seed) % 8 == 0)
			buf_addc(&b, '.');
	}
	return span_make(text, b.n);
}

static bool same(void *arg, struct span value)
{
	return span_eq(*(struct span *)arg, value);
}

/* Whether an entry is found under its normal form is what the sets say. */
static void agrees_with_the_sets(void **state)
{
	uint64_t seed = 3;
	unsigned hits = 0;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		char entry_text[60], normal_text[LIST_VALUE_MAX + 1], problem[200], subject_text[60];
		struct buf normal = BUF_ON(normal_text), why = BUF_ON(problem);
		bool name = round % 2 == 0;
		struct span entry = make(&seed, entry_text, sizeof entry_text, true);
		struct span subject = make(&seed, subject_text, sizeof subject_text, !name);
		struct wordset *set = wordset_new();
		int added = name ? nameset_add(set, entry) : addrset_add(set, entry);
		int good = listvalue_read(name ? LIST_NAME : LIST_SENDER, entry, &normal, &why);
		if (added != good)
			fail_msg("\"%.*s\": %d, not %d", SPAN_ARG(entry), good, added);
		if (good) {
			struct span value = buf_span(&normal);
			bool found = name ? listvalue_of_name(subject, same, &value) : listvalue_of_address(subject, same, &value);
			bool wanted = name ? nameset_find(set, subject) : addrset_find(set, subject);
			if (found != wanted)
				fail_msg("\"%.*s\" under \"%.*s\": %d", SPAN_ARG(subject), SPAN_ARG(entry), found);
			hits += found;
		}
		wordset_free(&set);
	}
	assert_true(hits > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(too_long),
		cmocka_unit_test(agrees_with_the_sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
