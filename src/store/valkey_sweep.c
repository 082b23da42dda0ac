#include "store/valkey.h"

#define STEP 200		/* keys of one call, about */
#define MAINTAIN_MOST_MS 60000

/* The server removes what has expired by itself. A sweep is for records that were
 * written while our clock was not trusted and so have no expiry: it walks through
 * all keys, gives those one, and removes what has expired by our clock. There is one
 * after the start, because the process before may have left such records. */
struct valkey_sweep {
	char cursor[VALKEY_CURSOR];
	bool again;		/* the server had forgotten the script */
};

static void step_swept(void *arg, void *op, const redisReply *reply);

static void end_sweep(struct valkey *v, bool whole)
{
	v->unending = !whole;
	free(v->sweep);
	v->sweep = NULL;
}

static void step_scanned(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct valkey_sweep *s = op;
	const redisReply *keys = valkey_scanned(v, reply, s->cursor);

	if (!keys || !v->trusted) {
		end_sweep(v, false);
		return;
	}
	valkey_begin_script(v, VALKEY_SCRIPT_SWEEP, (unsigned)keys->elements);
	for (size_t i = 0; i < keys->elements; i++)
		valkey_command_add(&v->command, span_make(keys->element[i]->str, (size_t)keys->element[i]->len));
	valkey_command_number(&v->command, clock_wall(v->clock));
	if (!valkey_link_send(v->link, &v->command, step_swept, s))
		end_sweep(v, false);
}

static bool step(struct valkey *v)
{
	valkey_begin_scan(v, v->sweep->cursor, span_make("", 0), STEP);
	return valkey_link_send(v->link, &v->command, step_scanned, v->sweep);
}

static void step_swept(void *arg, void *op, const redisReply *reply)
{
	struct valkey *v = arg;
	struct valkey_sweep *s = op;

	if (!s->again && valkey_forgot(v, reply, VALKEY_SCRIPT_SWEEP)) {
		/* These keys stay; the walk begins anew. */
		s->again = true;
		snprintf(s->cursor, sizeof s->cursor, "0");
	} else if (valkey_sound(v, reply, VALKEY_WRITING)) {
		valkey_count_removed(v, reply);
		if (strcmp(s->cursor, "0") == 0) {
			end_sweep(v, true);
			return;
		}
	} else {
		end_sweep(v, false);
		return;
	}
	if (!step(v))
		end_sweep(v, false);
}

void valkey_sweep(struct valkey *v)
{
	if (v->sweep || !v->trusted)
		return;
	v->sweep = calloc(1, sizeof *v->sweep);
	if (!v->sweep)
		return;
	snprintf(v->sweep->cursor, sizeof v->sweep->cursor, "0");
	if (!step(v))
		end_sweep(v, false);
}

void valkey_maintain(struct store_driver *d)
{
	struct valkey *v = valkey_of(d);

	valkey_send_batch(v);
	valkey_sweep(v);
	valkey_link_drain(v->link, MAINTAIN_MOST_MS);
}
