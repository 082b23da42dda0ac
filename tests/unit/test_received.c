#include "check.h"

#include "learn/mailbox.h"
#include "learn/received.h"

static const char *address_of(const struct netaddr *a)
{
	static char text[NETADDR_TEXT + 1];
	struct buf b = BUF_ON(text);

	if (a->family)
		netaddr_add(&b, a);
	return buf_str(&b);
}

/* What the servers write, by their manuals and sources or as they wrote it in our tests. */
static void forms(void **state)
{
	static const struct {
		const char *body, *client, *name;
		bool inside, authenticated;
	} rows[] = {
		/* Postfix */
		{ " from helo.example (mx.sender.example [192.0.2.77])\r\n\tby mx.test (Postfix) with ESMTPS id 4F; Sat, 21 Nov 2026",
		  "192.0.2.77", "mx.sender.example", false, false },
		{ " from helo.example (unknown [192.0.2.78])\n\tby mx.test (Postfix) with ESMTP id 4F; x", "192.0.2.78", "", false, false },
		{ " from h.example (m.example [IPv6:2001:db8::7])\n by mx.test (Postfix) with ESMTP; x", "2001:db8::7", "m.example", false, false },
		{ " from [10.9.8.7] (m.example [192.0.2.1])\n\t(using TLSv1.3 with cipher X (256/256 bits)\n\t key-exchange Y)\n\t"
		  "(No client certificate requested)\n\t(Authenticated sender: me)\n\tby mx.test (Postfix) with ESMTPSA id 1; x",
		  "192.0.2.1", "m.example", false, true },
		{ " by mx.test (Postfix, from userid 0)\n\tid 4F; x", "", "", true, false },
		{ " from h (m.example [192.0.2.1]:4242) by mx.test (Postfix) with SMTP; x", "192.0.2.1", "m.example", false, false },
		/* Sendmail */
		{ " from helo.example (mx.sender.example [192.0.2.1])\n\tby mx.test (8.17.1/8.17.1) with ESMTP id 6A; x",
		  "192.0.2.1", "mx.sender.example", false, false },
		{ " from helo.example (dial.example [192.0.2.1] (may be forged))\n\tby mx.test (8.17.1/8.17.1/Debian-2) with SMTP id 6A; x",
		  "192.0.2.1", "", false, false },
		{ " from helo.example ([192.0.2.1])\n\tby mx.test (8.17.1/8.17.1) with ESMTP id 6A; x", "192.0.2.1", "", false, false },
		{ " from h.example (IDENT:joe@m.example [192.0.2.1]) (authenticated bits=0)\n\tby mx.test (8.17.1/8.17.1) with ESMTP; x",
		  "192.0.2.1", "m.example", false, true },
		{ " (from root@localhost)\n\tby mx.test (8.17.1/8.17.1/Submit) id 6A; x", "", "", true, false },
		/* Exim */
		{ " from mx.sender.example ([192.0.2.1] helo=h.example)\n\tby mx.test with esmtps (Exim 4.96)\n\t(envelope-from <a@b>) id 1; x",
		  "192.0.2.1", "mx.sender.example", false, false },
		{ " from mx.sender.example ([192.0.2.1]:4242)\n\tby mx.test with esmtp (Exim 4.96)\n\tid 1; x", "192.0.2.1", "mx.sender.example", false, false },
		{ " from [192.0.2.1] (helo=h.example)\n\tby mx.test with esmtp (Exim 4.96); x", "192.0.2.1", "", false, false },
		{ " from [192.0.2.1] (port=4242 helo=[10.1.1.1])\n\tby mx.test with esmtp (Exim 4.96); x", "192.0.2.1", "", false, false },
		{ " from [2001:db8::5] (helo=x@10.1.1.1) by mx.test with esmtpsa (Exim 4.96); x", "2001:db8::5", "", false, true },
		{ " from mail by mx.test with local (Exim 4.96)\n\tid 1; x", "", "", true, false },
		/* qmail: the name is not confirmed */
		{ " from unknown (HELO h.example) (192.0.2.1)\n  by mx.test with SMTP; x", "192.0.2.1", "", false, false },
		{ " from m.example (HELO [10.1.1.1]) (joe@192.0.2.1)\n  by mx.test with SMTP; x", "192.0.2.1", "", false, false },
		{ " from m.example (192.0.2.1)\n  by mx.test with SMTP; x", "192.0.2.1", "", false, false },
		{ " (qmail 123 invoked from network); x", "", "", true, false },
		{ " (qmail 123 invoked by uid 89); x", "", "", true, false },
		/* OpenSMTPD: the same, its name is the reverse name only */
		{ " from h.example (m.example [192.0.2.1])\n\tby mx.test (OpenSMTPD) with ESMTP id 0f for <x@y>;\n\tx", "192.0.2.1", "", false, false },
		/* Exchange, Gmail */
		{ " from h.example (192.0.2.1) by SRV.test\n (10.0.0.1) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20;\n x",
		  "192.0.2.1", "", false, false },
		{ " from h.example (2603:10a6:20b:7f::9) by SRV.test (2603:10a6::1) with Microsoft SMTP Server id 15; x",
		  "2603:10a6:20b:7f::9", "", false, false },
		{ " from h.example (h.example. [192.0.2.1])\n        by mx.google.com with ESMTPS id x\n        for <a@b>\n        (version=TLS1_3); x",
		  "192.0.2.1", "", false, false },
		/* Dovecot's LMTP, fetchmail */
		{ " from mx.test\n\tby mx.test with LMTP\n\tid aB\n\t(envelope-from <a@b>)\n\tfor <c>; x", "", "", true, false },
		{ " from pop.example [192.0.2.9]\n\tby here.test with POP3 (fetchmail-6.4.37)\n\tfor <me@localhost> (single-drop); x", "", "", true, false },
		/* Odd ones */
		{ "", "", "", false, false }, { ";", "", "", false, false }, { " from", "", "", false, false },
		{ " from by (unknown [192.0.2.1]) by mx.test (Postfix) with SMTP; x", "192.0.2.1", "", false, false },
		{ " from h (((((", "", "", false, false }, { " from h ([192.0.2.1", "", "", false, false },
		{ " from h (a b [999.1.1.1]) by mx.test (Postfix)", "", "", false, false },
		{ " from h (\xff\xfe.example [192.0.2.1]) by mx.test (Postfix); x", "192.0.2.1", "", false, false },
		{ " from h (x\\) [192.0.2.6]) by mx.test (Postfix); x", "192.0.2.6", "", false, false },
		{ " from h (m.example [192.0.2.1]) by y [192.0.2.2] (Postfix) (x [192.0.2.3]); x", "192.0.2.1", "m.example", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct received_hop hop = received_parse(span_of(rows[i].body));
		if (strcmp(address_of(&hop.client), rows[i].client) != 0 || !span_eq(hop.name, span_of(rows[i].name)) ||
		    hop.inside != rows[i].inside || hop.authenticated != rows[i].authenticated)
			fail_msg("%s: %s \"%.*s\" inside %d authenticated %d", rows[i].body, address_of(&hop.client),
				 SPAN_ARG(hop.name), hop.inside, hop.authenticated);
	}
}

#define LOCAL "Received: from localhost (localhost [127.0.0.1])\n\tby mx.test (Postfix) with ESMTP id 3; x\n"
#define SCANNER "received :\n from scan.test (scan.test [10.1.2.3])\n\tby mx.test (Postfix) with ESMTP id 2; x\n"
#define DELIVERED "Received: from mx.test by mx.test with LMTP id 4; x\n"
#define OUTSIDE "Received: from h.example (mx.sender.example [192.0.2.77])\r\n\tby mx.test (Postfix) with ESMTP id 1; x\r\n"
#define FORGED "Received: from h.example (victim.example [198.51.100.1]) by mx.test (Postfix) with ESMTP id 0; x\n"
#define NAMELESS "Received: from h.example by other.test with ESMTP id 1; x\n"
#define USER "Received: from pc (dial.example [203.0.113.7]) by mx.test (Postfix) with ESMTPSA id 1; x\n"

static void relays(void **state)
{
	static const struct {
		const char *header;
		enum received_relay result;
		const char *client;
	} rows[] = {
		{ OUTSIDE FORGED "Subject: x\n", RECEIVED_FOUND, "192.0.2.77" },
		{ DELIVERED LOCAL SCANNER OUTSIDE FORGED, RECEIVED_FOUND, "192.0.2.77" },
		{ "Return-Path: <a@b>\nX: from x\n\ty\n" LOCAL "Subject: Received: from x\n" OUTSIDE, RECEIVED_FOUND, "192.0.2.77" },
		{ LOCAL SCANNER, RECEIVED_NONE, "" }, { "", RECEIVED_NONE, "" }, { "\n\n\n", RECEIVED_NONE, "" },
		{ "Subject: no hop\n", RECEIVED_NONE, "" }, { "no colon at all", RECEIVED_NONE, "" },
		{ LOCAL NAMELESS FORGED, RECEIVED_UNCLEAR, "" }, { USER FORGED, RECEIVED_USER, "" },
		{ LOCAL "Received:\n" FORGED, RECEIVED_UNCLEAR, "" },
	};
	struct netprefix list[1];
	struct prefixes trusted = { list, 1 };
	struct received_hop hop;

	(void)state;
	assert_true(netprefix_parse(span_of("10.0.0.0/8"), &list[0]));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(received_relay(span_of(rows[i].header), &trusted, &hop), rows[i].result);
		if (rows[i].result == RECEIVED_FOUND)
			assert_string_equal(address_of(&hop.client), rows[i].client);
	}
	trusted.count = 0;
	assert_int_equal(received_relay(span_of(LOCAL SCANNER OUTSIDE), &trusted, &hop), RECEIVED_FOUND);
	assert_string_equal(address_of(&hop.client), "10.1.2.3");
}

