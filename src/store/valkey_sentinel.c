/* Sentinels watch a primary and its replicas and raise a replica when the primary is
 * gone. Each is asked every second who the primary is. Of several answers that with
 * the highest epoch counts: a sentinel that was cut off still names the old one. What
 * they name is believed only when it says itself that it is a primary (ROLE). */
#include "store/valkey_nodes.h"

#define ASK_MS 1000

struct valkey_sentinels;

struct sentinel {
	struct valkey_sentinels *all;
	struct valkey_link *link;
	bool knows;			/* what follows is its last word */
	uint64_t epoch;
	struct valkey_server primary;
	char trouble[300];		/* why it names none */
};

struct valkey_sentinels {
	struct valkey_nodes_options options;
	struct valkey_link *primary;
	struct valkey_command command;
	struct loop_timer due;
	bool found;			/* one has named the primary */
	unsigned count;
	struct sentinel sentinels[KVTARGET_SERVERS];
};

/* The answers that are equally new agree, but for the moment of a change. */
static void follow(struct valkey_sentinels *s)
{
	const struct sentinel *best = NULL;

	for (unsigned i = 0; i < s->count; i++) {
		const struct sentinel *one = &s->sentinels[i];
		bool stays = valkey_server_eq(&one->primary, valkey_link_server(s->primary));
		if (one->knows && (!best || one->epoch > best->epoch || (one->epoch == best->epoch && stays)))
			best = one;
	}
	if (!best)
		return;
	s->found = true;
	valkey_link_move(s->primary, &best->primary);
}

static struct span value_of(const redisReply *reply, const char *name)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *key = reply->element[i], *value = reply->element[i + 1];
		if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING && strcmp(key->str, name) == 0)
			return span_make(value->str, (size_t)value->len);
	}
	return span_make("", 0);
}

static void refuse(struct sentinel *one, const char *what)
{
	struct buf text = BUF_ON(one->trouble);

	one->knows = false;
	buf_addf(&text, "store valkey: the sentinel %s names no primary: ", valkey_link_server(one->link)->endpoint.name);
	buf_addsafe(&text, span_of(what), 120);
	(void)buf_str(&text);
}

static void on_told(void *arg, void *op, const redisReply *reply)
{
	struct sentinel *one = op;
	uint64_t port;

	(void)arg;
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_ARRAY) {
		refuse(one, reply->type == REDIS_REPLY_ERROR ? reply->str : "no list");
		return;
	}
	if (!span_uint(value_of(reply, "port"), 65535, &port) ||
	    !span_uint(value_of(reply, "config-epoch"), UINT64_MAX, &one->epoch) ||
	    !valkey_server_named(&one->primary, value_of(reply, "ip"), port)) {
		refuse(one, "what it says is no address");
		return;
	}
	one->knows = true;
	follow(one->all);
}

static void ask(struct sentinel *one)
{
	struct valkey_sentinels *s = one->all;

	valkey_command_begin(&s->command, "SENTINEL");
	valkey_command_add(&s->command, span_of("MASTER"));
	valkey_command_add(&s->command, span_of(s->options.where->target.name));
	valkey_link_send(one->link, &s->command, on_told, one);
}

void valkey_sentinels_doubt(struct valkey_sentinels *s)
{
	for (unsigned i = 0; i < s->count; i++)
		ask(&s->sentinels[i]);
}

static void on_due(struct loop_timer *t)
{
	valkey_sentinels_doubt(t->arg);
	loop_timer_set(t, ASK_MS);
}

static void on_up(void *arg)
{
	ask(arg);
}

static void on_away(void *arg)
{
	struct sentinel *one = arg;

	one->knows = false;
	one->trouble[0] = '\0';
}

const char *valkey_sentinels_trouble(struct valkey_sentinels *s)
{
	if (s->found)
		return NULL;
	for (unsigned i = 0; i < s->count; i++)
		if (s->sentinels[i].trouble[0])
			return s->sentinels[i].trouble;
	for (unsigned i = 0; i < s->count; i++) {
		const char *trouble = valkey_link_trouble(s->sentinels[i].link);
		if (trouble)
			return trouble;
	}
	return "store valkey: the sentinels have not answered yet";
}

void valkey_sentinels_poll(struct valkey_sentinels *s, unsigned ms)
{
	for (unsigned i = 0; i < s->count; i++)
		if (valkey_link_busy(s->sentinels[i].link))
			valkey_link_poll(s->sentinels[i].link, ms);
}

struct valkey_sentinels *valkey_sentinels_new(const struct valkey_nodes_options *options, struct valkey_link *primary)
{
	const struct kvtarget *t = &options->where->target;
	struct valkey_sentinels *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->options = *options;
	s->primary = primary;
	valkey_command_init(&s->command);
	loop_timer_init(&s->due, options->loop, on_due, s);
	for (; s->count < t->count; s->count++) {
		struct sentinel *one = &s->sentinels[s->count];
		struct valkey_server server;
		const struct valkey_link_options link = {
			.loop = options->loop, .where = options->where, .server = &server, .greeting = VALKEY_GREET_SENTINEL,
			.deadline_ms = options->deadline_ms, .up = on_up, .away = on_away, .arg = one };
		valkey_server_set(&server, &t->servers[s->count]);
		one->all = s;
		one->link = valkey_link_new(&link);
		if (!one->link) {
			valkey_sentinels_free(&s);
			return NULL;
		}
	}
	return s;
}

void valkey_sentinels_start(struct valkey_sentinels *s)
{
	for (unsigned i = 0; i < s->count; i++)
		valkey_link_start(s->sentinels[i].link);
	loop_timer_set(&s->due, ASK_MS);
}

void valkey_sentinels_free(struct valkey_sentinels **sentinels)
{
	struct valkey_sentinels *s = *sentinels;

	if (!s)
		return;
	loop_timer_cancel(&s->due);
	for (unsigned i = 0; i < s->count; i++)
		valkey_link_free(&s->sentinels[i].link);
	valkey_command_free(&s->command);
	free(s);
	*sentinels = NULL;
}
