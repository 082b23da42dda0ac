#include "store/valkey.h"

#include "core/key.h"

#define CHUNK 100		/* keys of one call */

/* One operation's way through its keys, a call at a time. */
struct removal {
	struct store_remove *op;
	struct span rest;		/* keys after this call's */
	struct span chunk;		/* this call's */
	unsigned keys;
	bool again;			/* the server had forgotten the script */
};

static void chunk_done(void *arg, void *op, const redisReply *reply);

static bool usable(struct span key)
{
	return key.n > 0 && key.n <= KEY_MAX;
}

static void take_chunk(struct removal *r)
{
	struct span key, left = r->rest;

	r->chunk = r->rest;
	r->keys = 0;
	while (r->keys < CHUNK && span_cut(&left, '\n', &key))
		r->keys += usable(key);
	r->chunk.n -= left.n;
	r->rest = left;
}

static bool send_chunk(struct valkey *v, struct removal *r)
{
	struct span rest = r->chunk, key;

	if (r->op->pending_only)
		valkey_begin_script(v, VALKEY_SCRIPT_THIN, r->keys);
	else
		valkey_command_begin(&v->command, "DEL");
	while (span_cut(&rest, '\n', &key))
		if (usable(key))
			valkey_add_key(v, key);
	return valkey_link_send(v->link, &v->command, chunk_done, r);
}

static void end_removal(struct valkey *v, struct removal *r, enum store_status status)
{
	struct store_remove *op = r->op;

	free(r);
	store_done_remove(v->driver.store, op, status);
}

static void chunk_done(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct removal *r = op;

	if (!r->again && valkey_forgot(v, reply, VALKEY_SCRIPT_THIN)) {
		r->again = true;
		if (send_chunk(v, r))
			return;
	}
	if (!valkey_sound(v, reply, VALKEY_WRITING) || reply->type != REDIS_REPLY_INTEGER) {
		end_removal(v, r, STORE_FAILED);
		return;
	}
	valkey_count_removed(v, reply);
	r->op->removed += r->op->pending_only ? (uint64_t)reply->integer : r->keys;
	r->again = false;
	take_chunk(r);
	if (r->keys == 0)
		end_removal(v, r, STORE_DONE);
	else if (!send_chunk(v, r))
		end_removal(v, r, STORE_FAILED);
}

enum store_status valkey_remove(struct store_driver *d, struct store_remove *op)
{
	struct valkey *v = valkey_of(d);
	struct removal *r = calloc(1, sizeof *r);

	if (!r)
		return STORE_FAILED;
	*r = (struct removal){ .op = op, .rest = op->keys };
	valkey_send_batch(v);
	take_chunk(r);
	if (r->keys && send_chunk(v, r))
		return STORE_PENDING;
	enum store_status status = r->keys ? STORE_FAILED : STORE_DONE;
	free(r);
	return status;
}
