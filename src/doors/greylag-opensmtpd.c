/* greylag-opensmtpd(8): a filter of OpenSMTPD's smtpd(8), smtpd-filters(7). When a
 * filter ends, smtpd ends with it: whatever happens to greylagd, to memory or to the
 * lines that come in, this program goes on until smtpd closes its standard input. */
#include <signal.h>

#include "base/log.h"
#include "base/netaddr.h"
#include "client/question.h"
#include "doors/options.h"
#include "doors/osmtpdio.h"
#include "doors/osmtpdsession.h"

#define CONNECTIONS 32
#define OS_ERROR_STATUS 71

struct door {
	struct door_options options;
	struct loop *loop;
	struct pool *pool;
	struct osmtpd_io io;
	struct sessions sessions;
	bool registered;
	bool crowded;			/* said that sessions are dropped */
};

static bool with_header;

static int set_header(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	with_header = true;
	return 0;
}

static const struct door_option own[] = {
	{ "header", NULL, "add X-Greylist; messages pass through the filter, see the manual", set_header },
	{ 0 },
};

/* --- Answers ------------------------------------------------------------------------ */

static void put_result(struct door *d, struct span session, struct span token, const struct answer *a)
{
	char text[600];
	struct buf reply = BUF_ON(text);

	switch (a->kind) {
	case ANSWER_PASS:
	case ANSWER_HEADER: buf_adds(&reply, "proceed"); break;
	case ANSWER_DEFER:
		buf_adds(&reply, "reject|");
		answer_reply(&reply, a, d->options.code, d->options.enhanced);
		break;
	case ANSWER_REJECT:
		buf_adds(&reply, "reject|");
		answer_reply(&reply, a, "550", "5.7.1");
		break;
	}
	osmtpd_io_put(&d->io, (const struct span[]){ span_of("filter-result"), session, token, buf_span(&reply) }, 4);
}

static void put_proceed(struct door *d, const struct osmtpd_line *line)
{
	put_result(d, line->session, line->token, &(struct answer){ .kind = ANSWER_PASS });
}

/* Nobody can be asked. */
static void put_failure(struct door *d, struct span session, struct span token)
{
	struct answer answer;

	answer_failed(&answer, d->options.defer);
	put_result(d, session, token, &answer);
}

static void on_answer(struct pool_ask *ask, const struct answer *answer)
{
	struct session *s = ask->arg;
	struct door *d = s->owner;

	s->asking = false;
	buf_free(&s->question);
	if (answer->kind == ANSWER_HEADER && with_header)
		session_set_header(&d->sessions, s, span_of(answer->text));
	put_result(d, buf_span(&s->id), buf_span(&s->token), answer);
}

/* --- Questions ---------------------------------------------------------------------- */

static void write_question(struct session *s, const char *stage, struct span recipient)
{
	char text[2 * OSMTPD_ID_MAX + 2];
	struct buf instance = BUF_ON(text), *b = &s->question;

	buf_addspan(&instance, buf_span(&s->id));
	buf_addc(&instance, '.');
	buf_addspan(&instance, buf_span(&s->message));
	question_begin(b, stage);
	question_add(b, "instance", buf_span(&instance));
	question_add(b, "client_address", buf_span(&s->client));
	question_add(b, "reverse_client_name", buf_span(&s->name));
	if (s->confirmed)
		question_add(b, "client_name", buf_span(&s->name));
	question_add(b, "server_address", buf_span(&s->server));
	question_add(b, "server_port", buf_span(&s->server_port));
	question_add(b, "helo_name", buf_span(&s->helo));
	question_tell(b, "encryption_protocol", buf_span(&s->tls));
	question_address(b, "sender", buf_span(&s->sender));
	if (recipient.n)
		question_address(b, "recipient", recipient);
	question_end(b);
}

/* Authenticated users, and what comes through smtpd's own socket. */
static bool is_exempt(const struct session *s)
{
	struct netaddr client;

	return s->authenticated || !netaddr_parse(buf_span(&s->client), &client);
}

static void ask(struct door *d, struct session *s, const struct osmtpd_line *line, const char *stage)
{
	s->question = buf_heap(QUESTION_MAX);
	write_question(s, stage, line->value);
	if (s->question.over) {
		buf_free(&s->question);
		put_failure(d, line->session, line->token);
		return;
	}
	buf_clear(&s->token);
	buf_addspan(&s->token, line->token);
	s->asking = true;
	s->ask = (struct pool_ask){ .question = buf_span(&s->question), .done = on_answer, .arg = s };
	pool_ask(d->pool, &s->ask);
}

static void on_recipient(struct door *d, const struct osmtpd_line *line)
{
	struct session *s = sessions_find(&d->sessions, line->session);

	if (s && is_exempt(s))
		put_proceed(d, line);
	else if (!s || s->asking || !s->has_sender)
		put_failure(d, line->session, line->token);
	else
		ask(d, s, line, "RCPT");
}

/* Callbacks and bounces are told apart only here: greylagd lets the recipients of the
 * null sender pass and judges when there is a message. */
static void on_data(struct door *d, const struct osmtpd_line *line)
{
	struct session *s = sessions_find(&d->sessions, line->session);

	if (!s || is_exempt(s) || s->asking || !s->has_sender || s->sender.n)
		put_proceed(d, line);
	else
		ask(d, s, line, "DATA");
}

