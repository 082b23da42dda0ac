#include "store/valkey_link.h"

#include "base/log.h"
#include "store/valkey_adapter.h"

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS 5000
#define STEADY_S 10			/* a connection that held so long earns a quick return */
#define GREETING_LEAST_MS 1000		/* connecting takes longer than one command */

enum state { STATE_AWAY, STATE_GREETING, STATE_UP };

struct call {
	valkey_reply_fn *fn;
	void *op;
	uint64_t sent_ns;
};

struct script {
	struct valkey_link *link;
	char sha[41];
	bool loading;
};

struct valkey_link {
	struct valkey_link_options options;
	struct valkey_server server;
	struct valkey_adapter adapter;
	struct loop_timer again, overdue;
	enum state state;
	bool known;			/* the server is */
	bool ending;
	bool said;			/* the trouble is in the log */
	bool hurry;			/* the next attempt is due at once */
	unsigned backoff_ms;
	uint64_t since_ns;		/* since when it is up, or is not */
	unsigned attempts;		/* in vain, since then */
	unsigned greetings;		/* answers to the greeting that are to come */
	struct script scripts[VALKEY_SCRIPTS];
	struct valkey_command command;	/* of the greeting */
	char trouble[300], shown[360];
	/* A ring: the server answers in the order it was asked. */
	unsigned first, count;
	struct call calls[VALKEY_CALLS_MAX];
};

static void connect_now(struct valkey_link *l);

/* Driven by the machine's clock, whatever clock the records live by. */
static uint64_t now_ns(void)
{
	return clock_mono(&clock_system);
}

/* --- Away ------------------------------------------------------------------ */

static void add_name(struct buf *out, const struct valkey_link *l)
{
	bool sentinel = l->options.greeting == VALKEY_GREET_SENTINEL;

	buf_addf(out, "store valkey %s%s", sentinel ? "sentinel " : "", l->server.endpoint.name);
}

static void say_trouble(struct valkey_link *l, const char *what, const char *detail)
{
	char now[sizeof l->trouble];
	struct buf text = BUF_ON(now);

	add_name(&text, l);
	buf_addf(&text, ": %s", what);
	if (detail[0]) {
		buf_adds(&text, ": ");
		buf_addsafe(&text, span_of(detail), 120);
	}
	if (!l->said || strcmp(buf_str(&text), l->trouble) != 0)
		log_msg(LOG_LEVEL_ERROR, "%s", buf_str(&text));
	l->said = true;
	memcpy(l->trouble, now, sizeof now);
}

static void set_away(struct valkey_link *l, const char *what, const char *detail)
{
	bool was_up = l->state == STATE_UP;
	uint64_t now = now_ns();

	if (was_up && now - l->since_ns > STEADY_S * (uint64_t)CLOCK_NS_PER_S)
		l->backoff_ms = BACKOFF_LEAST_MS;
	l->state = STATE_AWAY;
	if (l->ending)
		return;
	if (was_up || !l->said) {
		l->since_ns = now;
		l->attempts = 0;
	}
	l->attempts += !was_up;
	say_trouble(l, what, detail);
	l->options.away(l->options.arg);
}

static void retry_later(struct valkey_link *l)
{
	if (l->ending)
		return;
	loop_timer_set(&l->again, l->hurry ? 0 : l->backoff_ms);
	l->hurry = false;
	l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MOST_MS ? l->backoff_ms * 2 : BACKOFF_MOST_MS;
}

static void set_lost(struct valkey_link *l, const char *detail)
{
	set_away(l, l->state == STATE_UP ? "connection lost" : "cannot be reached", detail);
}

/* Called by hiredis when it ends the connection, after all answers. */
static void on_gone(void *arg)
{
	struct valkey_link *l = arg;

	if (l->state != STATE_AWAY)
		set_lost(l, l->adapter.context->errstr);
	loop_timer_cancel(&l->overdue);
	retry_later(l);
}

/* From within an answer the connection ends when that returns. */
static void drop(struct valkey_link *l, const char *what, const char *detail)
{
	set_away(l, what, detail);
	if (l->adapter.context)
		redisAsyncFree(l->adapter.context);
}

/* --- Calls ----------------------------------------------------------------- */

static unsigned deadline_of(const struct valkey_link *l)
{
	bool greeting = l->state == STATE_GREETING && l->options.deadline_ms < GREETING_LEAST_MS;

	return greeting ? GREETING_LEAST_MS : l->options.deadline_ms;
}

static unsigned oldest_ms(const struct valkey_link *l)
{
	return (unsigned)((now_ns() - l->calls[l->first].sent_ns) / CLOCK_NS_PER_MS);
}

static void on_overdue(struct loop_timer *t)
{
	struct valkey_link *l = t->arg;

	/* When it was us who were late the answer is waiting in the socket. */
	if (l->count && oldest_ms(l) >= deadline_of(l))
		valkey_adapter_poll(&l->adapter, 0);
	if (l->count == 0 || l->state == STATE_AWAY)
		return;
	unsigned age = oldest_ms(l), deadline = deadline_of(l);
	if (age < deadline)
		loop_timer_set(t, deadline - age);
	else
		drop(l, "no answer in time", "");
}

