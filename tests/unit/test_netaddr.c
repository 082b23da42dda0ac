#include "check.h"

#include "base/netaddr.h"

static void assert_address(const char *in, const char *out)
{
	char text[NETADDR_TEXT];
	struct buf b = BUF_ON(text);
	struct netaddr a;

	if (!netaddr_parse(span_of(in), &a)) {
		if (out)
			fail_msg("%s refused", in);
		return;
	}
	netaddr_add(&b, &a);
	if (!out)
		fail_msg("%s taken as %s", in, buf_str(&b));
	assert_string_equal(buf_str(&b), out);
}

static void addresses(void **state)
{
	(void)state;
	assert_address("192.0.2.1", "192.0.2.1");
	assert_address("IPv6:2001:DB8::1", "2001:db8::1");
	assert_address("[2001:db8::1]", "2001:db8::1");
	assert_address("fe80::1%eth0", "fe80::1");
	assert_address("::ffff:192.0.2.1", "192.0.2.1");
	assert_address("::FFFF:c000:0201", "192.0.2.1");
	assert_address("0:0:0:0:0:0:0:1", "::1");
	static const char *const bad[] = {
		"", "unknown", "999.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
		"1.2.3.4%eth0", "fe80::1%", ":::", "2001:db8::1::2", "IPv6:", "[192.0.2.1", "192.0.2.1/24", "1.2.3.-4",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999", "0x7f.1", "2001:db8::g",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_address(bad[i], NULL);
	struct netaddr a;
	assert_false(netaddr_parse(span_make("1.2.3.4\0", 8), &a));
}

static void assert_prefix(const char *in, const char *out)
{
	char text[NETADDR_TEXT];
	struct buf b = BUF_ON(text);
	struct netprefix p;

	if (!netprefix_parse(span_of(in), &p)) {
		if (out)
			fail_msg("%s refused", in);
		return;
	}
	netprefix_add(&b, &p);
	if (!out)
		fail_msg("%s taken as %s", in, buf_str(&b));
	assert_string_equal(buf_str(&b), out);
}

static void prefixes(void **state)
{
	(void)state;
	assert_prefix("192.0.2.77/24", "192.0.2.0/24");
	assert_prefix("192.0.2.77", "192.0.2.77/32");
	assert_prefix("10", "10.0.0.0/8");
	assert_prefix("10.1", "10.1.0.0/16");
	assert_prefix("10.1.", "10.1.0.0/16");
	assert_prefix("192.168.7", "192.168.7.0/24");
	assert_prefix("0.0.0.0/0", "0.0.0.0/0");
	assert_prefix("2001:db8::1/32", "2001:db8::/32");
	assert_prefix("2001:db8::1", "2001:db8::1/128");
	assert_prefix("::ffff:192.0.2.0/120", "192.0.2.0/24");
	assert_prefix("255.255.255.255/31", "255.255.255.254/31");
	static const char *const bad[] = { "", ".", "10..1", "256", "1000", "192.0.2.0/33", "192.0.2.0/", "10.1/16",
		"2001:db8::/129", "/24", "a.b", "1.2.3.4.5", "10.1.2.3.", "192.0.2.0/-1", "192.0.2.0/24x" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_prefix(bad[i], NULL);
}

static void containing(void **state)
{
	struct netprefix p;
	struct netaddr in, out, other;

	(void)state;
	assert_true(netprefix_parse(span_of("198.51.100.128/25"), &p));
	assert_true(netaddr_parse(span_of("198.51.100.200"), &in));
	assert_true(netaddr_parse(span_of("198.51.100.100"), &out));
	assert_true(netaddr_parse(span_of("2001:db8::1"), &other));
	assert_true(netprefix_contains(&p, &in));
	assert_false(netprefix_contains(&p, &out));
	assert_false(netprefix_contains(&p, &other));
	p = netaddr_network(&other, 999);
	assert_int_equal(p.bits, 128);
	assert_true(netprefix_contains(&p, &other));
}

/* Whatever bytes come in: either refused, or its canonical text reads back as the same. */
static void random_text(void **state)
{
	static const char alphabet[] = "0123456789abcdefABCDEF:.:.:.%/[] vI\0\xff";
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char text[24], canonical[NETADDR_TEXT];
		size_t n = check_random(&seed) % sizeof text;
		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[check_random(&seed) % (sizeof alphabet - 1)];
		struct netaddr a, again;
		struct netprefix p;
		struct buf b = BUF_ON(canonical);
		(void)netprefix_parse(span_make(text, n), &p);
		if (!netaddr_parse(span_make(text, n), &a))
			continue;
		netaddr_add(&b, &a);
		assert_true(netaddr_parse(buf_span(&b), &again));
		assert_true(netaddr_eq(&a, &again));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(prefixes), cmocka_unit_test(containing),
		cmocka_unit_test(random_text),
	};
	return cmocka_run_group_tests_name("netaddr", tests, NULL, NULL);
}
