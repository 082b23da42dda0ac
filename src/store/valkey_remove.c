#include "store/valkey.h"

#include "core/key.h"

#define CHUNK 100		/* keys of one step */

/* One operation's way through its keys, step by step. */
struct removal {
	struct store_remove *op;
	struct span rest;		/* keys after this step's */
	unsigned count;
	struct span keys[CHUNK];	/* this step's */
};

static void take_chunk(struct removal *r)
{
	struct span key;

	r->count = 0;
	while (r->count < CHUNK && span_cut(&r->rest, '\n', &key))
		if (key.n > 0 && key.n <= KEY_MAX)
			r->keys[r->count++] = key;
}

static struct span removal_key(const void *op, unsigned i)
{
	const struct removal *r = op;

	return r->keys[i];
}

static bool removal_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct removal *r = a->op;

	if (!valkey_sound(v, reply, VALKEY_WRITING) || reply->type != REDIS_REPLY_INTEGER)
		return false;
	valkey_count_removed(a->node, reply);
	r->op->removed += r->op->pending_only ? (uint64_t)reply->integer : a->count;
	return true;
}

static void removal_finish(struct valkey *v, void *op, enum store_status status);

static enum store_status send_chunk(struct valkey *v, struct removal *r)
{
	static const struct valkey_question all = { .command = "DEL", .key = removal_key, .take = removal_take,
						    .finish = removal_finish };
	static const struct valkey_question pending = { .script = VALKEY_SCRIPT_THIN, .key = removal_key,
							.take = removal_take, .finish = removal_finish };

	take_chunk(r);
	return r->count ? valkey_ask_keys(v, r->op->pending_only ? &pending : &all, r, r->count) : STORE_DONE;
}

static void removal_finish(struct valkey *v, void *op, enum store_status status)
{
	struct removal *r = op;
	struct store_remove *remove = r->op;

	if (status == STORE_DONE)
		status = send_chunk(v, r);
	if (status == STORE_PENDING)
		return;
	free(r);
	store_done_remove(v->driver.store, remove, status);
}

enum store_status valkey_remove(struct store_driver *d, struct store_remove *op)
{
	struct valkey *v = valkey_of(d);
	struct removal *r = calloc(1, sizeof *r);

	if (!r)
		return STORE_FAILED;
	*r = (struct removal){ .op = op, .rest = op->keys };
	valkey_send_batch(v);
	enum store_status status = send_chunk(v, r);
	if (status != STORE_PENDING)
		free(r);
	return status;
}
