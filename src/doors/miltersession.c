#include "doors/miltersession.h"

#include <unistd.h>

#include "base/log.h"
#include "base/netaddr.h"
#include "client/question.h"

#define VALUE_MAX 256
#define ADDRESS_MAX 1100

/* What is told to greylagd after a message: no commands of the protocol. */
enum { TELLS_ACCEPTED = 1, TELLS_ABORTED = 2 };

/* How long a macro's value holds. */
enum life { OF_SESSION, OF_MESSAGE, OF_RECIPIENT };

enum macro {
	MACRO_CLIENT_NAME, MACRO_CLIENT_PTR, MACRO_CLIENT_RESOLVE, MACRO_UNDERSCORE, MACRO_IF_ADDR, MACRO_DAEMON_ADDR,
	MACRO_DAEMON_PORT, MACRO_TLS_VERSION, MACRO_VERIFY, MACRO_CERT_SUBJECT, MACRO_AUTH_TYPE, MACRO_AUTH_AUTHEN, MACRO_MAIL_MAILER,
	MACRO_RCPT_MAILER, MACRO_QUEUE_ID, MACRO_GREYLIST, MACROS
};

/* The braces of a long name are dropped on reading. */
static const struct {
	struct span name;
	enum life life;
	bool asked;			/* worth a word when the MTA does not send it */
} macros[MACROS] = {
	[MACRO_CLIENT_NAME] = { SPAN("client_name"), OF_SESSION, true },
	[MACRO_CLIENT_PTR] = { SPAN("client_ptr"), OF_SESSION, true },
	[MACRO_CLIENT_RESOLVE] = { SPAN("client_resolve"), OF_SESSION, true },
	[MACRO_UNDERSCORE] = { SPAN("_"), OF_SESSION, false },
	[MACRO_IF_ADDR] = { SPAN("if_addr"), OF_SESSION, false },
	[MACRO_DAEMON_ADDR] = { SPAN("daemon_addr"), OF_SESSION, false },
	[MACRO_DAEMON_PORT] = { SPAN("daemon_port"), OF_SESSION, false },
	[MACRO_TLS_VERSION] = { SPAN("tls_version"), OF_SESSION, false },
	[MACRO_VERIFY] = { SPAN("verify"), OF_SESSION, false },
	[MACRO_CERT_SUBJECT] = { SPAN("cert_subject"), OF_SESSION, false },
	[MACRO_AUTH_TYPE] = { SPAN("auth_type"), OF_MESSAGE, false },
	[MACRO_AUTH_AUTHEN] = { SPAN("auth_authen"), OF_MESSAGE, false },
	[MACRO_MAIL_MAILER] = { SPAN("mail_mailer"), OF_MESSAGE, true },
	[MACRO_RCPT_MAILER] = { SPAN("rcpt_mailer"), OF_RECIPIENT, true },
	[MACRO_QUEUE_ID] = { SPAN("i"), OF_MESSAGE, false },
	[MACRO_GREYLIST] = { SPAN("greylist"), OF_SESSION, false },
};

struct value {
	bool sent;
	size_t n;
	char text[VALUE_MAX];
};

struct milter_session {
	struct milter *milter;
	void (*resume)(void *arg);
	void *arg;
	struct milter_options chosen;
	uint64_t number, messages;
	struct value macros[MACROS];
	char family;
	char address[64];
	struct value host, helo;
	char sender[ADDRESS_MAX];
	size_t sender_n;
	bool judged;			/* this null sender's message, at DATA */
	char header[sizeof ((struct answer *)0)->text];
	/* The question on its way. */
	struct pool_ask ask;
	struct buf question;
	bool waiting, answered;
	unsigned char asked_at;		/* the command that waits for the answer, or a TELLS_ */
	unsigned passed;		/* recipients of this message that were let through */
	struct answer answer;
};

/* --- What the MTA says ------------------------------------------------------------ */

static void set_value(struct value *v, struct span s)
{
	v->sent = true;
	v->n = s.n < sizeof v->text ? s.n : 0;
	memcpy(v->text, s.p, v->n);
}

static struct span value_of(const struct value *v)
{
	return span_make(v->text, v->n);
}

static struct span macro(const struct milter_session *s, enum macro m)
{
	return value_of(&s->macros[m]);
}

static void clear_macros(struct milter_session *s, enum life life)
{
	for (int i = 0; i < MACROS; i++)
		if (macros[i].life == life)
			s->macros[i] = (struct value){ .sent = s->macros[i].sent };
}

