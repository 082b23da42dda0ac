#include "store/valkey.h"

#include "core/key.h"

#define STEP 200		/* keys of one step, about */
#define STEP_MOST 1000		/* a server may give more, never so many */
#define MAINTAIN_MOST_MS 60000

/* The servers remove what has expired by themselves. A sweep is for records that were
 * written while our clock was not trusted and so have no expiry: it walks through
 * all keys, gives those one, and removes what has expired by our clock. There is one
 * after the start, because the process before may have left such records. */
struct valkey_sweep {
	unsigned node;			/* number of the server it is at */
	char cursor[VALKEY_CURSOR];
	unsigned count;
	struct { size_t at, n; } spans[STEP_MOST];
	struct buf keys;
};

static void step(struct valkey *v);

static void end_sweep(struct valkey *v, bool whole)
{
	v->unending = !whole;
	buf_free(&v->sweep->keys);
	free(v->sweep);
	v->sweep = NULL;
}

static void go_on(struct valkey *v)
{
	struct valkey_sweep *s = v->sweep;

	s->node += strcmp(s->cursor, "0") == 0;
	step(v);
}

/* --- Giving an expiry ---------------------------------------------------------- */

static struct span sweep_key(const void *op, unsigned i)
{
	const struct valkey_sweep *s = op;

	return span_make(s->keys.p + s->spans[i].at, s->spans[i].n);
}

static void sweep_tail(struct valkey *v, const struct valkey_ask *a)
{
	(void)a;
	valkey_command_number(&v->command, clock_wall(v->clock));
}

static bool sweep_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	if (!valkey_sound(v, reply, VALKEY_WRITING))
		return false;
	valkey_count_removed(a->node, reply);
	return true;
}

static void sweep_finish(struct valkey *v, void *op, enum store_status status)
{
	(void)op;
	if (status == STORE_DONE)
		go_on(v);
	else
		end_sweep(v, false);
}

static const struct valkey_question sweeping = { .script = VALKEY_SCRIPT_SWEEP, .key = sweep_key, .tail = sweep_tail,
						 .take = sweep_take, .finish = sweep_finish };

/* --- Walking ------------------------------------------------------------------- */

static void scan_tail(struct valkey *v, const struct valkey_ask *a)
{
	const struct valkey_sweep *s = a->op;

	valkey_add_scan(v, s->cursor, span_make("", 0), STEP);
}

static bool scan_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct valkey_sweep *s = a->op;
	const redisReply *keys = valkey_scanned(v, reply, s->cursor);

	s->count = 0;
	buf_clear(&s->keys);
	for (size_t i = 0; keys && i < keys->elements && s->count < STEP_MOST; i++) {
		struct span key = valkey_own_key(v, keys->element[i]);
		if (key.n == 0)
			continue;
		s->spans[s->count].at = s->keys.n;
		s->spans[s->count++].n = key.n;
		buf_addspan(&s->keys, key);
	}
	return keys && !s->keys.over;
}

static void scan_finish(struct valkey *v, void *op, enum store_status status)
{
	struct valkey_sweep *s = op;
	bool sound = status == STORE_DONE && v->trusted;

	if (sound && s->count == 0)
		go_on(v);
	else if (!sound || valkey_ask_keys(v, &sweeping, s, s->count) == STORE_FAILED)
		end_sweep(v, false);
}

static void step(struct valkey *v)
{
	static const struct valkey_question scanning = { .command = "SCAN", .tail = scan_tail, .take = scan_take,
							 .finish = scan_finish };
	struct valkey_sweep *s = v->sweep;
	struct valkey_node *node = valkey_nodes_serving(v->nodes, &s->node);

	if (!node)
		end_sweep(v, true);
	else if (valkey_ask_node(v, &scanning, s, node) == STORE_FAILED)
		end_sweep(v, false);
}

void valkey_sweep(struct valkey *v)
{
	if (v->sweep || !v->trusted || !valkey_nodes_up(v->nodes))
		return;
	v->sweep = calloc(1, sizeof *v->sweep);
	if (!v->sweep)
		return;
	v->sweep->keys = buf_heap((size_t)STEP_MOST * (KEY_MAX + 1));
	snprintf(v->sweep->cursor, sizeof v->sweep->cursor, "0");
	step(v);
}

void valkey_maintain(struct store_driver *d)
{
	struct valkey *v = valkey_of(d);

	valkey_send_batch(v);
	valkey_sweep(v);
	valkey_nodes_drain(v->nodes, MAINTAIN_MOST_MS, false);
}