static void on_reply(redisAsyncContext *context, void *reply, void *arg)
{
	struct valkey_link *l = arg;
	struct call call = l->calls[l->first];

	l->first = (l->first + 1) % VALKEY_CALLS_MAX;
	l->count--;
	/* Before the answer is handed on: its taker may ask again. */
	if (!reply && l->state != STATE_AWAY)
		set_lost(l, context->errstr);
	call.fn(l->options.arg, call.op, reply);
}

static bool send_call(struct valkey_link *l, struct valkey_command *c, valkey_reply_fn *fn, void *op)
{
	if (l->count == VALKEY_CALLS_MAX || !valkey_command_end(c) ||
	    redisAsyncCommandArgv(l->adapter.context, on_reply, l, c->count, c->arguments, c->lengths) != REDIS_OK)
		return false;
	l->calls[(l->first + l->count) % VALKEY_CALLS_MAX] = (struct call){ fn, op, now_ns() };
	if (l->count++ == 0)
		loop_timer_set(&l->overdue, deadline_of(l));
	return true;
}

bool valkey_link_send(struct valkey_link *l, struct valkey_command *c, valkey_reply_fn *fn, void *op)
{
	return l->state == STATE_UP && send_call(l, c, fn, op);
}

/* --- Greeting -------------------------------------------------------------- */

static void set_up(struct valkey_link *l)
{
	l->state = STATE_UP;
	l->since_ns = now_ns();
	if (l->said) {
		char text[200];
		struct buf name = BUF_ON(text);
		add_name(&name, l);
		log_msg(LOG_LEVEL_NOTICE, "%s: works again", buf_str(&name));
	}
	l->said = false;
	l->options.up(l->options.arg);
}

static void on_greeted(void *arg, void *op, const redisReply *reply)
{
	struct valkey_link *l = op;

	(void)arg;
	if (!reply || l->state != STATE_GREETING)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		drop(l, "the server refuses", reply->str);
	else if (--l->greetings == 0)
		set_up(l);
}

static void on_loaded(void *arg, void *op, const redisReply *reply)
{
	struct script *s = op;

	s->loading = false;
	if (reply && reply->type == REDIS_REPLY_STRING && reply->len == sizeof s->sha - 1)
		memcpy(s->sha, reply->str, sizeof s->sha);
	on_greeted(arg, s->link, reply);
}

static void load(struct valkey_link *l, enum valkey_script script)
{
	struct script *s = &l->scripts[script];

	valkey_command_begin(&l->command, "SCRIPT");
	valkey_command_add(&l->command, span_of("LOAD"));
	valkey_command_add(&l->command, span_of(valkey_script_text[script]));
	s->link = l;
	s->loading = send_call(l, &l->command, on_loaded, s);
	l->greetings += l->state == STATE_GREETING;
}

static void on_role(void *arg, void *op, const redisReply *reply)
{
	struct valkey_link *l = op;
	bool known = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements &&
		     reply->element[0]->type == REDIS_REPLY_STRING;

	if (known && l->state == STATE_GREETING && strcmp(reply->element[0]->str, "master") != 0)
		drop(l, "is not the primary", reply->element[0]->str);
	else
		on_greeted(arg, op, reply);
}

static void add_greeting(struct valkey_link *l, valkey_reply_fn *fn)
{
	l->greetings++;
	send_call(l, &l->command, fn, l);
}

static void add_password(struct valkey_link *l)
{
	const struct valkey_where *w = l->options.where;

	valkey_command_begin(&l->command, "AUTH");
	if (w->user[0])
		valkey_command_add(&l->command, span_of(w->user));
	valkey_command_add(&l->command, span_of(w->password));
	add_greeting(l, on_greeted);
}

static void on_pong(void *arg, void *op, const redisReply *reply)
{
	static const char wanted[] = "NOAUTH";
	struct valkey_link *l = op;

	if (l->state == STATE_GREETING && reply && reply->type == REDIS_REPLY_ERROR &&
	    l->options.where->password[0] && strncmp(reply->str, wanted, sizeof wanted - 1) == 0) {
		l->greetings--;
		add_password(l);
		return;
	}
	on_greeted(arg, op, reply);
}

static void greet_sentinel(struct valkey_link *l)
{
	valkey_command_begin(&l->command, "PING");
	add_greeting(l, on_pong);
}

static void greet_store(struct valkey_link *l)
{
	const struct valkey_where *w = l->options.where;

	if (w->password[0])
		add_password(l);
	valkey_command_begin(&l->command, "SELECT");
	valkey_command_number(&l->command, (int64_t)w->database);
	add_greeting(l, on_greeted);
	if (l->options.greeting == VALKEY_GREET_PRIMARY) {
		valkey_command_begin(&l->command, "ROLE");
		add_greeting(l, on_role);
	}
	for (unsigned i = 0; i < VALKEY_SCRIPTS; i++)
		load(l, (enum valkey_script)i);
}