static void take_macros(struct milter_session *s, struct span data)
{
	struct span name, value;

	data = span_from(data, 1);	/* the command they are for */
	while (milter_string(&data, &name)) {
		if (!milter_string(&data, &value))
			value = span_make("", 0);
		name = span_unwrap(name, '{', '}');
		for (int i = 0; i < MACROS; i++)
			if (span_eq(name, macros[i].name))
				set_value(&s->macros[i], value);
	}
}

static void begin_message(struct milter_session *s)
{
	clear_macros(s, OF_RECIPIENT);
	s->messages++;
	s->sender_n = 0;
	s->header[0] = '\0';
	s->judged = false;
	s->passed = 0;
}

static bool take_connect(struct milter_session *s, struct span data)
{
	struct milter_connect c;

	if (!milter_connect(data, &c))
		return false;
	s->family = c.family;
	set_value(&s->host, c.host);
	snprintf(s->address, sizeof s->address, "%.*s", (int)(c.address.n < 60 ? c.address.n : 0), c.address.p);
	return true;
}

static void take_sender(struct milter_session *s, struct span data)
{
	struct span address;

	begin_message(s);
	if (!milter_string(&data, &address))
		address = span_make("", 0);
	/* One that is too long stays too long, for greylagd to see. */
	s->sender_n = address.n < sizeof s->sender ? address.n : sizeof s->sender;
	memcpy(s->sender, address.p, s->sender_n);
}

static bool is_null_sender(const struct milter_session *s)
{
	return s->sender_n == 0 || (s->sender_n == 2 && s->sender[0] == '<' && s->sender[1] == '>');
}

/* --- Questions ---------------------------------------------------------------------- */

/* A name that the MTA has confirmed. Both say so in {client_resolve}; where that
 * is not sent, Sendmail marks a name that is not confirmed in $_, and puts the
 * address in brackets where there is no name; Postfix says "unknown". */
static bool is_confirmed(const struct milter_session *s)
{
	static const struct span ok = SPAN("OK"), mark = SPAN("(may be forged)"), unknown = SPAN("unknown");
	struct span resolve = macro(s, MACRO_CLIENT_RESOLVE), host = value_of(&s->host);

	if (host.n == 0 || host.p[0] == '[' || span_ieq(host, unknown))
		return false;
	if (resolve.n)
		return span_eq(resolve, ok);
	return !span_ends(macro(s, MACRO_UNDERSCORE), mark);
}

static struct span unbracketed(struct span name)
{
	return name.n && name.p[0] == '[' ? span_make("", 0) : name;
}

static void add_client(struct milter_session *s, struct buf *b)
{
	static const struct span ok = SPAN("OK");

	question_add(b, "client_address", span_of(s->address));
	if (is_confirmed(s))
		question_add(b, "client_name", value_of(&s->host));
	question_add(b, "reverse_client_name", unbracketed(macro(s, MACRO_CLIENT_PTR)));
	question_add(b, "server_address", macro(s, macro(s, MACRO_IF_ADDR).n ? MACRO_IF_ADDR : MACRO_DAEMON_ADDR));
	question_add(b, "server_port", macro(s, MACRO_DAEMON_PORT));
	question_add(b, "helo_name", value_of(&s->helo));
	question_add(b, "sasl_method", macro(s, MACRO_AUTH_TYPE));
	question_add(b, "sasl_username", macro(s, MACRO_AUTH_AUTHEN));
	/* An MTA that takes our list of macros sends this one whenever there is TLS. */
	if (s->macros[MACRO_TLS_VERSION].sent || s->chosen.actions & MILTER_SETS_MACROS)
		question_tell(b, "encryption_protocol", macro(s, MACRO_TLS_VERSION));
	if (span_eq(macro(s, MACRO_VERIFY), ok))
		question_add(b, "ccert_subject", macro(s, MACRO_CERT_SUBJECT));
}

static void on_answer(struct pool_ask *a, const struct answer *answer)
{
	struct milter_session *s = a->arg;

	s->answer = *answer;
	s->answered = true;
	s->resume(s->arg);
}

