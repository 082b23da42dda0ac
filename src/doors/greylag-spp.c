/* greylag-spp(8): a plugin of qmail-spp for its sections [rcpt] and [data]. One
 * process a command; what it prints on standard output is what qmail-smtpd does. */
#include <unistd.h>

#include "client/ask.h"
#include "client/question.h"
#include "doors/options.h"
#include "doors/tcpenv.h"

static bool names_confirmed;

static int set_confirmed(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	names_confirmed = true;
	return 0;
}

static const struct door_option own[] = {
	{ TCPENV_CONFIRMED_NAMES, set_confirmed },
	{ 0 },
};

/* Clients that may relay, authenticated ones, and those that tcp.smtp exempts. At
 * [rcpt] qmail-spp also asks about recipients that qmail-smtpd will refuse. */
static bool is_exempt(void)
{
	static const struct span no = SPAN("0");

	return tcpenv_exempt() || tcpenv("SMTPAUTHUSER").n || span_eq(tcpenv("SMTPRCPTHOSTSOK"), no);
}

static void write_question(struct buf *b, const char *stage)
{
	char text[200];
	struct buf instance = BUF_ON(text);

	/* Mail of one sender in one session is one transaction. */
	tcpenv_instance(&instance);
	question_begin(b, stage);
	question_add(b, "instance", buf_span(&instance));
	tcpenv_add(b, names_confirmed);
	question_add(b, "helo_name", tcpenv("SMTPHELOHOST"));
	question_address(b, "sender", tcpenv("SMTPMAILFROM"));
	if (strcmp(stage, "RCPT") == 0)
		question_address(b, "recipient", tcpenv("SMTPRCPTTO"));
	question_end(b);
}

/* qmail-spp cuts the last byte of an output that does not end with a line feed. */
static void print_line(const char *command, struct span text)
{
	printf("%s%.*s\n", command, SPAN_ARG(text));
}

static void print_answer(const struct answer *a, const struct door_options *o)
{
	char text[600];
	struct buf reply = BUF_ON(text);

	switch (a->kind) {
	case ANSWER_PASS: break;
	case ANSWER_HEADER: print_line("H", span_of(a->text)); break;
	case ANSWER_DEFER: answer_reply(&reply, a, o->code, o->enhanced); print_line("E", buf_span(&reply)); break;
	case ANSWER_REJECT: answer_reply(&reply, a, "553", "5.7.1"); print_line("E", buf_span(&reply)); break;
	}
}

int main(int argc, char **argv)
{
	struct door_options options;
	char text[200];
	struct buf why = BUF_ON(text), question = buf_heap(QUESTION_MAX);
	struct asker asker;
	struct answer answer;

	int first = door_options(argc, argv, "rcpt|data", own, &options);
	bool data = first < argc && strcmp(argv[first], "data") == 0;
	if (argc - first != 1 || (!data && strcmp(argv[first], "rcpt") != 0)) {
		fprintf(stderr, "greylag-spp: the section it stands in is needed, rcpt or data\n");
		return 64;
	}
	if (is_exempt())
		return 0;
	write_question(&question, data ? "DATA" : "RCPT");
	asker_init(&asker, &options.endpoint, options.deadline_ms, options.defer);
	if (question.over)
		answer_failed(&answer, options.defer);
	else if (!asker_ask(&asker, buf_span(&question), &answer, &why))
		fprintf(stderr, "greylag-spp: %s; mail is %s\n", text, options.defer ? "deferred" : "passed");
	asker_close(&asker);
	buf_free(&question);
	print_answer(&answer, &options);
	return fflush(stdout) == 0 ? 0 : 75;
}
