#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/inside.h"
#include "requestlog/entrycopy.h"

static const struct privacy plain = { .mode = PRIVACY_NONE };

/* --- Lines ------------------------------------------------------------------------------ */

static bool read_line(struct entry *e, const char *line, char problem[200])
{
	struct buf why = buf_on(problem, 200);

	return entry_read(e, span_of(line), &why);
}

#define HEAD "{\"v\":1,\"time\":1795255200,\"verdict\":\"defer\",\"reason\":\"new\",\"wait\":60,\"client\":\"192.0.2.1\""

static void test_reading(void **state)
{
	static struct entry e;
	char problem[200];

	(void)state;
	assert_true(read_line(&e, HEAD ",\"sender\":\"\",\"recipient\":\"b@example.net\",\"helo\":{\"hex\":\"00ff\"},\"stage\":\"DATA\","
			      "\"answers\":[[\"dnsbl\",\"zen.example\",true],[\"rhsbl\",\"x\",null]],\"spf\":\"softfail\","
			      "\"records\":{\"triplet\":[1,2,3,4,5,6,7,8,2,9]},\"list\":\"trap\",\"expected\":true,\"news\":{}}", problem));
	assert_int_equal(e.at, 1795255200);
	assert_int_equal(e.verdict, VERDICT_DEFER);
	assert_int_equal(e.would, VERDICT_DEFER);
	assert_int_equal(e.reason, REASON_NEW);
	assert_int_equal(e.wait_s, 60);
	assert_int_equal(e.request.client.family, 4);
	assert_true(e.request.has_sender && e.request.sender.n == 0 && e.request.has_recipient);
	assert_int_equal(e.request.stage, STAGE_DATA);
	assert_true(span_eq(e.request.helo, span_make("\0\xff", 2)));
	assert_int_equal(e.answer_count, 2);
	assert_true(!e.answers[0].open && e.answers[0].bits == LOOKUP_YES && e.answers[1].open);
	assert_true(e.spf_known && e.spf == SPF_SOFTFAIL);
	assert_true(e.recalled.listed && e.recalled.list == ACTION_TRAP && e.recalled.expected && !e.recalled.amnesty);
	assert_true(e.recalled.records[KEY_SLOT_TRIPLET].found && !e.recalled.records[KEY_SLOT_ADDRESS].found);
	assert_int_equal(e.recalled.records[KEY_SLOT_TRIPLET].record.strikes, 9);
	/* A reason of a newer greylagd. */
	assert_true(read_line(&e, "{\"v\":1,\"time\":1,\"verdict\":\"pass\",\"reason\":\"moon\",\"client\":\"x\"}", problem));
	assert_int_equal(e.reason, REASON_COUNT);
	assert_int_equal(e.request.client.family, 0);
}

static void test_broken_lines(void **state)
{
	static const struct { const char *line, *why; } rows[] = {
		{ "", "empty" }, { "{", "cut short" }, { "[]", "no line of a journal" }, { "{}", "no line of a journal" },
		{ "{\"v\":2}", "another version" }, { "{\"v\":1}", "no time" }, { "{\"v\":1,\"time\":0}", "no time" },
		{ "{\"v\":1,\"time\":-1}", "no time" }, { "{\"v\":1,\"time\":1.5}", "no time" }, { "{\"v\":1,\"time\":1}", "no request" },
		{ "{\"v\":1,\"v\":1,\"time\":1}", "cut short" },
		{ "{\"v\":1,\"time\":1,\"client\":\"x\"}", "no verdict" },
		{ "{\"v\":1,\"time\":1,\"client\":7}", "no request" },
		{ "{\"v\":1,\"time\":1,\"client\":{\"hex\":\"0\"}}", "no request" },
		{ "{\"v\":1,\"time\":1,\"client\":{\"hex\":\"zz\"}}", "no request" },
		{ HEAD ",\"report\":\"gossip\"}", "no request" },
		{ HEAD ",\"would\":\"perhaps\"}", "no verdict" },
		{ HEAD ",\"answers\":[[]]}", "found out" }, { HEAD ",\"answers\":[[\"dnsbl\",\"x\",7]]}", "found out" },
		{ HEAD ",\"spf\":\"great\"}", "found out" },
		{ HEAD ",\"records\":{\"pair\":[1]}}", "found out" },
		{ HEAD ",\"records\":{\"pair\":[1,2,3,4,5,6,7,8,99,9]}}", "found out" },
		{ HEAD ",\"records\":{\"pair\":[99999999999,2,3,4,5,6,7,8,1,9]}}", "found out" },
		{ HEAD ",\"sender\":\"\xff\"}", "cut short" },
	};
	static struct entry e;
	char problem[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (read_line(&e, rows[i].line, problem) || !strstr(problem, rows[i].why))
			fail_msg("%s: %s", rows[i].line, problem);
	}
}

