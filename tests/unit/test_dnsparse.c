#include "check.h"

#include "dns/dnsparse.h"

static struct dnsparse p;
static char message[70000];
static size_t length;

static void bytes(const char *more, size_t n)
{
	assert_true(length + n <= sizeof message);
	memcpy(message + length, more, n);
	length += n;
}

#define ADD(literal) bytes(literal, sizeof(literal) - 1)
#define EXAMPLE "\7example\3com\0"
#define HERE "\xc0\x0c"			/* the name of the question */

static void number(unsigned value, unsigned octets)
{
	while (octets--)
		message[length++] = (char)(value >> 8 * octets);
}

/* A message that asks for a type of example.com. */
static void begin(unsigned flags, unsigned type, unsigned answers, unsigned authority)
{
	length = 0;
	number(0x1234, 2);
	number(flags, 2);
	number(1, 2);
	number(answers, 2);
	number(authority, 2);
	number(0, 2);
	ADD(EXAMPLE);
	number(type, 2);
	number(1, 2);
}

static void record(unsigned type, unsigned ttl_s, const char *data, size_t n)
{
	ADD(HERE);
	number(type, 2);
	number(1, 2);
	number(ttl_s, 4);
	number((unsigned)n, 2);
	bytes(data, n);
}

#define RECORD(type, ttl_s, literal) record(type, ttl_s, literal, sizeof(literal) - 1)

static const struct dns_answer *parse(enum dns_type type)
{
	/* A copy of its exact size, so that the sanitizer sees a byte too far. */
	char *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, message, length);
	dnsparse_message(&p, span_make(copy, length), type, span_of("example.com"));
	free(copy);
	return &p.answer;
}

static void addresses(void **state)
{
	const struct dns_answer *a;

	(void)state;
	begin(0x8180, 1, 2, 0);
	RECORD(1, 300, "\x7f\0\0\2");
	RECORD(1, 200, "\x7f\0\0\4");
	a = parse(DNS_A);
	assert_int_equal(a->status, DNS_FOUND);
	assert_int_equal(a->count, 2);
	assert_int_equal(a->ttl_s, 200);
	assert_int_equal(a->records[1].address.bytes[3], 4);
	/* Not what was asked. */
	assert_int_equal(parse(DNS_AAAA)->status, DNS_FAILED);
	message[13] ^= 1;
	assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
	begin(0x8180, 28, 1, 0);
	RECORD(28, 0x80000000u, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	a = parse(DNS_AAAA);
	assert_int_equal(a->status, DNS_FOUND);
	assert_int_equal(a->ttl_s, 0);
	assert_int_equal(a->records[0].address.family, 6);
}

static void names(void **state)
{
	const struct dns_answer *a;

	(void)state;
	begin(0x8180, 15, 3, 0);
	RECORD(15, 60, "\0\12\4MAIL" HERE);
	RECORD(15, 50, "\0\0\0");
	RECORD(15, 60, "\0\5\3a.b\0");
	a = parse(DNS_MX);
	assert_int_equal(a->count, 2);
	assert_int_equal(a->records[0].preference, 10);
	assert_span(a->records[0].text, "mail.example.com");
	assert_span(a->records[1].text, "");		/* RFC 7505 */
	assert_int_equal(a->ttl_s, 50);
	begin(0x8180, 12, 1, 0);
	RECORD(12, 60, HERE);
	assert_span(parse(DNS_PTR)->records[0].text, "example.com");
	begin(0x8180, 12, 1, 0);
	RECORD(12, 60, "\1\0\0");
	assert_int_equal(parse(DNS_PTR)->status, DNS_NONE);
}

static void texts(void **state)
{
	const struct dns_answer *a;

	(void)state;
	begin(0x8180, 16, 3, 0);
	RECORD(16, 60, "\6v=spf1\5 -all");
	RECORD(16, 60, "\0");
	RECORD(16, 60, "\3a\0\xff");
	a = parse(DNS_TXT);
	assert_int_equal(a->count, 3);
	assert_span(a->records[0].text, "v=spf1 -all");
	assert_span(a->records[1].text, "");
	assert_int_equal(a->records[2].text.n, 3);
	begin(0x8180, 16, 1, 0);
	RECORD(16, 60, "\7v=spf1");
	assert_int_equal(parse(DNS_TXT)->status, DNS_FAILED);
	begin(0x8180, 16, 1, 0);
	RECORD(16, 60, "");
	assert_int_equal(parse(DNS_TXT)->status, DNS_FAILED);
}

/* A name of so many bytes of text on the wire, which has a byte more before its final 0. */
static size_t long_name(char out[260], size_t text_n)
{
	size_t n = 0;

	while (n < text_n + 1) {
		size_t left = text_n - n, size = left > 64 ? 63 : left == 64 ? 62 : left;
		out[n] = (char)size;
		memset(out + n + 1, 'x', size);
		n += 1 + size;
	}
	out[n] = 0;
	return n;
}

/* RFC 1035 section 2.3.4: 255 bytes on the wire. */
static void longest_name(void **state)
{
	char name[260];

	(void)state;
	begin(0x8180, 12, 1, 0);
	record(12, 60, name, long_name(name, 253) + 1);
	assert_int_equal(parse(DNS_PTR)->status, DNS_FOUND);
	assert_int_equal(p.records[0].text.n, 253);
	begin(0x8180, 12, 1, 0);
	record(12, 60, name, long_name(name, 254) + 1);
	assert_int_equal(parse(DNS_PTR)->status, DNS_FAILED);
}

/* More, and longer, than there is room for. */
static void many(void **state)
{
	static char longest[260];
	size_t n = long_name(longest, 251);

	(void)state;
	begin(0x8180, 12, 200, 0);
	for (unsigned i = 0; i < 200; i++)
		record(12, 60, longest, n + 1);
	assert_int_equal(parse(DNS_PTR)->count, 200);
	begin(0x8180, 12, 1000, 0);
	record(12, 60, longest, n + 1);
	size_t at = length - n - 1;
	for (unsigned i = 1; i < 1000; i++) {
		char pointer[2] = { (char)(0xc0 | at >> 8), (char)at };
		record(12, 60, pointer, 2);
	}
	assert_int_equal(parse(DNS_PTR)->count, DNSPARSE_RECORDS);
	assert_int_equal(p.records[255].text.n, 251);
	assert_false(p.text.over);
}

static void aliases(void **state)
{
	const struct dns_answer *a;

	(void)state;
	/* The alias comes last. */
	begin(0x8180, 1, 2, 0);
	ADD("\3www" HERE);
	number(1, 2);
	number(1, 2);
	number(300, 4);
	number(4, 2);
	ADD("\x7f\0\0\2");
	RECORD(5, 20, "\3WWW" HERE);
	a = parse(DNS_A);
	assert_int_equal(a->status, DNS_FOUND);
	assert_int_equal(a->ttl_s, 20);
	begin(0x8180, 1, 1, 0);
	RECORD(5, 20, HERE);
	assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
	begin(0x8183, 1, 1, 0);
	RECORD(5, 20, "\3www" HERE);
	a = parse(DNS_A);
	assert_int_equal(a->status, DNS_NONE);
	assert_false(a->exists);
	/* Another's address is no answer. */
	begin(0x8180, 1, 1, 0);
	ADD("\5other" HERE);
	number(1, 2);
	number(1, 2);
	number(300, 4);
	number(4, 2);
	ADD("\x7f\0\0\2");
	assert_int_equal(parse(DNS_A)->status, DNS_NONE);
}

#define SOA(minimum) "\2ns" HERE "\4post" HERE "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4" minimum

static void absence(void **state)
{
	const struct dns_answer *a;

	(void)state;
	begin(0x8183, 1, 0, 1);
	RECORD(6, 600, SOA("\0\0\0\x64"));
	a = parse(DNS_A);
	assert_int_equal(a->status, DNS_NONE);
	assert_false(a->exists);
	assert_int_equal(a->ttl_s, 100);
	begin(0x8180, 1, 0, 1);
	RECORD(6, 60, SOA("\0\0\0\x64"));
	a = parse(DNS_A);
	assert_int_equal(a->status, DNS_NONE);
	assert_true(a->exists);
	assert_int_equal(a->ttl_s, 60);
	begin(0x8180, 1, 0, 0);
	assert_int_equal(parse(DNS_A)->status, DNS_NONE);
	assert_int_equal(p.answer.ttl_s, 0);
	begin(0x8180, 1, 0, 1);
	RECORD(2, 60, "\2ns" HERE);
	assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
	begin(0x8180, 1, 0, 1);
	RECORD(6, 60, "\2ns" HERE);
	assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
}

static void codes(void **state)
{
	static const unsigned flags[] = { 0x8182, 0x8185, 0x8181, 0x8184, 0x818f, 0x0180, 0x8380 };

	(void)state;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		begin(flags[i], 1, 1, 0);
		RECORD(1, 300, "\x7f\0\0\2");
		assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
		assert_int_equal(p.answer.count, 0);
	}
}

