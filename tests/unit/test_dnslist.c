#include "check.h"

#include "dns/dnslist.h"

static struct netaddr address(const char *text)
{
	struct netaddr a = { 0 };

	assert_true(netaddr_parse(span_of(text), &a));
	return a;
}

static void assert_query(const char *client, const char *zone, const char *wanted)
{
	char text[DNS_NAME_MAX + 1];
	struct buf b = BUF_ON(text);
	struct netaddr a = address(client);

	assert_true(dnslist_query_address(&b, &a, span_of(zone)));
	assert_string_equal(buf_str(&b), wanted);
}

static void questions(void **state)
{
	(void)state;
	assert_query("192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com");
	assert_query("255.255.255.255", "b.example", "255.255.255.255.b.example");
	/* The example of RFC 5782 section 2.4. */
	assert_query("2001:db8:1:2:3:4:567:89ab", "ugly.example.com",
		     "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com");

	char text[DNS_NAME_MAX + 1], zone[260];
	struct buf b = BUF_ON(text);
	struct netaddr none = { 0 }, six = address("2001:db8::1"), four = address("192.0.2.1");
	assert_false(dnslist_query_address(&b, &none, span_of("b.example")));
	memset(zone, 'a', sizeof zone);
	for (size_t i = 50; i < sizeof zone; i += 50)
		zone[i] = '.';
	assert_true(dnslist_query_address(&b, &six, span_make(zone, 189)));
	assert_int_equal(b.n, 253);
	assert_false(dnslist_query_address(&b, &six, span_make(zone, 190)));
	assert_true(dnslist_query_address(&b, &four, span_make(zone, 190)));
	assert_false(dnslist_query_address(&b, &four, span_make(zone, 260)));
}

static void domain_questions(void **state)
{
	char text[DNS_NAME_MAX + 1], label[70];
	struct buf b = BUF_ON(text);
	struct span zone = SPAN("dbl.example");

	(void)state;
	assert_true(dnslist_query_domain(&b, span_of("Example.COM."), zone));
	assert_string_equal(buf_str(&b), "Example.COM.dbl.example");
	static const char *const bad[] = { "", ".", "..", "a..b", ".a" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(dnslist_query_domain(&b, span_of(bad[i]), zone));
	assert_false(dnslist_query_domain(&b, span_make("a\0b", 3), zone));
	memset(label, 'x', sizeof label);
	assert_true(dnslist_query_domain(&b, span_make(label, 63), zone));
	assert_false(dnslist_query_domain(&b, span_make(label, 64), zone));
}

static void filters_refused(void **state)
{
	static const char *const bad[] = {
		"", ".", "=", "=127.0.0.2", "a..b", "b.example=", "b.example=127.0.0", "b.example=127.0.0.2.3",
		"b.example=127.0.0.256", "b.example=192.0.2.1", "b.example=127.0.0.2/33", "b.example=127.0.0.2/7",
		"b.example=127.0.0.2/", "b.example=127.0.0.9-127.0.0.2", "b.example=127.0.0.2-", "b.example=-127.0.0.2",
		"b.example=127.0.0.2-128.0.0.1", "b.example=127.0.0.3-1", "b.example=*.0.0.1", "b.example=127.0.*.",
		"b.example=127.0.0.1-2-3", "b.example=::1", "b example", "b\xe9.example", "b/example", "b.example=127.0.0.2 ",
		"b.example=127.0.*.2-127.0.*.3", "b.example==127.0.0.2", "b.example=[127.0.0.2]/24",
	};
	char text[300], long_zone[300];
	struct buf why = BUF_ON(text);
	struct dnslist_filter f;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (dnslist_parse(span_of(bad[i]), &f, &why) != -1)
			fail_msg("%s taken", bad[i]);
		assert_true(why.n > 0);
	}
	assert_int_equal(dnslist_parse(span_make("b\0c", 3), &f, &why), -1);
	memset(long_zone, 'a', sizeof long_zone);
	assert_int_equal(dnslist_parse(span_make(long_zone, sizeof long_zone), &f, &why), -1);
}

static bool listed(const char *filter, const char *answer)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct dns_record records[2] = { { .address = address("192.0.2.1") }, { .address = address(answer) } };
	struct dns_answer a = { .status = DNS_FOUND, .count = 2, .records = records };
	struct dnslist_filter f;

	if (dnslist_parse(span_of(filter), &f, &why))
		fail_msg("%s: %s", filter, buf_str(&why));
	assert_string_equal(f.zone, "b.example");
	const struct dns_record *r = dnslist_listed(&f, &a);
	assert_true(r == NULL || r == &records[1]);
	a.status = DNS_TIMEOUT;
	assert_null(dnslist_listed(&f, &a));
	return r != NULL;
}

static void listings(void **state)
{
	(void)state;
	assert_true(listed("b.example", "127.0.0.2"));
	assert_true(listed("B.Example.", "127.9.9.9"));
	assert_true(listed("b.example=127.0.0.4", "127.0.0.4"));
	assert_false(listed("b.example=127.0.0.4", "127.0.0.5"));
	assert_true(listed("b.example=127.0.0.4/30", "127.0.0.7"));
	assert_false(listed("b.example=127.0.0.4/30", "127.0.0.8"));
	assert_true(listed("b.example=127.0.0.0/8", "127.200.0.1"));
	assert_true(listed("b.example=127.0.0.4/32", "127.0.0.4"));
	assert_false(listed("b.example=127.0.0.4/32", "127.0.0.5"));
	assert_true(listed("b.example=127.0.0.9-127.0.1.2", "127.0.1.1"));
	assert_false(listed("b.example=127.0.0.9-127.0.1.2", "127.0.1.3"));
	assert_true(listed("b.example=127.0.*.1-3", "127.0.9.3"));
	assert_false(listed("b.example=127.0.*.1-3", "127.0.9.0"));
	assert_false(listed("b.example=127.0.*.1-3", "127.1.9.1"));
}

/* Refusals and made-up answers. */
static void no_listings(void **state)
{
	static const char *const answers[] = {
		"127.0.0.1", "127.0.0.255", "127.255.255.0", "127.255.255.252", "127.255.255.254", "127.255.255.255",
		"126.255.255.255", "128.0.0.1", "203.0.113.7", "0.0.0.0", "2001:db8::1", "::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		assert_false(listed("b.example", answers[i]));
		assert_false(listed("b.example=127.0.0.0/8", answers[i]));
	}
	assert_false(listed("b.example=127.0.0.255", "127.0.0.255"));
	assert_true(listed("b.example", "127.255.254.255"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions), cmocka_unit_test(domain_questions), cmocka_unit_test(filters_refused),
		cmocka_unit_test(listings), cmocka_unit_test(no_listings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