/* Every beginning of a line is refused, as a crash or a full disk would leave it. */
static void test_cut_lines(void **state)
{
	static const char line[] = HEAD ",\"sender\":\"a\\\"@example.org\",\"helo\":{\"hex\":\"00\"}}";
	static struct entry e;
	char problem[200];
	struct buf why = BUF_ON(problem);

	(void)state;
	for (size_t n = 0; n < sizeof line - 1; n++)
		assert_false(entry_read(&e, span_make(line, n), &why));
	assert_true(entry_read(&e, span_make(line, sizeof line - 1), &why));
}

/* --- There and back ----------------------------------------------------------------------- */

static void ignore(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

static struct snapshot snapshot;

static struct inquiry *inquiry(void)
{
	static struct inquiry q;
	static struct diag diag = { .report = ignore };

	if (!snapshot.config)
		snapshot.config = config_parse(span_of("defer dnsbl zen.example=127.0.0.2 delay 1h\ndefer spf fail delay 1h\n"), "x", &diag);
	assert_non_null(snapshot.config);
	q = (struct inquiry){ .now = 1795255200, .snapshot = &snapshot };
	decision_begin(&q.decision);
	facts_begin(&q.facts);
	q.decision.verdict = q.decision.would = VERDICT_DEFER;
	q.decision.reason = REASON_EARLY;
	q.decision.wait_s = 30;
	q.decision.ruled = false;
	q.request.client_text = span_of("192.0.2.1");
	return &q;
}

static void there_and_back(const struct inquiry *q, struct entry *out)
{
	static char text[ENTRY_LINE_MAX];
	char problem[200];
	struct buf line = BUF_ON(text), why = BUF_ON(problem);

	entry_add(&line, q, &plain);
	assert_false(line.over);
	assert_int_equal(span_find(buf_span(&line), '\n'), line.n - 1);
	if (!entry_read(out, span_head(buf_span(&line), line.n - 1), &why))
		fail_msg("%s: %s", buf_str(&why), buf_str(&line));
}

static void test_round_trip(void **state)
{
	static struct entry e;
	struct inquiry *q = inquiry();

	(void)state;
	q->request.sender = span_of("a@example.org");
	q->request.has_sender = true;
	q->request.encryption_protocol = span_make("", 0);
	q->request.report = REPORT_SPAM;
	q->request.stage = STAGE_OTHER;
	q->found.answers.known = q->found.answers.open = 1;
	q->found.spf_known = q->found.spf_broad = true;
	q->found.spf = SPF_PASS;
	q->facts.have = FACT_AROUND | fact_stored(KEY_SLOT_PAIR);
	q->facts.around.amnesty = true;
	q->facts.records[KEY_SLOT_PAIR] = (struct fact_record){ true, { .generation = 3, .first_seen = 1, .passed = 12 } };
	there_and_back(q, &e);
	assert_int_equal(e.at, q->now);
	assert_int_equal(e.reason, REASON_EARLY);
	assert_int_equal(e.wait_s, 30);
	assert_span(e.request.sender, "a@example.org");
	assert_true(e.request.encryption_protocol.p != NULL && !e.request.has_recipient);
	assert_int_equal(e.request.report, REPORT_SPAM);
	assert_int_equal(e.request.stage, STAGE_OTHER);
	assert_int_equal(e.answer_count, 1);
	assert_span(e.answers[0].kind, "dnsbl");
	assert_span(e.answers[0].text, "zen.example=127.0.0.2");
	assert_true(e.answers[0].open && e.spf_known && e.spf_broad && e.spf == SPF_PASS && e.recalled.amnesty);
	assert_memory_equal(&e.recalled.records[KEY_SLOT_PAIR], &q->facts.records[KEY_SLOT_PAIR], sizeof(struct fact_record));
}

/* Whatever bytes a client sends come back as they were. */
static void test_hostile_bytes(void **state)
{
	static const char pieces[] = "\0\x01\"\\\n\x7f\xff\xc3\xa9\xed\xa0\x80 {}<>\xf4\x90\x80\x80\xe2\x82\xac";
	static struct entry e;
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char bytes[24];
		size_t n = check_random(&seed) % sizeof bytes;
		for (size_t i = 0; i < n; i++)
			bytes[i] = check_random(&seed) % 3 ? pieces[check_random(&seed) % sizeof pieces] : (char)check_random(&seed);
		struct inquiry *q = inquiry();
		q->request.helo = q->request.recipient = span_make(bytes, n);
		q->request.has_recipient = n > 0;
		there_and_back(q, &e);
		assert_true(span_eq(e.request.helo, span_make(bytes, n)));
		assert_true(span_eq(e.request.recipient, span_make(bytes, n)));
	}
}

