/* The relay of greylag-qmail: the same dialogue in pieces of every size. */
#include "check.h"

#include "doors/smtprelay.h"

struct play {
	const char *client, *server;	/* what each says, at once */
	const char *answers;		/* one letter a question: pass, header, defer, reject */
	const char *to_server, *to_client;
	const char *asked;		/* "RCPT helo sender recipient;" for each question */
};

static void answer(struct smtprelay *r, const char **answers, struct buf *asked)
{
	static const char letters[] = "phdr";
	struct smtprelay_question q;
	struct answer a = { .text = "X: y" };

	if (!smtprelay_asks(r, &q))
		return;
	assert_true(**answers);
	a.kind = (enum answer_kind)(strchr(letters, *(*answers)++) - letters);
	buf_addf(asked, "%s %.*s %.*s %.*s;", q.stage, SPAN_ARG(q.helo), SPAN_ARG(q.sender), SPAN_ARG(q.recipient));
	smtprelay_answered(r, &a);
}

static void collect(struct buf *from, struct buf *to)
{
	buf_addspan(to, buf_span(from));
	buf_clear(from);
}

static void run_pieces(const struct play *p, size_t piece)
{
	static struct smtprelay r;
	static char server_bytes[20000], client_bytes[20000], asked_bytes[2000];
	struct buf to_server = BUF_ON(server_bytes), to_client = BUF_ON(client_bytes), asked = BUF_ON(asked_bytes);
	struct door_options options = { .code = "451", .enhanced = "4.7.1" };
	struct span client = span_of(p->client), server = span_of(p->server);
	const char *answers = p->answers;
	size_t n = 1, m = 1;

	smtprelay_init(&r, &options, true);
	while (n || m) {
		n = smtprelay_from_client(&r, span_head(client, piece));
		client = span_from(client, n);
		answer(&r, &answers, &asked);
		/* The server speaks when it has been spoken to. */
		size_t line = span_find(server, '\n') + 1, most = piece < line ? piece : line;
		m = r.mode == RELAY_REPLY || n == 0 ? smtprelay_from_server(&r, span_head(server, most)) : 0;
		server = span_from(server, m);
		collect(&r.to_server, &to_server);
		collect(&r.to_client, &to_client);
	}
	assert_int_equal(client.n + server.n, 0);
	smtprelay_client_ended(&r);
	collect(&r.to_server, &to_server);
	assert_string_equal(buf_str(&to_server), p->to_server);
	assert_string_equal(buf_str(&to_client), p->to_client);
	assert_string_equal(buf_str(&asked), p->asked);
	assert_string_equal(answers, "");
}

static void run_play(const struct play *p)
{
	for (size_t piece = 1; piece <= strlen(p->client) + 1; piece++)
		run_pieces(p, piece);
}

#define HEAD "EHLO me\r\n"
#define GREETING "220 mx\r\n250-mx\r\n250 PIPELINING\r\n"
#define MAIL "MAIL FROM:<a@b> SIZE=1\r\n"
#define OK "250 ok\r\n"

static void test_passed(void **state)
{
	(void)state;
	run_play(&(struct play){ HEAD MAIL "RCPT TO:<c@d>\r\nDATA\r\n.\n..\r\n.x\r\ny\n.\r\n.\r.\r\n.\r\r\n\r\n.\r\nQUIT\r\nx",
				 GREETING OK OK "354 go\r\n" OK "221 bye\r\n", "p",
				 HEAD MAIL "RCPT TO:<c@d>\r\nDATA\r\n.\n..\r\n.x\r\ny\n.\r\n.\r.\r\n.\r\r\n\r\n.\r\nQUIT\r\nx",
				 GREETING OK OK "354 go\r\n" OK "221 bye\r\n", "RCPT me a@b c@d;" });
}

static void test_refused(void **state)
{
	(void)state;
	run_play(&(struct play){ HEAD MAIL "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nRCPT TO:<g@h>\nNOOP\r\n", GREETING OK OK OK,
				 "dpr", HEAD MAIL "RCPT TO:<e@f>\r\nNOOP\r\n",
				 GREETING OK "451 4.7.1 X: y\r\n" OK "553 5.7.1 X: y\r\n" OK,
				 "RCPT me a@b c@d;RCPT me a@b e@f;RCPT me a@b g@h;" });
}

