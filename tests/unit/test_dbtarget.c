#include "check.h"

#include "base/dbtarget.h"

static void assert_target(const char *in, const char *servers, const char *database)
{
	char text[1000], reason[200];
	struct buf b = BUF_ON(text), why = BUF_ON(reason);
	struct dbtarget t;

	if (dbtarget_parse(span_of(in), &t, &why) != 0) {
		fail_msg("%s: %s", in, buf_str(&why));
		return;
	}
	for (unsigned i = 0; i < t.count; i++) {
		buf_adds(&b, i ? " " : "");
		dbtarget_name(&b, &t.servers[i]);
	}
	assert_string_equal(buf_str(&b), servers);
	assert_string_equal(t.database, database);
}

static void good(void **state)
{
	(void)state;
	assert_target("db/x", "db", "x");
	assert_target("db.example.org:3307/grey_lag-1$", "db.example.org:3307", "grey_lag-1$");
	assert_target("192.0.2.1/x", "192.0.2.1", "x");
	assert_target("[2001:DB8::1]/x", "[2001:db8::1]", "x");
	assert_target("[::1]:1/x", "[::1]:1", "x");
	assert_target("unix:/run/mysqld/mysqld.sock/x", "unix:/run/mysqld/mysqld.sock", "x");
	assert_target("a,b:65535,[::1],unix:/s/x", "a b:65535 [::1] unix:/s", "x");
}

static void bad(void **state)
{
	static const char *const words[] = {
		"", "/", "x", "db/", "/x", "db/a b", "db/a`b", "db/a;b", "db:/x", "db:0/x", "db:65536/x", "db:1:2/x", "::1/x",
		"[::1/x", "[::1]x/x", "[192.0.2.1]/x", "[]/x", "a,,b/x", "a,/x", ",a/x", "unix:/x", "unix:x/y", "-a/x", ".a/x", "a b/x", "a\tb/x",
		"a,b,c,d,e,f,g,h,i/x", "db\xff/x",
		"db/12345678901234567890123456789012345678901234567890123456789012345",
	};
	char reason[200], longest[600];
	struct buf why = BUF_ON(reason);
	struct dbtarget t;

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		buf_clear(&why);
		if (dbtarget_parse(span_of(words[i]), &t, &why) == 0 || why.n == 0)
			fail_msg("%s was taken", words[i]);
	}
	assert_int_equal(dbtarget_parse(span_make("db\0x/y", 6), &t, &why), -1);
	assert_int_equal(dbtarget_parse(span_make("unix:/a\0b/y", 11), &t, &why), -1);
	memset(longest, 'a', sizeof longest);
	memcpy(longest + 300, "/x", 3);
	assert_int_equal(dbtarget_parse(span_of(longest), &t, &why), -1);
	memcpy(longest + 255, "/x", 3);
	assert_int_equal(dbtarget_parse(span_of(longest), &t, &why), 0);
	memcpy(longest, "unix:/", 6);
	assert_int_equal(dbtarget_parse(span_of(longest), &t, &why), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