static void ask(struct milter_session *s, unsigned char command, const char *stage, struct span recipient)
{
	struct buf *b = &s->question;
	char text[60];
	struct buf instance = BUF_ON(text);

	buf_addf(&instance, "milter.%ld.%llu.%llu", (long)getpid(), (unsigned long long)s->number,
		 (unsigned long long)s->messages);
	question_begin(b, stage);
	question_add(b, "greylag_report", span_of(command == TELLS_ACCEPTED ? "accepted" : command == TELLS_ABORTED ? "aborted" : ""));
	question_add(b, "instance", buf_span(&instance));
	question_add(b, "queue_id", macro(s, MACRO_QUEUE_ID));
	add_client(s, b);
	question_address(b, "sender", span_make(s->sender, s->sender_n));
	if (command == MILTER_RCPT)
		question_address(b, "recipient", recipient);
	question_end(b);
	s->waiting = true;
	s->answered = false;
	s->asked_at = command;
	s->ask = (struct pool_ask){ .question = buf_span(b), .done = on_answer, .arg = s };
	pool_ask(s->milter->pool, &s->ask);
}

/* --- Verdicts ----------------------------------------------------------------------- */

static void say_macros(struct milter_session *s)
{
	char text[300];
	struct buf missing = BUF_ON(text);

	if (s->milter->said_macros)
		return;
	s->milter->said_macros = true;
	for (int i = 0; i < MACROS; i++)
		if (macros[i].asked && !s->macros[i].sent) {
			buf_adds(&missing, missing.n ? ", {" : "{");
			buf_addspan(&missing, macros[i].name);
			buf_addc(&missing, '}');
		}
	if (missing.n)
		log_msg(LOG_LEVEL_NOTICE, "the MTA does not send %s; greylag-milter(8) says what each is for", text);
	else
		log_msg(LOG_LEVEL_INFO, "the MTA sends all macros that are asked for");
}

/* Mail that did not come by SMTP from elsewhere, that another part of the MTA's
 * configuration has allowed, or that it will refuse in any case. */
static bool is_exempt(const struct milter_session *s)
{
	static const struct span white = SPAN("WHITE"), error = SPAN("error");

	return (s->family != '4' && s->family != '6') || span_ieq(macro(s, MACRO_GREYLIST), white) ||
	       span_ieq(macro(s, MACRO_RCPT_MAILER), error);
}

static void reply(struct milter_session *s, struct buf *out)
{
	const struct door_options *o = s->milter->options;
	bool defer = s->answer.kind == ANSWER_DEFER;
	char text[600];
	struct buf line = BUF_ON(text);

	answer_reply(&line, &s->answer, defer ? o->code : "550", defer ? o->enhanced : "5.7.1");
	milter_add_reply(out, buf_span(&line));
}

static void add_header(const struct milter_session *s, struct buf *out)
{
	struct span header = span_of(s->header), name = span_head(header, span_find(header, ':'));

	if (name.n && name.n < header.n && s->chosen.actions & MILTER_ADDS_HEADERS)
		milter_add_header(out, &s->chosen, name, span_trim(span_from(header, name.n + 1)));
	milter_add(out, MILTER_CONTINUE);
}

/* Tells greylagd about the end of a message that it let through. False when there
 * was none. */
static bool tell(struct milter_session *s, unsigned char what)
{
	if (s->passed == 0)
		return false;
	ask(s, what, "END-OF-MESSAGE", span_make("", 0));
	return true;
}

static void accept_message(struct milter_session *s, struct buf *out)
{
	if (tell(s, TELLS_ACCEPTED))
		return;
	add_header(s, out);
	clear_macros(s, OF_MESSAGE);
}

static void take_answer(struct milter_session *s, struct buf *out)
{
	s->waiting = s->answered = false;
	if (s->answer.kind == ANSWER_DEFER || s->answer.kind == ANSWER_REJECT) {
		reply(s, out);
		return;
	}
	if (s->answer.kind == ANSWER_HEADER)
		snprintf(s->header, sizeof s->header, "%s", s->answer.text);
	s->passed += s->asked_at == MILTER_RCPT;
	if (s->asked_at == MILTER_END_OF_MESSAGE)
		accept_message(s, out);
	else
		milter_add(out, MILTER_CONTINUE);
}

/* True when it was the answer to what was told: nothing depends on it. */
static bool take_acknowledgement(struct milter_session *s, struct buf *out)
{
	if (s->asked_at != TELLS_ACCEPTED && s->asked_at != TELLS_ABORTED)
		return false;
	s->waiting = s->answered = false;
	if (s->asked_at == TELLS_ACCEPTED)
		add_header(s, out);
	begin_message(s);
	clear_macros(s, OF_MESSAGE);
	return true;
}

/* --- Packets -------------------------------------------------------------------------- */

