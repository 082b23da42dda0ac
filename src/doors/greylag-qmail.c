/* greylag-qmail(8): stands between tcpserver and qmail-smtpd, one process a session. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/value.h"
#include "client/ask.h"
#include "client/question.h"
#include "doors/options.h"
#include "doors/relayrun.h"
#include "doors/smtprefuse.h"
#include "doors/tcpenv.h"

#define CANNOT 111		/* what the tools of ucspi-tcp end with */
#define GREET_DELAY_MOST_MS (240 * 1000)	/* RFC 5321 section 4.5.3.2.1: a client waits 5 minutes */

static struct door_options options;
static bool by_client, names_confirmed, without_header, early_talkers_pass, stderr_is_client;
static unsigned greet_delay_ms;

static int set_by_client(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	by_client = true;
	return 0;
}

static int set_confirmed(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	names_confirmed = true;
	return 0;
}

static int set_without_header(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	without_header = true;
	return 0;
}

static int set_greet_delay(const char *value, struct buf *why)
{
	uint64_t ms, seconds;

	if (span_uint(span_of(value), GREET_DELAY_MOST_MS, &seconds))
		ms = seconds * 1000;
	else if (value_duration_ms(span_of(value), &ms, why) != 0)
		return -1;
	if (ms > GREET_DELAY_MOST_MS)
		return buf_fail(why, "must be at most 4m");
	greet_delay_ms = (unsigned)ms;
	return 0;
}

static int set_early_talker(const char *value, struct buf *why)
{
	early_talkers_pass = strcmp(value, "pass") == 0;
	return early_talkers_pass || strcmp(value, "refuse") == 0 ? 0 : buf_fail(why, "pass or refuse is meant?");
}

static const struct door_option own[] = {
	{ "by-client", NULL, "judge the client alone, before the server is started", set_by_client },
	{ TCPENV_CONFIRMED_NAMES, set_confirmed },
	{ "greet-delay", "TIME", "keep the client waiting for the greeting", set_greet_delay },
	{ "early-talker", "refuse|pass", "what if it does not wait (default refuse)", set_early_talker },
	{ "no-header", NULL, "do not put X-Greylist into a message that was delayed", set_without_header },
	{ 0 },
};

/* inetd gives the client standard error, too: then it goes to the system's log. */
static void find_stderr(void)
{
	struct stat in, err;

	stderr_is_client = fstat(0, &in) == 0 && fstat(2, &err) == 0 && in.st_dev == err.st_dev &&
			   in.st_ino == err.st_ino;
}

static void complain(const char *what, struct span about)
{
	char text[300];
	struct buf line = BUF_ON(text);

	buf_adds(&line, what);
	buf_addsafe(&line, about, 150);
	if (stderr_is_client)
		syslog(LOG_MAIL | LOG_WARNING, "greylag-qmail: %s", buf_str(&line));
	else
		fprintf(stderr, "greylag-qmail: %s\n", buf_str(&line));
}

/* --- questions -------------------------------------------------------------------- */

static void add_session(struct buf *b, unsigned transaction)
{
	char text[200];
	struct buf instance = BUF_ON(text);

	tcpenv_instance(&instance);
	buf_addf(&instance, ".%ld.%u", (long)getpid(), transaction);
	question_add(b, "instance", buf_span(&instance));
	tcpenv_add(b, names_confirmed);
}

static void ask(struct asker *asker, const struct buf *question, struct answer *a)
{
	char text[200];
	struct buf why = BUF_ON(text);

	if (question->over)
		answer_failed(a, options.defer);
	else if (!asker_ask(asker, buf_span(question), a, &why))
		complain(options.defer ? "mail is deferred: " : "mail is passed: ", buf_span(&why));
}

static void answer_relay(struct smtprelay *relay, void *arg)
{
	struct buf b = buf_heap(QUESTION_MAX);
	struct smtprelay_question q;
	struct answer a;

	if (!smtprelay_asks(relay, &q))
		return;
	question_begin(&b, q.stage);
	add_session(&b, q.transaction);
	question_add(&b, "helo_name", q.helo);
	question_address(&b, "sender", q.sender);
	if (strcmp(q.stage, "RCPT") == 0)
		question_address(&b, "recipient", q.recipient);
	question_end(&b);
	ask(arg, &b, &a);
	buf_free(&b);
	smtprelay_answered(relay, &a);
}

