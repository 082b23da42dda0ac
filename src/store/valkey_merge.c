#include "store/valkey.h"

#include "core/key.h"

#define BATCH 64		/* deltas of one call */

/* Deltas that nobody waits for, as many as go into one call. */
struct valkey_batch {
	unsigned count;
	bool again;		/* the server had forgotten the script */
	struct record deltas[BATCH];
	struct buf keys;	/* each ended by '\n' */
};

static void add_time(struct valkey *v)
{
	v->unending |= !v->trusted;
	if (v->trusted)
		valkey_command_number(&v->command, clock_wall(v->clock));
	else
		valkey_command_add(&v->command, span_of(""));
}

static bool count_merged(struct valkey *v, const redisReply *reply)
{
	if (!valkey_sound(v, reply, VALKEY_WRITING) || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return false;
	v->records += (uint64_t)reply->element[0]->integer;
	v->odd_records += (uint64_t)reply->element[1]->integer;
	return true;
}

/* --- Merges that are waited for -------------------------------------------- */

static void merge_done(void *arg, void *op, const redisReply *reply);

static bool send_merge(struct valkey *v, struct store_merge *op)
{
	valkey_begin_script(v, VALKEY_SCRIPT_MERGE, op->count);
	for (unsigned i = 0; i < op->count; i++)
		valkey_add_key(v, op->deltas[i].key);
	add_time(v);
	for (unsigned i = 0; i < op->count; i++)
		valkey_command_record(&v->command, &op->deltas[i].delta);
	return valkey_link_send(v->link, &v->command, merge_done, op);
}

static void merge_done(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct store_merge *merge = op;

	/* `next` pointing to itself: it has been sent a second time. */
	if (merge->next != merge && valkey_forgot(v, reply, VALKEY_SCRIPT_MERGE)) {
		merge->next = merge;
		if (send_merge(v, merge))
			return;
	}
	store_done_merge(v->driver.store, merge, count_merged(v, reply) ? STORE_DONE : STORE_FAILED);
}

enum store_status valkey_merge(struct store_driver *d, struct store_merge *op)
{
	if (op->count == 0)
		return STORE_DONE;
	return send_merge(valkey_of(d), op) ? STORE_PENDING : STORE_FAILED;
}

/* --- Merges that nobody waits for ------------------------------------------ */

static void batch_done(void *arg, void *op, const redisReply *reply);

static void free_batch(struct valkey_batch *b)
{
	buf_free(&b->keys);
	free(b);
}

static bool send_batch(struct valkey *v, struct valkey_batch *b)
{
	struct span rest = buf_span(&b->keys), key;

	valkey_begin_script(v, VALKEY_SCRIPT_MERGE, b->count);
	while (span_cut(&rest, '\n', &key))
		valkey_add_key(v, key);
	add_time(v);
	for (unsigned i = 0; i < b->count; i++)
		valkey_command_record(&v->command, &b->deltas[i]);
	return valkey_link_send(v->link, &v->command, batch_done, b);
}

/* A batch whose answer is lost is not sent again: it may have counted. */
static void batch_done(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct valkey_batch *b = op;

	if (!b->again && valkey_forgot(v, reply, VALKEY_SCRIPT_MERGE)) {
		b->again = true;
		if (send_batch(v, b))
			return;
	}
	if (!count_merged(v, reply))
		v->later_dropped += b->count;
	free_batch(b);
}

void valkey_send_batch(struct valkey *v)
{
	struct valkey_batch *b = v->batch;

	v->batch = NULL;
	if (!b || send_batch(v, b))
		return;
	v->later_dropped += b->count;
	free_batch(b);
}

void valkey_merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	struct valkey *v = valkey_of(d);

	if (!v->batch) {
		v->batch = calloc(1, sizeof *v->batch);
		if (v->batch)
			v->batch->keys = buf_heap((size_t)BATCH * (KEY_MAX + 1));
	}
	if (!v->batch || !buf_room(&v->batch->keys, key.n + 1)) {
		v->later_dropped++;
		return;
	}
	buf_addspan(&v->batch->keys, key);
	buf_addc(&v->batch->keys, '\n');
	v->batch->deltas[v->batch->count++] = *delta;
	if (v->batch->count == BATCH)
		valkey_send_batch(v);
}