static void on_message_line(struct door *d, const struct osmtpd_line *line)
{
	struct span fields[] = { span_of("filter-dataline"), line->session, line->token, line->value };
	struct session *s = d->sessions.headers ? sessions_find(&d->sessions, line->session) : NULL;

	if (s && s->header.n) {
		fields[3] = buf_span(&s->header);
		osmtpd_io_put(&d->io, fields, 4);
		fields[3] = line->value;
		session_clear_header(&d->sessions, s);
	}
	osmtpd_io_put(&d->io, fields, 4);
}

/* --- Sessions ----------------------------------------------------------------------- */

static void drop(struct door *d, struct session *s)
{
	if (s->asking)
		pool_cancel(d->pool, &s->ask);
	sessions_remove(&d->sessions, s);
}

static void drop_oldest(struct door *d)
{
	struct session *s = d->sessions.oldest;

	if (!d->crowded)
		log_msg(LOG_LEVEL_WARNING, "more than %d sessions: the oldest are forgotten", SESSIONS_MAX);
	d->crowded = true;
	if (s->asking)
		put_failure(d, buf_span(&s->id), buf_span(&s->token));
	drop(d, s);
}

static void on_connect(struct door *d, const struct osmtpd_line *line)
{
	struct session *s = sessions_find(&d->sessions, line->session);

	if (s)
		drop(d, s);
	if (d->sessions.count == SESSIONS_MAX)
		drop_oldest(d);
	s = sessions_add(&d->sessions, line->session);
	if (!s) {
		log_msg(LOG_LEVEL_ERROR, "no memory for a session");
		return;
	}
	s->owner = d;
	session_note(&d->sessions, s, line);
}

static void on_report(struct door *d, const struct osmtpd_line *line)
{
	struct session *s = sessions_find(&d->sessions, line->session);

	if (s && line->kind == OSMTPD_DISCONNECT)
		drop(d, s);
	else if (s)
		session_note(&d->sessions, s, line);
}

static void on_ready(struct door *d)
{
	static const char *const rows[] = {
		"report|smtp-in|link-connect", "report|smtp-in|link-identify", "report|smtp-in|link-tls", "report|smtp-in|link-auth",
		"report|smtp-in|link-disconnect", "report|smtp-in|tx-begin", "report|smtp-in|tx-mail",
		"report|smtp-in|tx-reset", "report|smtp-in|tx-rollback", "report|smtp-in|tx-commit",
		"filter|smtp-in|rcpt-to", "filter|smtp-in|data", "filter|smtp-in|data-line", "ready",
	};

	if (d->registered)
		return;
	d->registered = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (with_header || !strstr(rows[i], "data-line"))
			osmtpd_io_put(&d->io, (const struct span[]){ span_of("register"), span_of(rows[i]) }, 2);
}

static void on_line(void *arg, struct span text)
{
	struct door *d = arg;
	struct osmtpd_line line;

	osmtpd_parse(text, &line);
	switch (line.kind) {
	case OSMTPD_OTHER: break;
	case OSMTPD_READY: on_ready(d); break;
	case OSMTPD_CONNECT: on_connect(d, &line); break;
	case OSMTPD_IDENTIFY:
	case OSMTPD_TLS:
	case OSMTPD_AUTH:
	case OSMTPD_BEGIN:
	case OSMTPD_MAIL:
	case OSMTPD_END:
	case OSMTPD_DISCONNECT: on_report(d, &line); break;
	case OSMTPD_ASK_RCPT: on_recipient(d, &line); break;
	case OSMTPD_ASK_DATA: on_data(d, &line); break;
	case OSMTPD_ASK_LINE: on_message_line(d, &line); break;
	case OSMTPD_ASK_OTHER: put_proceed(d, &line); break;
	}
}

/* --- The program -------------------------------------------------------------------- */

static void after_turn(void *arg)
{
	struct door *d = arg;

	osmtpd_io_flush(&d->io);
	log_flush();
}

static int start(struct door *d, struct buf *why)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM };
	const struct log_options log = { .target = LOG_TO_STDERR, .ident = "greylag-opensmtpd",
					 .level = LOG_LEVEL_INFO };

	/* What stops smtpd often reaches its whole process group; smtpd has mail to put
	 * away first, and would miss a filter meanwhile. */
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	if (log_open(&log, why) != 0)
		return -1;
	d->loop = loop_new(why);
	if (!d->loop)
		return -1;
	d->pool = pool_new(&(struct pool_options){ .loop = d->loop, .endpoint = d->options.endpoint,
				.deadline_ms = d->options.deadline_ms, .defer = d->options.defer,
				.connections = CONNECTIONS }, why);
	if (!d->pool)
		return -1;
	loop_each_turn(d->loop, after_turn, d);
	d->io.line = on_line;
	d->io.arg = d;
	return osmtpd_io_start(&d->io, d->loop, OSMTPD_LINE_MAX, why);
}

static void stop(struct door *d)
{
	while (d->sessions.oldest)
		drop(d, d->sessions.oldest);
	osmtpd_io_free(&d->io);
	pool_free(&d->pool);
	loop_free(&d->loop);
	log_close();
}

int main(int argc, char **argv)
{
	static struct door d;
	char text[300];
	struct buf why = BUF_ON(text);

	if (door_options(argc, argv, "", own, &d.options) != argc) {
		fprintf(stderr, "greylag-opensmtpd: no words are expected after the options\n");
		return 64;
	}
	if (start(&d, &why) != 0 || loop_run(d.loop) != 0) {
		fprintf(stderr, "greylag-opensmtpd: %s\n", why.n ? text : "the event loop failed");
		return OS_ERROR_STATUS;
	}
	stop(&d);
	return 0;
}