/* Two constants in place of the addresses leave the client as what is remembered. */
static void ask_by_client(struct answer *a)
{
	static const struct span nobody = SPAN("greylag-by-client");
	struct buf b = buf_heap(QUESTION_MAX);
	struct asker asker;

	asker_init(&asker, &options.endpoint, options.deadline_ms, options.defer);
	question_begin(&b, "RCPT");
	add_session(&b, 0);
	question_add(&b, "sender", nobody);
	question_add(&b, "recipient", nobody);
	question_end(&b);
	ask(&asker, &b, a);
	buf_free(&b);
	asker_close(&asker);
}

/* A client that does not wait for the greeting loses what standing it has. */
static void report_misbehaviour(void)
{
	struct buf b = buf_heap(QUESTION_MAX);
	struct asker asker;
	struct answer a;

	asker_init(&asker, &options.endpoint, options.deadline_ms, options.defer);
	question_begin(&b, "CONNECT");
	question_add(&b, "greylag_report", span_of("misbehaved"));
	add_session(&b, 0);
	question_end(&b);
	ask(&asker, &b, &a);
	buf_free(&b);
	asker_close(&asker);
}

/* --- the ways a session can go ---------------------------------------------------- */

static int straight(char **server)
{
	execvp(server[0], server);
	complain("cannot execute ", span_of(server[0]));
	return CANNOT;
}

/* tcpserver reports a signal as a signal. */
static int end_like(int status)
{
	struct rlimit no_core = { 0, 0 };

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return CANNOT;
}

static int relayed(char **server)
{
	static struct smtprelay relay;
	struct asker asker;
	char text[200];
	struct buf why = BUF_ON(text);
	int status = 0;
	struct relay_job job = { .relay = &relay, .argv = server, .become = straight, .answer = answer_relay,
				 .arg = &asker };

	asker_init(&asker, &options.endpoint, options.deadline_ms, options.defer);
	smtprelay_init(&relay, &options, !without_header);
	if (relay_run(&job, &status, &why) != 0) {
		complain("", buf_span(&why));
		return CANNOT;
	}
	asker_close(&asker);
	return end_like(status);
}

static int judged_by_client(char **server)
{
	char line[600], name[300];
	struct buf reply = BUF_ON(line), host = BUF_ON(name);
	bool named = tcpenv("TCPLOCALHOST").n > 0;
	struct answer a;

	ask_by_client(&a);
	switch (a.kind) {
	case ANSWER_PASS:
	case ANSWER_HEADER: return straight(server);
	case ANSWER_DEFER: answer_reply(&reply, &a, options.code, options.enhanced); break;
	case ANSWER_REJECT: answer_reply(&reply, &a, "553", "5.7.1"); break;
	}
	/* RFC 5321 section 4.1.3: a host that has no name gives its address. */
	buf_adds(&host, named ? "" : "[");
	buf_addsafe(&host, named ? tcpenv("TCPLOCALHOST") : tcpenv("TCPLOCALIP"), 255);
	buf_adds(&host, named ? "" : "]");
	smtprefuse_session(buf_span(&host), buf_span(&reply));
	return 0;
}

/* False when the session ends here. */
static bool waited_for_greeting(void)
{
	static const struct span refusal = SPAN("554 5.7.1 You talked before the greeting");

	if (greet_delay_ms == 0)
		return true;
	enum greet_wait manners = greet_wait(greet_delay_ms);
	if (manners == GREET_QUIET)
		return true;
	report_misbehaviour();
	if (manners == GREET_GONE)
		return false;
	complain(early_talkers_pass ? "early talker passed: " : "early talker refused: ", tcpenv("TCPREMOTEIP"));
	if (!early_talkers_pass)
		smtprefuse_line(refusal);
	return early_talkers_pass;
}

int main(int argc, char **argv)
{
	int first = door_options(argc, argv, "SERVER [ARGUMENT ...]", own, &options);
	char **server = argv + first;

	if (first >= argc) {
		fprintf(stderr, "greylag-qmail: the server is needed, such as /var/qmail/bin/qmail-smtpd\n");
		return 64;
	}
	find_stderr();
	if (tcpenv_exempt())
		return straight(server);
	if (tcpenv("TCPREMOTEIP").n == 0) {
		complain("TCPREMOTEIP is not set; mail is passed: ", span_of(server[0]));
		return straight(server);
	}
	if (!waited_for_greeting())
		return 0;
	return by_client ? judged_by_client(server) : relayed(server);
}