static bool negotiate(struct milter_session *s, struct span data, struct buf *out)
{
	struct milter_options offer;

	if (!milter_offer(data, &offer))
		return false;
	milter_choose(&offer, &s->chosen);
	milter_add_choice(out, &s->chosen);
	return true;
}

static void answer_unless(const struct milter_session *s, uint32_t step, struct buf *out)
{
	if (!(s->chosen.steps & step))
		milter_add(out, MILTER_CONTINUE);
}

static void handle_rcpt(struct milter_session *s, struct span data, struct buf *out)
{
	struct span recipient;

	say_macros(s);
	if (is_exempt(s) || !milter_string(&data, &recipient))
		milter_add(out, MILTER_CONTINUE);
	else
		ask(s, MILTER_RCPT, "RCPT", recipient);
	clear_macros(s, OF_RECIPIENT);
}

/* The null sender is judged once a message: at DATA, or at its end when the MTA is
 * so old (version 3 and before) that it has no step for DATA. True when asked. */
static bool judge_null_sender(struct milter_session *s, unsigned char command)
{
	if (!is_null_sender(s) || s->judged || is_exempt(s))
		return false;
	s->judged = true;
	ask(s, command, "DATA", span_make("", 0));
	return true;
}

static void handle_end(struct milter_session *s, struct buf *out)
{
	if (!judge_null_sender(s, MILTER_END_OF_MESSAGE))
		accept_message(s, out);
}

static void handle_abort(struct milter_session *s)
{
	if (tell(s, TELLS_ABORTED))
		return;
	begin_message(s);
	clear_macros(s, OF_MESSAGE);
}

/* False when the session is over. */
static bool handle(struct milter_session *s, const struct milter_packet *p, struct buf *out)
{
	switch (p->command) {
	case MILTER_NEGOTIATE: return negotiate(s, p->data, out);
	case MILTER_MACROS: take_macros(s, p->data); return true;
	case MILTER_CONNECT:
		if (!take_connect(s, p->data))
			return false;
		answer_unless(s, MILTER_NO_REPLY_CONNECT, out);
		return true;
	case MILTER_HELO:
		set_value(&s->helo, span_head(p->data, span_find(p->data, '\0')));
		answer_unless(s, MILTER_NO_REPLY_HELO, out);
		return true;
	case MILTER_MAIL:
		take_sender(s, p->data);
		answer_unless(s, MILTER_NO_REPLY_MAIL, out);
		return true;
	case MILTER_RCPT: handle_rcpt(s, p->data, out); return true;
	case MILTER_DATA:
		if (!judge_null_sender(s, MILTER_DATA))
			milter_add(out, MILTER_CONTINUE);
		return true;
	case MILTER_END_OF_MESSAGE: handle_end(s, out); return true;
	case MILTER_ABORT: handle_abort(s); return true;
	case MILTER_QUIT_NEW:
		clear_macros(s, OF_SESSION);
		begin_message(s);
		s->helo.n = 0;
		return true;
	case MILTER_QUIT: return false;
	case MILTER_HEADER:
	case MILTER_END_OF_HEADERS:
	case MILTER_BODY:
	case MILTER_UNKNOWN: milter_add(out, MILTER_CONTINUE); return true;
	default: return false;
	}
}

enum milter_state milter_session_feed(struct milter_session *s, struct span in, size_t *used, struct buf *out)
{
	struct milter_packet p;
	long n;

	if (s->waiting && !s->answered)
		return MILTER_WAITS;
	if (s->waiting && !take_acknowledgement(s, out))
		take_answer(s, out);
	if (s->waiting)
		return MILTER_WAITS;
	while ((n = milter_packet(in, &p)) > 0) {
		if (!handle(s, &p, out))
			return MILTER_ENDED;
		*used += (size_t)n;
		in = span_from(in, (size_t)n);
		if (s->waiting)
			return MILTER_WAITS;
	}
	return n < 0 ? MILTER_ENDED : MILTER_WANTS_MORE;
}

struct milter_session *milter_session_new(struct milter *m, void (*resume)(void *arg), void *arg)
{
	struct milter_session *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->milter = m;
	s->resume = resume;
	s->arg = arg;
	s->family = 'U';
	s->number = ++m->sessions;
	s->question = buf_heap(QUESTION_MAX);
	return s;
}

void milter_session_free(struct milter_session **s)
{
	if (!*s)
		return;
	pool_cancel((*s)->milter->pool, &(*s)->ask);
	buf_free(&(*s)->question);
	free(*s);
	*s = NULL;
}