/* All at once: nothing of it writes, and the first refusal ends the attempt. */
static void greet(struct valkey_link *l)
{
	l->greetings = 0;
	switch (l->options.greeting) {
	case VALKEY_GREET_STORE:
	case VALKEY_GREET_PRIMARY:
		greet_store(l);
		break;
	case VALKEY_GREET_SENTINEL:
		greet_sentinel(l);
		break;
	}
	if (l->count != l->greetings)
		drop(l, "out of memory", "");
}

static void read_password(struct valkey_link *l)
{
	char text[300];
	struct buf why = BUF_ON(text);

	/* It may have changed since, which is why it is read again and not needed again. */
	if (valkey_where_password(l->options.where, &why) != 0)
		log_msg(LOG_LEVEL_WARNING, "%s; the former password is used", buf_str(&why));
}

static void connect_now(struct valkey_link *l)
{
	const struct valkey_server *s = &l->server;

	if (l->said)
		read_password(l);
	redisAsyncContext *context = s->address[0] ? redisAsyncConnect(s->address, s->port) :
		redisAsyncConnectUnix(endpoint_path(&s->endpoint));
	if (!context || context->err) {
		set_away(l, "cannot be reached", context ? context->errstr : "out of memory");
		if (context)
			redisAsyncFree(context);
		retry_later(l);
		return;
	}
	valkey_adapter_attach(&l->adapter, l->options.loop, context);
	l->state = STATE_GREETING;
	greet(l);
}

static void on_again(struct loop_timer *t)
{
	connect_now(t->arg);
}

/* --- Outside --------------------------------------------------------------- */

struct valkey_link *valkey_link_new(const struct valkey_link_options *options)
{
	struct valkey_link *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->options = *options;
	if (options->server) {
		l->server = *options->server;
		l->known = true;
	}
	l->backoff_ms = BACKOFF_LEAST_MS;
	l->adapter.gone = on_gone;
	l->adapter.arg = l;
	valkey_command_init(&l->command);
	loop_timer_init(&l->again, options->loop, on_again, l);
	loop_timer_init(&l->overdue, options->loop, on_overdue, l);
	return l;
}

void valkey_link_start(struct valkey_link *l)
{
	if (l->known)
		connect_now(l);
}

void valkey_link_drop(struct valkey_link *l, const char *what)
{
	if (l->state != STATE_AWAY)
		drop(l, what, "");
}

void valkey_link_move(struct valkey_link *l, const struct valkey_server *server)
{
	if (l->known && valkey_server_eq(&l->server, server))
		return;
	if (l->known)
		log_msg(LOG_LEVEL_NOTICE, "store valkey: the primary is %s now, it was %s", server->endpoint.name,
			l->server.endpoint.name);
	if (l->adapter.context) {
		l->hurry = true;
		valkey_link_drop(l, "is the primary no more");
	}
	l->known = true;
	l->server = *server;
	l->backoff_ms = BACKOFF_LEAST_MS;
	loop_timer_cancel(&l->again);
	/* From within an answer of its own the connection ends only later. */
	if (!l->adapter.context) {
		l->hurry = false;
		connect_now(l);
	}
}

const struct valkey_server *valkey_link_server(const struct valkey_link *l)
{
	return &l->server;
}

void valkey_link_free(struct valkey_link **link)
{
	struct valkey_link *l = *link;

	if (!l)
		return;
	l->ending = true;
	drop(l, "", "");
	loop_timer_cancel(&l->again);
	loop_timer_cancel(&l->overdue);
	valkey_command_free(&l->command);
	free(l);
	*link = NULL;
}

bool valkey_link_up(const struct valkey_link *l)
{
	return l->state == STATE_UP;
}

bool valkey_link_coming(const struct valkey_link *l)
{
	return l->state == STATE_GREETING;
}

unsigned valkey_link_busy(const struct valkey_link *l)
{
	return l->count;
}

unsigned valkey_link_room(const struct valkey_link *l)
{
	return l->state == STATE_UP ? VALKEY_CALLS_MAX - l->count : 0;
}

const char *valkey_link_sha(const struct valkey_link *l, enum valkey_script script)
{
	return l->scripts[script].sha;
}

void valkey_link_reload(struct valkey_link *l, enum valkey_script script)
{
	if (l->state == STATE_UP && !l->scripts[script].loading)
		load(l, script);
}

void valkey_link_poll(struct valkey_link *l, unsigned ms)
{
	valkey_adapter_poll(&l->adapter, (int)ms);
}

const char *valkey_link_trouble(struct valkey_link *l)
{
	struct buf text = BUF_ON(l->shown);

	if (l->state == STATE_UP)
		return NULL;
	if (!l->trouble[0])
		return "store valkey: not connected yet";
	buf_adds(&text, l->trouble);
	buf_adds(&text, " (away for ");
	buf_addduration(&text, (now_ns() - l->since_ns) / CLOCK_NS_PER_S);
	if (l->attempts)
		buf_addf(&text, ", %u attempts in vain", l->attempts);
	buf_addc(&text, ')');
	return buf_str(&text);
}
