#include "store/valkey.h"

#include "base/log.h"
#include "core/key.h"

#define LOOK_MS 2000
#define DEADLINE_DEFAULT_MS 500
#define DEADLINE_LEAST_MS 100	/* a pause of the network should not cost the connection */
#define OPEN_WAIT_MS 2000

/* --- What the files share -------------------------------------------------- */

static void refuse(struct valkey *v, enum valkey_side side, const char *what)
{
	char now[sizeof v->refused[0]];
	struct buf text = BUF_ON(now);

	buf_adds(&text, side == VALKEY_READING ? "store valkey: cannot be read: " : "store valkey: cannot be written: ");
	buf_addsafe(&text, span_of(what), 200);
	if (strcmp(now, v->refused[side]) != 0)
		log_msg(LOG_LEVEL_ERROR, "%s", now);
	memcpy(v->refused[side], now, sizeof now);
}

bool valkey_sound(struct valkey *v, const redisReply *reply, enum valkey_side side)
{
	if (!reply)
		return false;
	if (reply->type == REDIS_REPLY_ERROR) {
		refuse(v, side, reply->str);
		return false;
	}
	if (v->refused[side][0])
		log_msg(LOG_LEVEL_NOTICE, "store valkey: can be %s again", side == VALKEY_READING ? "read" : "written");
	v->refused[side][0] = '\0';
	return true;
}

void valkey_count_removed(struct valkey_node *node, const redisReply *reply)
{
	uint64_t removed = reply->type == REDIS_REPLY_INTEGER && reply->integer > 0 ? (uint64_t)reply->integer : 0;

	node->records -= removed < node->records ? removed : node->records;
}

struct span valkey_own_key(const struct valkey *v, const redisReply *element)
{
	struct span whole = span_make(element->str, (size_t)element->len);
	struct span key = span_from(whole, v->where.prefix.n);

	return key.n <= KEY_MAX && span_find(key, '\n') == key.n ? key : span_make("", 0);
}

bool valkey_record(struct valkey *v, const redisReply *element, struct record *out)
{
	if (element->type != REDIS_REPLY_STRING)
		return false;
	if (record_decode(span_make(element->str, (size_t)element->len), out))
		return true;
	v->odd_records++;
	return false;
}

/* What a pattern takes for more than itself is escaped. */
void valkey_add_scan(struct valkey *v, const char *cursor, struct span prefix, unsigned count)
{
	static const struct span special = SPAN("*?[]\\");
	char text[2 * (VALKEY_PREFIX_MAX + KEY_MAX) + 2];
	struct buf pattern = BUF_ON(text);
	const struct span parts[] = { v->where.prefix, prefix };

	for (unsigned part = 0; part < 2; part++)
		for (size_t i = 0; i < parts[part].n; i++) {
			if (span_find(special, parts[part].p[i]) < special.n)
				buf_addc(&pattern, '\\');
			buf_addc(&pattern, parts[part].p[i]);
		}
	buf_addc(&pattern, '*');
	valkey_command_add(&v->command, span_of(cursor));
	valkey_command_add(&v->command, span_of("MATCH"));
	valkey_command_add(&v->command, buf_span(&pattern));
	valkey_command_add(&v->command, span_of("COUNT"));
	valkey_command_number(&v->command, count);
}

const redisReply *valkey_scanned(struct valkey *v, const redisReply *reply, char cursor[VALKEY_CURSOR])
{
	if (!valkey_sound(v, reply, VALKEY_READING) || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
	    reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_ARRAY)
		return NULL;
	snprintf(cursor, VALKEY_CURSOR, "%s", reply->element[0]->str);
	return reply->element[1];
}

/* --- Figures --------------------------------------------------------------- */

static bool take_size(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	(void)v;
	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
		a->node->records = (uint64_t)reply->integer;
	return true;
}

static void add_section(struct valkey *v, const struct valkey_ask *a)
{
	(void)a;
	valkey_command_add(&v->command, span_of("memory"));
}

static bool take_info(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	static const char name[] = "used_memory:";
	struct span rest, line;
	uint64_t bytes;

	(void)v;
	if (!reply || reply->type != REDIS_REPLY_STRING)
		return true;
	rest = span_make(reply->str, (size_t)reply->len);
	while (span_cut(&rest, '\n', &line))
		if (span_starts(line, span_of(name)) &&
		    span_uint(span_trim(span_from(line, sizeof name - 1)), UINT64_MAX, &bytes))
			a->node->memory_bytes = bytes;
	return true;
}

static void seen(struct valkey *v, void *op, enum store_status status)
{
	(void)v;
	(void)op;
	(void)status;
}

/* Figures that are refused stay as they were. A server that hangs while no mail
 * comes is noticed by this, too. */
static void look(struct valkey *v, struct valkey_node *node)
{
	static const struct valkey_question info = { .command = "INFO", .tail = add_section, .take = take_info, .finish = seen };
	static const struct valkey_question size = { .command = "DBSIZE", .take = take_size, .finish = seen };

	(void)valkey_ask_node(v, &info, NULL, node);
	(void)valkey_ask_node(v, &size, NULL, node);
}

static void on_look(struct loop_timer *t)
{
	struct valkey *v = t->arg;
	struct valkey_node *node;

	for (unsigned i = 0; (node = valkey_nodes_serving(v->nodes, &i)); i++)
		look(v, node);
	if (v->unending)
		valkey_sweep(v);
	loop_timer_set(t, LOOK_MS);
}