/* A header cut anywhere, or with bytes of any value, is read without harm. */
static void damaged(void **state)
{
	static const char whole[] = DELIVERED LOCAL SCANNER OUTSIDE FORGED;
	char text[sizeof whole];
	struct prefixes trusted = { NULL, 0 };
	struct received_hop hop;
	uint64_t seed = 7;

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++)
		received_relay(span_make(whole, n), &trusted, &hop);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(text, whole, sizeof whole);
		for (unsigned k = check_random(&seed) % 6; k > 0; k--)
			text[check_random(&seed) % sizeof whole] = (char)check_random(&seed);
		received_relay(span_make(text, sizeof text), &trusted, &hop);
	}
}

/* --- Files --------------------------------------------------------------------------- */

struct counted {
	struct mailbox_reader reader;
	unsigned messages, troubles;
	size_t longest;
	char subjects[200];
};

static void count_message(struct mailbox_reader *r, struct span header)
{
	struct counted *c = (struct counted *)r;
	struct buf out = BUF_ON(c->subjects);
	struct span line;

	c->messages++;
	c->longest = header.n > c->longest ? header.n : c->longest;
	out.n = strlen(c->subjects);
	while (span_cut(&header, '\n', &line))
		if (span_starts(line, span_of("Subject: "))) {
			buf_addspan(&out, span_from(line, 9));
			buf_addc(&out, ' ');
		}
}