static void test_header_once_and_only_for_taken(void **state)
{
	(void)state;
	run_play(&(struct play){ HEAD MAIL "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nRCPT TO:<g@h>\r\nDATA\r\nx\r\n.\r\n" MAIL
				 "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nx\r\n.\r\n",
				 GREETING OK OK OK OK "354 go\r\n" OK OK "550 no\r\n" OK "354 go\r\n" OK, "hhphp",
				 HEAD MAIL "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nRCPT TO:<g@h>\r\nDATA\r\nX: y\r\nx\r\n.\r\n" MAIL
				 "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nx\r\n.\r\n",
				 GREETING OK OK OK OK "354 go\r\n" OK OK "550 no\r\n" OK "354 go\r\n" OK,
				 "RCPT me a@b c@d;RCPT me a@b e@f;RCPT me a@b g@h;RCPT me a@b c@d;RCPT me a@b e@f;" });
}

static void test_null_sender(void **state)
{
	(void)state;
	run_play(&(struct play){ HEAD "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nDATA\r\nx\r\n.\r\n",
				 GREETING OK OK "354 go\r\n" OK, "pdh",
				 HEAD "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nX: y\r\nx\r\n.\r\n",
				 GREETING OK OK "451 4.7.1 X: y\r\n354 go\r\n" OK, "RCPT me  c@d;DATA me  ;DATA me  ;" });
	run_play(&(struct play){ HEAD "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nDATA\r\n.\r\nRCPT TO:<c@d>\r\nDATA\r\n",
				 GREETING OK OK "452 no\r\n354 go\r\n" OK "503 no\r\n503 no\r\n", "pp",
				 HEAD "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\nDATA\r\n.\r\nRCPT TO:<c@d>\r\nDATA\r\n",
				 GREETING OK OK "452 no\r\n354 go\r\n" OK "503 no\r\n503 no\r\n",
				 "RCPT me  c@d;DATA me  ;" });
}

static void test_not_in_a_transaction(void **state)
{
	(void)state;
	run_play(&(struct play){ "RCPT TO:<c@d>\r\n" MAIL "RSET\r\nRCPT TO:<c@d>\r\n" MAIL "RCPT TO:<c@d>\r\n",
				 "220 mx\r\n503 no\r\n" OK OK "503 no\r\n500 no\r\n503 no\r\n", "",
				 "RCPT TO:<c@d>\r\n" MAIL "RSET\r\nRCPT TO:<c@d>\r\n" MAIL "RCPT TO:<c@d>\r\n",
				 "220 mx\r\n503 no\r\n" OK OK "503 no\r\n500 no\r\n503 no\r\n", "" });
}

static void test_addresses(void **state)
{
	static const struct {
		const char *said, *meant;
	} rows[] = {
		{ "TO:<c@d>", "c@d" }, { "TO: <c@d> X=<y>", "c@d" }, { "TO:c@d X", "c@d" }, { "TO:<@r,@s:c@d>", "c@d" },
		{ "TO:<\"a>b\"@d>", "\"a>b\"@d" }, { "TO:<a\\>b@d>", "a\\>b@d" }, { "TO:<c@d", "c@d" }, { "", "" }, { "TO", "" },
		{ "<>", "" }, { "TO:", "" }, { "TO:<\"", "\"" }, { "TO:<\\", "\\" },
	};
	char text[200], asked[200];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, HEAD MAIL "RCPT %s\r\n", rows[i].said);
		snprintf(asked, sizeof asked, "RCPT me a@b %s;", rows[i].meant);
		run_play(&(struct play){ text, GREETING OK OK, "p", text, GREETING OK OK, asked });
	}
}

static void test_aside(void **state)
{
	(void)state;
	run_play(&(struct play){ HEAD MAIL "STARTTLS\r\nRCPT TO:<c@d>\r\n", GREETING OK "220 go\r\n\001\002", "",
				 HEAD MAIL "STARTTLS\r\nRCPT TO:<c@d>\r\n", GREETING OK "220 go\r\n\001\002", "" });
	run_play(&(struct play){ HEAD MAIL "AUTH LOGIN\r\nRCPT\r\nDATA\r\nRCPT TO:<c@d>\r\n",
				 GREETING OK "334 a\r\n334 b\r\n235 ok\r\n", "",
				 HEAD MAIL "AUTH LOGIN\r\nRCPT\r\nDATA\r\nRCPT TO:<c@d>\r\n",
				 GREETING OK "334 a\r\n334 b\r\n235 ok\r\n", "" });
	run_play(&(struct play){ HEAD MAIL "STARTTLS\r\nRCPT TO:<c@d>\r\n", GREETING OK "454 no\r\n", "d",
				 HEAD MAIL "STARTTLS\r\n", GREETING OK "454 no\r\n451 4.7.1 X: y\r\n", "RCPT me a@b c@d;" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_header_once_and_only_for_taken), cmocka_unit_test(test_null_sender),
		cmocka_unit_test(test_not_in_a_transaction), cmocka_unit_test(test_addresses), cmocka_unit_test(test_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
