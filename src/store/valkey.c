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

bool valkey_forgot(struct valkey *v, const redisReply *reply, enum valkey_script script)
{
	static const char word[] = "NOSCRIPT";

	if (!reply || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, word, sizeof word - 1) != 0)
		return false;
	valkey_link_reload(v->link, script);
	return true;
}

void valkey_begin_script(struct valkey *v, enum valkey_script script, unsigned keys)
{
	valkey_command_begin(&v->command, "EVALSHA");
	valkey_command_add(&v->command, span_of(valkey_link_sha(v->link, script)));
	valkey_command_number(&v->command, keys);
}

void valkey_add_key(struct valkey *v, struct span key)
{
	valkey_command_key(&v->command, v->where.prefix, key);
}

void valkey_count_removed(struct valkey *v, const redisReply *reply)
{
	uint64_t removed = reply->type == REDIS_REPLY_INTEGER && reply->integer > 0 ? (uint64_t)reply->integer : 0;

	v->records -= removed < v->records ? removed : v->records;
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
void valkey_begin_scan(struct valkey *v, const char *cursor, struct span prefix, unsigned count)
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
	valkey_command_begin(&v->command, "SCAN");
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

static void on_size(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;

	(void)op;
	if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
		v->records = (uint64_t)reply->integer;
}

static void on_info(void *arg, void *op, const redisReply *reply)
{
	static const char name[] = "used_memory:";
	struct valkey *v = arg;
	struct span rest, line;
	uint64_t bytes;

	(void)op;
	if (!reply || reply->type != REDIS_REPLY_STRING)
		return;
	rest = span_make(reply->str, (size_t)reply->len);
	while (span_cut(&rest, '\n', &line))
		if (span_starts(line, span_of(name)) &&
		    span_uint(span_trim(span_from(line, sizeof name - 1)), UINT64_MAX, &bytes))
			v->memory_bytes = bytes;
}

/* Figures that are refused stay as they were. A server that hangs while no mail
 * comes is noticed by this, too. */
static void look(struct valkey *v)
{
	valkey_command_begin(&v->command, "INFO");
	valkey_command_add(&v->command, span_of("memory"));
	valkey_link_send(v->link, &v->command, on_info, NULL);
	valkey_command_begin(&v->command, "DBSIZE");
	valkey_link_send(v->link, &v->command, on_size, NULL);
}

static void on_look(struct loop_timer *t)
{
	struct valkey *v = t->arg;

	look(v);
	if (v->unending)
		valkey_sweep(v);
	loop_timer_set(t, LOOK_MS);
}

static void on_up(void *arg)
{
	struct valkey *v = arg;

	v->refused[VALKEY_READING][0] = v->refused[VALKEY_WRITING][0] = '\0';
	look(v);
}

/* --- Operations ------------------------------------------------------------ */

static void get_done(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct store_get *get = op;
	bool sound = valkey_sound(v, reply, VALKEY_READING) && reply->type == REDIS_REPLY_ARRAY &&
		     reply->elements == get->count;

	for (unsigned i = 0; sound && i < get->count; i++)
		get->found[i] = valkey_record(v, reply->element[i], &get->records[i]);
	store_done_get(v->driver.store, get, sound ? STORE_DONE : STORE_FAILED);
}

static enum store_status get(struct store_driver *d, struct store_get *op)
{
	struct valkey *v = valkey_of(d);

	if (op->count == 0)
		return STORE_DONE;
	valkey_send_batch(v);
	valkey_command_begin(&v->command, "MGET");
	for (unsigned i = 0; i < op->count; i++)
		valkey_add_key(v, op->keys[i]);
	return valkey_link_send(v->link, &v->command, get_done, op) ? STORE_PENDING : STORE_FAILED;
}

static bool ready(const struct store_driver *d)
{
	/* Those who wait for an answer come first. */
	return valkey_link_room(((const struct valkey *)d)->link) > VALKEY_CALLS_MAX / 2;
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

	if (!valkey_link_up(v->link))
		return valkey_link_trouble(v->link);
	if (v->refused[VALKEY_WRITING][0])
		return v->refused[VALKEY_WRITING];
	return v->refused[VALKEY_READING][0] ? v->refused[VALKEY_READING] : NULL;
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	const struct valkey *v = valkey_of(d);

	out->records = v->records;
	out->memory_bytes = v->memory_bytes;
	out->odd_records = v->odd_records;
	out->later_dropped += v->later_dropped;
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

	if (v->link) {
		loop_timer_cancel(&v->look);
		valkey_send_batch(v);
		valkey_link_drain(v->link, v->deadline_ms < most_ms ? v->deadline_ms : most_ms);
		valkey_link_free(&v->link);
	}
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
	const struct valkey_link_options link = { .loop = options->loop, .where = &v->where,
						  .deadline_ms = v->deadline_ms, .up = on_up, .arg = v };
	loop_timer_init(&v->look, options->loop, on_look, v);
	v->link = valkey_link_new(&link);
	v->walks = valkey_walks_new(v, options->loop);
	if (!v->link || !v->walks) {
		close_valkey(&v->driver);
		buf_fail(why, "store valkey: out of memory");
		return NULL;
	}
	/* A server that is away now is no reason not to start: it is waited for a
	 * moment, so that the first mail finds it. */
	valkey_link_start(v->link);
	valkey_link_drain(v->link, OPEN_WAIT_MS);
	loop_timer_set(&v->look, LOOK_MS);
	return &v->driver;
}

const struct store_ops store_valkey_ops = {
	.name = "valkey",
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