static void count_trouble(struct mailbox_reader *r, const char *path, const char *why)
{
	(void)path;
	(void)why;
	((struct counted *)r)->troubles++;
}

static struct counted read_text(const char *text, size_t n)
{
	struct counted c = { .reader = { .message = count_message, .trouble = count_trouble } };
	char path[] = "/tmp/greylag-mailbox-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "w");
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
	mailbox_read(&c.reader, path);
	remove(path);
	return c;
}

static void mailboxes(void **state)
{
	static const struct {
		const char *text;
		unsigned messages;
		const char *subjects;
	} rows[] = {
		{ "", 0, "" }, { "\n", 0, "" }, { "\n\nSubject: late\n\nbody\n", 1, "late " },
		{ "Subject: one\r\n\r\nSubject: body\r\n\r\nFrom here on it is body\r\n", 1, "one " },
		{ "Subject: no end", 1, "no end " },
		{ "From a@b Sat Nov 21\nSubject: one\n\nbody\n>From x\n\nFrom c@d Sat Nov 21\nSubject: two\n\nbody\n", 2, "one two " },
		{ "From a@b Sat Nov 21\n>From x y\nSubject: one\n\nbody\nFrom here it is body\nSubject: body\n", 1, "one " },
		{ "From a\nSubject: one\n\nFrom b\nSubject: two\n\n\nFrom c\n", 3, "one two " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct counted c = read_text(rows[i].text, strlen(rows[i].text));
		assert_int_equal(c.messages, rows[i].messages);
		assert_string_equal(c.subjects, rows[i].subjects);
		assert_int_equal(c.troubles, 0);
	}
	struct counted nul = read_text("Subject: a\0b\nX: \0\n\n\0", 21);
	assert_int_equal(nul.messages, 1);
}

/* A header without end is cut, and so is a line. */
static void overlong(void **state)
{
	size_t n = RECEIVED_HEADER_MAX * 3;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = i % 64 == 63 ? '\n' : 'x';
	struct counted c = read_text(text, n);
	assert_int_equal(c.messages, 1);
	assert_true(c.longest <= RECEIVED_HEADER_MAX);
	memset(text, 'y', n);
	c = read_text(text, n);
	assert_int_equal(c.messages, 1);
	assert_true(c.longest < 20000);
	/* Half a gzip file. */
	c = read_text("\x1f\x8b\x08\0\0\0\0\0\0\x03+.M", 13);
	assert_int_equal(c.troubles, 1);
	free(text);
}

static void missing(void **state)
{
	struct counted c = { .reader = { .message = count_message, .trouble = count_trouble } };

	(void)state;
	mailbox_read(&c.reader, "/no/such/file");
	assert_int_equal(c.troubles, 1);
	assert_int_equal(mailbox_size("/no/such/file"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms), cmocka_unit_test(relays), cmocka_unit_test(damaged),
		cmocka_unit_test(mailboxes), cmocka_unit_test(overlong), cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
