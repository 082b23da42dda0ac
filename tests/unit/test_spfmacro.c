#include "check.h"

#include "dns/spfmacro.h"

#define L60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"
#define L240 L60 "." L60 "." L60 "." L60	/* longer by its three dots */

struct expansion {
	const char *spec, *want;	/* want NULL: no name */
};

static void expand_all(const struct expansion *e, size_t n, const struct spfmacro_values *v)
{
	char out[DNS_NAME_MAX + 1];

	for (size_t i = 0; i < n; i++) {
		size_t length = spfmacro_expand(span_of(e[i].spec), v, out);
		if (e[i].want ? length != strlen(e[i].want) || strcmp(out, e[i].want) : length != 0)
			fail_msg("%s gives %s, not %s", e[i].spec, length ? out : "nothing", e[i].want ? e[i].want : "nothing");
	}
}

/* Section 7.4: its examples, and what they leave out. */
static void test_examples(void **state)
{
	static const struct expansion four[] = {
		{ "%{s}", "strong-bad@email.example.com" }, { "%{o}", "email.example.com" },
		{ "%{d}", "email.example.com" }, { "%{d4}", "email.example.com" }, { "%{d3}", "email.example.com" },
		{ "%{d2}", "example.com" }, { "%{d1}", "com" }, { "%{dr}", "com.example.email" },
		{ "%{d2r}", "example.email" }, { "%{l}", "strong-bad" }, { "%{l-}", "strong.bad" },
		{ "%{lr}", "strong-bad" }, { "%{lr-}", "bad.strong" }, { "%{l1r-}", "strong" },
		{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
		{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
		{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
		{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com" },
		{ "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net" },
		{ "%{h}", "mx.example.org" }, { "%{p}.%{P}", "name.example.com.name.example.com" },
		{ "%{L}.%{S}", "strong-bad.strong-bad%40email.example.com" }, { "%{D2R}", "example.email" },
		{ "a%%b%_c%-d.example.com", "a%b c%20d.example.com" }, { "%{d128}", "email.example.com" },
		{ "%{d99999999999999999999}", "email.example.com" }, { "%{s1r@-}", NULL }, { "%{d}.x.", "email.example.com.x" },
		{ "x..%{d}", NULL }, { ".%{d}", NULL }, { "%{s-.}", "strong.bad@email.example.com" },
		{ "%{i1}.x", "3.x" }, { "%{i2r}.x", "0.192.x" }, { "%{o1.}.x", "com.x" }, { "%{d1,=}", "email.example.com" },
	};
	static const struct expansion six[] = {
		{ "%{ir}.%{v}._spf.%{d2}",
		  "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com" },
		{ "%{i}.x", "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1.x" },
	};
	struct netaddr v4, v6;
	struct spfmacro_values v = {
		.client = &v4, .sender = span_of("strong-bad@email.example.com"), .local = span_of("strong-bad"),
		.sender_domain = span_of("email.example.com"), .domain = span_of("email.example.com"),
		.helo = span_of("mx.example.org"), .client_name = span_of("name.example.com"),
	};

	(void)state;
	assert_true(netaddr_parse(span_of("192.0.2.3"), &v4) && netaddr_parse(span_of("2001:db8::cb01"), &v6));
	expand_all(four, sizeof four / sizeof *four, &v);
	v.client = &v6;
	expand_all(six, sizeof six / sizeof *six, &v);
	v.local = span_of("a+b=c/d,e_f..");
	static const struct expansion parts[] = {
		{ "%{l1r+}.x", "a.x" }, { "%{L}.x", NULL }, { "%{l2+=/,_}.x", NULL }, { "%{lr+=/,_.}.x", NULL },
		{ "%{l1+=}.x", NULL }, { "%{l2r+=/,_}.x", "b.a.x" }, { "%{L1r_}.x", "a%2Bb%3Dc%2Fd%2Ce.x" },
	};
	expand_all(parts, sizeof parts / sizeof *parts, &v);
}

/* Section 7.3: names over 253 bytes lose labels on the left, however the value was made long. */
static void test_long(void **state)
{
	struct netaddr client = { .family = 4 };
	char local[1024], spec[4000], out[DNS_NAME_MAX + 1];
	struct spfmacro_values v = { .client = &client, .domain = span_of(L240 ".com"), .local = span_make(local, sizeof local) };
	struct buf b = BUF_ON(spec);

	(void)state;
	assert_int_equal(strlen(L240 ".com.ab.ab"), 253);
	assert_string_equal((spfmacro_expand(span_of("%{d}.ab.ab"), &v, out), out), L240 ".com.ab.ab");
	assert_string_equal((spfmacro_expand(span_of("x.%{d}.ab.ab"), &v, out), out), L240 ".com.ab.ab");
	assert_string_equal((spfmacro_expand(span_of("x.%{d}.ab.ab."), &v, out), out), L240 ".com.ab.ab");
	assert_string_equal((spfmacro_expand(span_of("%{d}.abcd.abcdefgh"), &v, out), out),
			    L60 "." L60 "." L60 ".com.abcd.abcdefgh");
	for (size_t i = 0; i < sizeof local; i++)
		local[i] = i % 4 == 3 ? '-' : (char)('a' + i % 26);
	/* Forward: the last 62 parts of "xxx"; reversed: the first 62. */
	assert_int_equal(spfmacro_expand(span_of("%{l}.x"), &v, out), 1);	/* the label that is too long goes */
	assert_int_equal(spfmacro_expand(span_of("%{l}"), &v, out), 0);
	assert_int_equal(spfmacro_expand(span_of("%{l1-}.x"), &v, out), 0);	/* an empty last part */
	v.local.n--;
	assert_int_equal(spfmacro_expand(span_of("%{l-}.xyz"), &v, out), 63 * 4 - 1);
	assert_memory_equal(out, local + 1024 - 62 * 4, 3);
	assert_int_equal(spfmacro_expand(span_of("%{lr-}.xyz"), &v, out), 63 * 4 - 1);
	assert_memory_equal(out, local + 61 * 4, 3);
	assert_memory_equal(out + 61 * 4, local, 3);
	assert_int_equal(spfmacro_expand(span_of("%{l3r-}.xyz"), &v, out), 15);
	assert_memory_equal(out, local + 8, 3);
	assert_int_equal(spfmacro_expand(span_of("%{l255r-}.xyz"), &v, out), 63 * 4 - 1);
	/* Every byte escaped: three times as long. */
	memset(local, '\377', sizeof local);
	assert_int_equal(spfmacro_expand(span_of("%{L}.x"), &v, out), 1);
	assert_int_equal(spfmacro_expand(span_of("%{L}.%{d2}"), &v, out), strlen(L60 ".com"));
	while (!b.over)
		buf_adds(&b, "%{L}.%{s}.%{dr}.");
	b.n = 3900;
	while (b.p[b.n - 1] != '}')
		b.n--;
	spfmacro_expand(buf_span(&b), &v, out);
	v.local = span_make("a\0b", 3);
	assert_int_equal(spfmacro_expand(span_of("%{l}.x"), &v, out), 0);
	v.local = span_of("\001");
	assert_int_equal(spfmacro_expand(span_of("%{l}.x"), &v, out), 0);
	assert_int_equal(spfmacro_expand(span_of("%{L}.x"), &v, out), 5);
}

static void test_syntax(void **state)
{
	static const char *const strings[] = { "", "abc", "%{c}", "%{r}%{T}", "%%%_%-", "a:b/c=d", "%{s10r.-+,/_=}" };
	static const char *const wrong[] = { "%", "a%", "%{", "%{}", "%{s", "%s", "%{z}", "%{0}", "%{s0}", "%{s-r}", "%{s.x}",
					     "a b", "\t", "\177", "\200", "%{s}}%", "%{ s}" };

	(void)state;
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		assert_true(spfmacro_string(span_of(strings[i])));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (spfmacro_string(span_of(wrong[i])) || spfmacro_domain(span_of(wrong[i])))
			fail_msg("%s is taken", wrong[i]);
	assert_false(spfmacro_string(span_make("a\0b", 3)));
	assert_false(spfmacro_string(span_make("%{\0}", 4)));
	assert_false(spfmacro_string(span_make("%\0", 2)));
	assert_true(spfmacro_uses(span_of("a.%{i}.%{P2r}.x"), 'p'));
	assert_false(spfmacro_uses(span_of("p.%%{p}.%{h}.x"), 'p'));
	assert_false(spfmacro_name(span_of("")));
	assert_false(spfmacro_name(span_of(".")));
	assert_true(spfmacro_name(span_of("com")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples), cmocka_unit_test(test_long), cmocka_unit_test(test_syntax),
	};
	return cmocka_run_group_tests_name("spfmacro", tests, NULL, NULL);
}