/* The longest request that the policy protocol lets through fits. */
static void test_longest(void **state)
{
	static char bytes[REQUEST_ADDRESS_MAX];
	static struct entry e;
	struct inquiry *q = inquiry();

	(void)state;
	memset(bytes, 1, sizeof bytes);
	for (unsigned i = 1; i < entry_attribute_count; i++)
		*(struct span *)((char *)&q->request + entry_attributes[i].offset) = span_make(bytes, entry_attributes[i].most);
	q->request.sasl_username = q->request.encryption_protocol = span_make(bytes, REQUEST_WORD_MAX);
	q->request.sender = q->request.recipient = span_make(bytes, sizeof bytes);
	q->request.has_sender = q->request.has_recipient = true;
	for (unsigned slot = 0; slot < KEY_SLOTS; slot++) {
		q->facts.have |= fact_stored((enum key_slot)slot);
		q->facts.records[slot].found = true;
	}
	there_and_back(q, &e);
	for (unsigned slot = 0; slot < KEY_SLOTS; slot++)
		assert_true(e.recalled.records[slot].found);
	assert_int_equal(e.request.recipient.n, sizeof bytes);
}

static void test_copies(void **state)
{
	static struct entry e, back;
	char problem[200];

	(void)state;
	assert_true(read_line(&e, HEAD ",\"sender\":\"a@example.org\",\"name\":\"mx.example.org\",\"answers\":[[\"dnsbl\",\"z\",true]]}", problem));
	struct entry_copy *c = entry_copy(&e);
	assert_non_null(c);
	memset(&e, 0x55, sizeof e);
	entry_restore(&back, c);
	free(c);
	assert_span(back.request.sender, "a@example.org");
	assert_span(back.request.client_name, "mx.example.org");
	assert_span(back.answers[0].text, "z");
	assert_int_equal(back.at, 1795255200);
}

/* --- Privacy ------------------------------------------------------------------------------- */

static struct span hidden(struct buf *out, enum privacy_mode mode, unsigned char key, const char *address)
{
	struct privacy p = { .mode = mode, .key = { key } };

	buf_clear(out);
	privacy_address(&p, out, span_of(address), span_of("b@example.net"), true);
	return buf_span(out);
}

static void test_privacy(void **state)
{
	char one[200], two[200];
	struct buf a = BUF_ON(one), b = BUF_ON(two);

	(void)state;
	assert_span(hidden(&a, PRIVACY_NONE, 1, "Anna@example.org"), "Anna@example.org");
	assert_span(hidden(&a, PRIVACY_LOCAL_PARTS, 1, ""), "");
	assert_true(span_ends(hidden(&a, PRIVACY_LOCAL_PARTS, 1, "anna@example.org"), span_of("@example.org")));
	assert_true(span_find(buf_span(&a), 'a') == 32 + 3);
	assert_true(span_eq(buf_span(&a), hidden(&b, PRIVACY_LOCAL_PARTS, 1, "ANNA+x@example.org")));
	assert_false(span_eq(buf_span(&a), hidden(&b, PRIVACY_LOCAL_PARTS, 1, "otto@example.org")));
	assert_false(span_eq(buf_span(&a), hidden(&b, PRIVACY_LOCAL_PARTS, 2, "anna@example.org")));
	/* What stands for an address is not changed by a normaliser, and not by hashing it once more. */
	assert_true(span_ends(hidden(&a, PRIVACY_CLIENT, 1, "anna@example.org"), span_of("@address.invalid")));
	assert_false(span_eq(buf_span(&a), hidden(&b, PRIVACY_CLIENT, 1, "anna@example.com")));
}

static void test_keys(void **state)
{
	char folder[] = "/tmp/greylag-key-XXXXXX", path[64], problem[200];
	struct buf why = BUF_ON(problem);
	struct privacy a = { 0 }, b = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/key", folder);
	assert_int_equal(privacy_key(&a, path, &why), 0);
	assert_int_equal(privacy_key(&b, path, &why), 0);
	assert_memory_equal(a.key, b.key, sizeof a.key);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0 && write(fd, "short", 5) == 5);
	close(fd);
	assert_int_equal(privacy_key(&b, path, &why), -1);
	unlink(path);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(privacy_key(&b, path, &why), -1);
	unlink(path);
	rmdir(folder);
	assert_int_equal(privacy_key(&b, path, &why), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading), cmocka_unit_test(test_broken_lines), cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_copies), cmocka_unit_test(test_privacy), cmocka_unit_test(test_keys),
	};
	int failures = cmocka_run_group_tests(tests, NULL, NULL);

	config_free(&snapshot.config);
	return failures;
}