static void on_up(void *arg, struct valkey_node *node)
{
	struct valkey *v = arg;

	v->refused[VALKEY_READING][0] = v->refused[VALKEY_WRITING][0] = '\0';
	valkey_asks_up(v, node);
	look(v, node);
}

static void on_away(void *arg, struct valkey_node *node)
{
	valkey_asks_away(arg, node);
}

/* --- Operations ------------------------------------------------------------ */

static struct span get_key(const void *op, unsigned i)
{
	const struct store_get *get = op;

	return get->keys[i];
}

static bool get_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct store_get *get = a->op;

	if (!valkey_sound(v, reply, VALKEY_READING) || reply->type != REDIS_REPLY_ARRAY || reply->elements != a->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		get->found[a->first + i] = valkey_record(v, reply->element[i], &get->records[a->first + i]);
	return true;
}

static void get_finish(struct valkey *v, void *op, enum store_status status)
{
	store_done_get(v->driver.store, op, status);
}

static enum store_status get(struct store_driver *d, struct store_get *op)
{
	static const struct valkey_question question = { .command = "MGET", .key = get_key, .take = get_take, .finish = get_finish };
	struct valkey *v = valkey_of(d);

	if (op->count == 0)
		return STORE_DONE;
	valkey_send_batch(v);
	return valkey_ask_keys(v, &question, op, op->count);
}

static bool ready(const struct store_driver *d)
{
	const struct valkey *v = (const struct valkey *)d;

	/* Those who wait for an answer come first. */
	return valkey_nodes_room(v->nodes) > VALKEY_CALLS_MAX / 2 && valkey_asks_room(v->asks) > VALKEY_CALLS_MAX / 2;
}

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	(void)d;
	buf_fail(op->why, "the store valkey is backed up on its server, which makes its own copies");
	return STORE_FAILED;
}

static void turn(struct store_driver *d)
{
	valkey_send_batch(valkey_of(d));
}

static const char *health(struct store_driver *d)
{
	const struct valkey *v = valkey_of(d);
	const char *trouble = valkey_nodes_trouble(v->nodes);

	if (trouble)
		return trouble;
	if (v->refused[VALKEY_WRITING][0])
		return v->refused[VALKEY_WRITING];
	return v->refused[VALKEY_READING][0] ? v->refused[VALKEY_READING] : NULL;
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	const struct valkey *v = valkey_of(d);
	const struct valkey_node *node;

	for (unsigned i = 0; (node = valkey_nodes_serving(v->nodes, &i)); i++) {
		out->records += node->records;
		out->memory_bytes += node->memory_bytes;
	}
	out->odd_records = v->odd_records;
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	struct valkey *v = valkey_of(d);

	v->trusted = trusted;
	if (trusted && v->unending)
		valkey_sweep(v);
}

/* --- Open and close -------------------------------------------------------- */

static bool close_valkey(struct store_driver *d)
{
	struct valkey *v = valkey_of(d);
	unsigned most_ms = STORE_CLOSE_S * 1000;

	if (v->nodes) {
		loop_timer_cancel(&v->look);
		valkey_send_batch(v);
		valkey_nodes_drain(v->nodes, v->deadline_ms < most_ms ? v->deadline_ms : most_ms, false);
		valkey_nodes_free(&v->nodes);
	}
	valkey_asks_free(&v->asks);
	if (v->walks)
		valkey_walks_free(&v->walks);
	free(v->sweep);
	valkey_command_free(&v->command);
	free(v);
	return true;
}

static struct store_driver *open_valkey(struct store *store, const struct store_options *options, struct buf *why)
{
	struct valkey *v = calloc(1, sizeof *v);

	if (!v) {
		buf_fail(why, "store valkey: out of memory");
		return NULL;
	}
	v->driver = (struct store_driver){ &store_valkey_ops, store };
	v->clock = options->clock;
	v->trusted = true;
	v->unending = true;
	v->deadline_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_DEFAULT_MS;
	if (v->deadline_ms < DEADLINE_LEAST_MS)
		v->deadline_ms = DEADLINE_LEAST_MS;
	valkey_command_init(&v->command);
	if (valkey_where_read(&v->where, options, why) != 0) {
		close_valkey(&v->driver);
		return NULL;
	}
	const struct valkey_nodes_options nodes = { .loop = options->loop, .where = &v->where, .deadline_ms = v->deadline_ms,
						    .up = on_up, .away = on_away, .arg = v };
	loop_timer_init(&v->look, options->loop, on_look, v);
	v->asks = valkey_asks_new();
	v->nodes = v->asks ? valkey_nodes_new(&nodes) : NULL;
	v->walks = valkey_walks_new(v, options->loop);
	if (!v->nodes || !v->walks) {
		close_valkey(&v->driver);
		buf_fail(why, "store valkey: out of memory");
		return NULL;
	}
	/* A server that is away now is no reason not to start: it is waited for a
	 * moment, so that the first mail finds it. */
	valkey_nodes_start(v->nodes);
	valkey_nodes_drain(v->nodes, OPEN_WAIT_MS, true);
	loop_timer_set(&v->look, LOOK_MS);
	return &v->driver;
}

const struct store_ops store_valkey_ops = {
	.name = "valkey",
	.journalled = true,
	.open = open_valkey,
	.close = close_valkey,
	.get = get,
	.merge = valkey_merge,
	.ready = ready,
	.merge_later = valkey_merge_later,
	.scan = valkey_scan,
	.remove = valkey_remove,
	.backup = backup,
	.turn = turn,
	.health = health,
	.stats = stats,
	.trust_clock = trust_clock,
	.maintain = valkey_maintain,
};
