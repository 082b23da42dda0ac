#include "lists/prefixset.h"

#include "check.h"

#include <malloc.h>

static struct netprefix prefix(const char *text)
{
	struct netprefix p;

	assert_true(netprefix_parse(span_of(text), &p));
	return p;
}

static struct netaddr address(const char *text)
{
	struct netaddr a;

	assert_true(netaddr_parse(span_of(text), &a));
	return a;
}

static struct prefixset *set_of(const char *const *texts)
{
	struct prefixset *set = prefixset_new();

	assert_non_null(set);
	for (; *texts; texts++) {
		struct netprefix p = prefix(*texts);
		assert_true(prefixset_add(set, &p));
	}
	return set;
}

static void check_longest(const struct prefixset *set, const char *a, const char *want)
{
	struct netaddr address_of = address(a);
	struct netprefix longest;
	char text[NETADDR_TEXT];
	struct buf b = BUF_ON(text);

	assert_int_equal(prefixset_find(set, &address_of, &longest), want != NULL);
	assert_int_equal(prefixset_find(set, &address_of, NULL), want != NULL);
	if (want) {
		netprefix_add(&b, &longest);
		assert_span(buf_span(&b), want);
	}
}

static void test_longest(void **state)
{
	static const char *const texts[] = { "10.0.0.0/8", "10.1.2.0/24", "10.1.2.3", "192.0.2.128/25",
		"2001:db8::/32", "2001:db8:0:1::/64", "2001:db8::1", NULL };
	struct prefixset *set = set_of(texts);

	(void)state;
	assert_int_equal(prefixset_count(set), 7);
	check_longest(set, "10.255.255.255", "10.0.0.0/8");
	check_longest(set, "10.1.2.4", "10.1.2.0/24");
	check_longest(set, "10.1.2.3", "10.1.2.3/32");
	check_longest(set, "11.0.0.0", NULL);
	check_longest(set, "9.255.255.255", NULL);
	check_longest(set, "192.0.2.127", NULL);
	check_longest(set, "192.0.2.128", "192.0.2.128/25");
	check_longest(set, "2001:db8::2", "2001:db8::/32");
	check_longest(set, "2001:db8::1", "2001:db8::1/128");
	check_longest(set, "2001:db8:0:1:ffff::", "2001:db8:0:1::/64");
	check_longest(set, "2001:db9::", NULL);
	check_longest(set, "::ffff:10.1.2.4", "10.1.2.0/24");
	prefixset_free(&set);
	assert_null(set);
	prefixset_free(&set);
}

/* The families have nothing to do with each other, not even at /0. */
static void test_everything(void **state)
{
	static const char *const four[] = { "0.0.0.0/0", NULL }, *const six[] = { "::/0", NULL };
	struct prefixset *set4 = set_of(four), *set6 = set_of(six);
	struct netaddr none = { 0 };

	(void)state;
	check_longest(set4, "255.255.255.255", "0.0.0.0/0");
	check_longest(set4, "::", NULL);
	check_longest(set6, "ffff::", "::/0");
	check_longest(set6, "0.0.0.0", NULL);
	assert_false(prefixset_find(set4, &none, NULL));
	assert_false(prefixset_find(set6, &none, NULL));
	prefixset_free(&set4);
	prefixset_free(&set6);
}

static void test_twice(void **state)
{
	static const char *const texts[] = { "10.1.2.3", "10.1.2.3", "10.1.2.3/32", "10.0.0.0/7", "11.0.0.0/7", NULL };
	struct prefixset *set = set_of(texts);

	(void)state;
	assert_int_equal(prefixset_count(set), 2);
	prefixset_free(&set);
}

static struct netprefix random_prefix(uint64_t *seed)
{
	struct netaddr a = { .family = check_random(seed) % 2 ? 4 : 6 };

	/* Few different bits, so that prefixes nest and collide. */
	for (unsigned i = 0; i < netaddr_width(&a) / 8; i++)
		a.bytes[i] = (uint8_t)(check_random(seed) % 4 == 0 ? check_random(seed) : check_random(seed) % 3);
	return netaddr_network(&a, check_random(seed) % (netaddr_width(&a) + 1));
}

/* The longest prefix that contains a, found the slow way; -1: none. */
static int scan(const struct netprefix *all, unsigned count, const struct netaddr *a)
{
	int best = -1;

	for (unsigned i = 0; i < count; i++)
		if (netprefix_contains(&all[i], a) && all[i].bits > best)
			best = all[i].bits;
	return best;
}

static void test_against_scan(void **state)
{
	enum { PREFIXES = 300, ROUNDS = 60, PROBES = 300 };
	static struct netprefix all[PREFIXES];
	uint64_t seed = 20261121;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct prefixset *set = prefixset_new();
		unsigned count = 1 + check_random(&seed) % PREFIXES, hits = 0;
		for (unsigned i = 0; i < count; i++) {
			all[i] = random_prefix(&seed);
			assert_true(prefixset_add(set, &all[i]));
		}
		for (unsigned i = 0; i < PROBES; i++) {
			struct netprefix probe = i < count ? all[i] : random_prefix(&seed), longest;
			if (i % 3 == 1 && probe.bits < netaddr_width(&probe.addr))
				probe.addr.bytes[probe.bits / 8] ^= (uint8_t)(1 << (7 - probe.bits % 8));
			int want = scan(all, count, &probe.addr);
			bool found = prefixset_find(set, &probe.addr, &longest);
			assert_int_equal(found, want >= 0);
			if (found) {
				assert_int_equal(longest.bits, want);
				assert_true(netprefix_contains(&longest, &probe.addr));
				hits++;
			}
		}
		assert_true(hits > 0);
		prefixset_free(&set);
	}
}

static void test_large(void **state)
{
	struct prefixset *set = prefixset_new();
	uint64_t seed = 7;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	struct netaddr first = { .family = 6 };

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		struct netaddr a = { .family = 6 };
		for (unsigned i = 0; i < 16; i++)
			a.bytes[i] = (uint8_t)check_random(&seed);
		if (n == 0)
			first = a;
		struct netprefix p = netaddr_network(&a, 128);
		assert_true(prefixset_add(set, &p));
	}
	assert_int_equal(prefixset_count(set), 100000);
	assert_true(prefixset_find(set, &first, NULL));
	/* mallinfo2 is 0 under the sanitizers' allocator: then this says nothing. */
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < (size_t)8 << 20);
	prefixset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest), cmocka_unit_test(test_everything), cmocka_unit_test(test_twice),
		cmocka_unit_test(test_against_scan), cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests_name("prefixset", tests, NULL, NULL);
}