/* Every prefix of a message, and every byte of it changed. */
static void broken(void **state)
{
	uint64_t seed = 1;

	(void)state;
	begin(0x8180, 15, 3, 0);
	RECORD(5, 60, "\3www" HERE);
	RECORD(15, 60, "\0\12\4MAIL" HERE);
	RECORD(15, 60, "\0\12" HERE);
	size_t whole = length;
	for (length = 0; length < whole; length++)
		assert_int_equal(parse(DNS_MX)->status, DNS_FAILED);
	for (unsigned i = 0; i < 100000; i++) {
		size_t at = check_random(&seed) % whole;
		char before = message[at];
		message[at] = (char)check_random(&seed);
		parse(DNS_MX);
		message[at] = before;
	}
	/* A name that points at itself. */
	begin(0x8180, 12, 1, 0);
	char self[2] = { (char)0xc0, (char)(length + 12) };
	record(12, 60, self, 2);
	assert_int_equal(parse(DNS_PTR)->status, DNS_FAILED);
	begin(0x8180, 1, 1, 0);
	RECORD(1, 60, "\x7f\0\0");
	assert_int_equal(parse(DNS_A)->status, DNS_FAILED);
}

static void names_asked(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a..b", ".a", "a.." };
	char out[DNS_NAME_MAX + 1], text[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(dnsparse_name(span_of(bad[i]), out), -1);
	assert_int_equal(dnsparse_name(span_of("WWW.Example.COM."), out), 0);
	assert_string_equal(out, "www.example.com");
	assert_int_equal(dnsparse_name(span_make("a\0b", 3), out), -1);
	memset(text, 'a', sizeof text);
	assert_int_equal(dnsparse_name(span_make(text, 64), out), -1);
	for (size_t i = 49; i < sizeof text; i += 50)
		text[i] = '.';
	assert_int_equal(dnsparse_name(span_make(text, 253), out), 0);
	assert_int_equal(dnsparse_name(span_make(text, 254), out), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(names), cmocka_unit_test(texts), cmocka_unit_test(longest_name),
		cmocka_unit_test(many),
		cmocka_unit_test(aliases), cmocka_unit_test(absence), cmocka_unit_test(codes), cmocka_unit_test(broken),
		cmocka_unit_test(names_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
