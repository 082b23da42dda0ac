#include "check.h"

#include "engine/livingindex.h"

#define NOW 1700000000

static void on_met(void *arg, struct span list, struct span value)
{
	unsigned char *met = arg;

	assert_span(list, "walked");
	met[strtoul(value.p + 1, NULL, 10)]++;
}

/* What was there before is met, though the table grows on the way. */
static void walks(void **state)
{
	static unsigned char met[6000];
	struct livingindex *ix = livingindex_new();
	unsigned added = 0, old = 700;
	size_t at = 0;
	char name[20];

	(void)state;
	assert_true(livingindex_walk(ix, LIST_DOMAIN, &at, 1, NOW, on_met, met));
	livingindex_put(ix, span_of("other"), LIST_NAME, span_of("x"), 0, NOW + 9);
	livingindex_put(ix, span_of("walked"), LIST_DOMAIN, span_of("d5999"), 0, NOW);
	do {
		for (unsigned until = added ? added + 150 : old; added < until && added < 5900; added++) {
			snprintf(name, sizeof name, "d%u", added);
			assert_int_equal(livingindex_put(ix, span_of("walked"), LIST_DOMAIN, span_of(name), 0, NOW + 9), 1);
		}
	} while (!livingindex_walk(ix, LIST_DOMAIN, &at, 40, NOW, on_met, met));
	assert_int_equal(at, 0);
	assert_true(added > 2000);
	for (unsigned i = 0; i < old; i++)
		assert_true(met[i]);
	assert_false(met[5999]);
	assert_int_equal(livingindex_until(ix, span_of("walked"), LIST_DOMAIN, span_of("d7"), NOW), NOW + 9);
	assert_int_equal(livingindex_until(ix, span_of("walked"), LIST_DOMAIN, span_of("d7"), NOW + 9), 0);
	assert_int_equal(livingindex_until(ix, span_of("nowhere"), LIST_DOMAIN, span_of("d7"), NOW), 0);
	livingindex_free(&ix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
