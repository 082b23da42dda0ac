#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/kvtarget.h"

static char reason[300];

static bool parse(const char *text, struct kvtarget *out)
{
	struct buf why = BUF_ON(reason);

	if (kvtarget_parse(span_of(text), out, &why) == 0)
		return true;
	assert_true(why.n > 0);
	return false;
}

static void test_good(void **state)
{
	struct kvtarget t;

	(void)state;
	assert_true(parse("192.0.2.1:6379", &t));
	assert_int_equal(t.kind, KVTARGET_SINGLE);
	assert_int_equal(t.count, 1);
	assert_true(parse("unix:/run/valkey", &t));
	assert_string_equal(endpoint_path(&t.servers[0]), "/run/valkey");
	assert_true(parse("sentinel:my-master_1.x@192.0.2.1:26379,[2001:db8::1]:26380", &t));
	assert_int_equal(t.kind, KVTARGET_SENTINEL);
	assert_string_equal(t.name, "my-master_1.x");
	assert_int_equal(t.count, 2);
	assert_string_equal(t.servers[1].name, "inet:[2001:db8::1]:26380");
	assert_true(parse("cluster:192.0.2.1:7000", &t));
	assert_int_equal(t.kind, KVTARGET_CLUSTER);
	assert_int_equal(t.count, 1);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"", "sentinel:", "sentinel:@192.0.2.1:1", "sentinel:mx", "sentinel:mx@", "sentinel:mx@192.0.2.1", "sentinel:m x@192.0.2.1:1",
		"sentinel:m/x@192.0.2.1:1", "sentinel:mx@unix:/x", "sentinel:mx@192.0.2.1:1,", "sentinel:mx@,192.0.2.1:1",
		"sentinel:mx@192.0.2.1:1,,192.0.2.2:1", "sentinel:\377@192.0.2.1:1", "cluster:", "cluster:,", "cluster:localhost:1",
		"cluster:/run/valkey", "cluster:192.0.2.1:1,x", "cluster:192.0.2.1:0", "cluster:192.0.2.1:65536",
	};
	struct kvtarget t;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i], &t))
			fail_msg("taken: %s", bad[i]);
}

static void test_bounds(void **state)
{
	char text[KVTARGET_SERVERS * 20 + 200], name[KVTARGET_NAME + 2];
	struct buf b = BUF_ON(text);
	struct kvtarget t;

	(void)state;
	buf_adds(&b, "cluster:192.0.2.1:1");
	for (unsigned i = 1; i < KVTARGET_SERVERS; i++)
		buf_adds(&b, ",192.0.2.1:1");
	assert_true(parse(buf_str(&b), &t));
	assert_int_equal(t.count, KVTARGET_SERVERS);
	buf_adds(&b, ",192.0.2.1:1");
	assert_false(parse(buf_str(&b), &t));
	for (size_t n = KVTARGET_NAME; n <= KVTARGET_NAME + 1; n++) {
		memset(name, 'x', n);
		buf_clear(&b);
		buf_adds(&b, "sentinel:");
		buf_addspan(&b, span_make(name, n));
		buf_adds(&b, "@192.0.2.1:1");
		assert_int_equal(parse(buf_str(&b), &t), n == KVTARGET_NAME);
	}
	assert_int_equal(kvtarget_parse(span_make("cluster:192.0.2.1:1\0", 20), &t, &(struct buf)BUF_ON(reason)), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
