#include "store/valkey.h"

#include "core/key.h"

#define BATCH 64		/* deltas of one call */

/* Deltas that nobody waits for, as many as go into one call. */
struct valkey_batch {
	unsigned count;
	struct record deltas[BATCH];
	struct { size_t at, n; } spans[BATCH];	/* of the keys */
	bool answered[BATCH];	/* or sent, and the answer was lost */
	struct buf keys;
};

static void add_time(struct valkey *v)
{
	v->unending |= !v->trusted;
	if (v->trusted)
		valkey_command_number(&v->command, clock_wall(v->clock));
	else
		valkey_command_add(&v->command, span_of(""));
}

static bool count_merged(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	if (!valkey_sound(v, reply, VALKEY_WRITING) || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return false;
	a->node->records += (uint64_t)reply->element[0]->integer;
	v->odd_records += (uint64_t)reply->element[1]->integer;
	return true;
}

/* --- Merges that are waited for -------------------------------------------- */

static struct span merge_key(const void *op, unsigned i)
{
	const struct store_merge *merge = op;

	return merge->deltas[i].key;
}

static void merge_tail(struct valkey *v, const struct valkey_ask *a)
{
	const struct store_merge *merge = a->op;

	add_time(v);
	for (unsigned i = 0; i < a->count; i++)
		valkey_command_record(&v->command, &merge->deltas[a->first + i].delta);
}

static void merge_finish(struct valkey *v, void *op, enum store_status status)
{
	store_done_merge(v->driver.store, op, status);
}

enum store_status valkey_merge(struct store_driver *d, struct store_merge *op)
{
	static const struct valkey_question question = { .script = VALKEY_SCRIPT_MERGE, .key = merge_key, .tail = merge_tail,
							 .take = count_merged, .finish = merge_finish };

	return op->count ? valkey_ask_keys(valkey_of(d), &question, op, op->count) : STORE_DONE;
}

/* --- Merges that nobody waits for ------------------------------------------ */

static struct span batch_key(const void *op, unsigned i)
{
	const struct valkey_batch *b = op;

	return span_make(b->keys.p + b->spans[i].at, b->spans[i].n);
}

static void batch_tail(struct valkey *v, const struct valkey_ask *a)
{
	const struct valkey_batch *b = a->op;

	add_time(v);
	for (unsigned i = 0; i < a->count; i++)
		valkey_command_record(&v->command, &b->deltas[a->first + i]);
}

static void give_back(struct valkey *v, const struct valkey_batch *b, unsigned i, bool maybe)
{
	store_unmerged(v->driver.store, batch_key(b, i), &b->deltas[i], maybe);
}

static bool batch_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct valkey_batch *b = a->op;
	bool merged = count_merged(v, a, reply);

	for (unsigned i = a->first; i < a->first + a->count; i++) {
		b->answered[i] = true;
		if (!merged)
			give_back(v, b, i, true);
	}
	return merged;
}

/* What is unanswered could not be sent. */
static void end_batch(struct valkey *v, struct valkey_batch *b)
{
	for (unsigned i = 0; i < b->count; i++)
		if (!b->answered[i])
			give_back(v, b, i, false);
	buf_free(&b->keys);
	free(b);
}

static void batch_finish(struct valkey *v, void *op, enum store_status status)
{
	(void)status;
	end_batch(v, op);
}

void valkey_send_batch(struct valkey *v)
{
	static const struct valkey_question question = { .script = VALKEY_SCRIPT_MERGE, .key = batch_key, .tail = batch_tail,
							 .take = batch_take, .finish = batch_finish };
	struct valkey_batch *b = v->batch;

	v->batch = NULL;
	if (b && valkey_ask_keys(v, &question, b, b->count) == STORE_FAILED)
		end_batch(v, b);
}

void valkey_merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	struct valkey *v = valkey_of(d);

	if (!v->batch) {
		v->batch = calloc(1, sizeof *v->batch);
		if (v->batch)
			v->batch->keys = buf_heap((size_t)BATCH * (KEY_MAX + 1));
	}
	struct valkey_batch *b = v->batch;
	if (!b || !buf_room(&b->keys, key.n)) {
		store_unmerged(v->driver.store, key, delta, false);
		return;
	}
	b->spans[b->count].at = b->keys.n;
	b->spans[b->count].n = key.n;
	buf_addspan(&b->keys, key);
	b->deltas[b->count++] = *delta;
	if (b->count == BATCH)
		valkey_send_batch(v);
}
