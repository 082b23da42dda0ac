#include "store/valkey.h"

#include "core/key.h"
#include "store/valkey_run.h"

#define WALKS 4			/* scans at once; others fail */
#define SCAN_COUNT 1000		/* keys the server looks at in one step */
#define IDLE_MS 60000		/* a scan that stands still so long is given up */

/* The servers know no order, a scan has one. So a walk lets one after the other go
 * through all keys, keeps the least of those after the scan's place, as many as go into a
 * run, and hands out pages of it; when the run is at its end and was cut, it goes
 * through all keys again. A scan of N keys costs N / (about 80,000) such passes. */
struct walk {
	bool busy;			/* `op` waits for it */
	bool held;			/* its run is of use */
	struct store_scan *op;
	struct key prefix, place;	/* place: the last key handed out */
	unsigned node;			/* number of the server that is gone through */
	char cursor[VALKEY_CURSOR];
	struct valkey_run run;
	unsigned count;			/* of the page that is being read */
	const struct valkey_run_node *page[STORE_SCAN_MAX];
	bool found[STORE_SCAN_MAX];
	uint64_t used_ns;
};

struct valkey_walks {
	struct valkey *valkey;
	struct loop_timer idle;
	struct walk walks[WALKS];
};

static void serve_on(struct valkey *v, struct walk *w);

static void copy_key(struct key *to, struct span from)
{
	if (from.n)
		memcpy(to->text, from.p, from.n);
	to->n = from.n;
}

static void let_go(struct walk *w)
{
	valkey_run_clear(&w->run);
	w->held = false;
}

static enum store_status conclude(struct walk *w, enum store_status status)
{
	struct store_scan *op = w->op;

	w->busy = false;
	w->op = NULL;
	w->used_ns = clock_mono(&clock_system);
	if (status == STORE_DONE) {
		op->more = valkey_run_first(&w->run) || w->run.cut;
		buf_clear(&op->from);
		buf_addspan(&op->from, key_span(&w->place));
	}
	if (status == STORE_FAILED || !op->more)
		let_go(w);
	return status;
}

/* The operation ends, from within an answer. */
static void finish(struct valkey *v, struct walk *w, enum store_status status)
{
	struct store_scan *op = w->op;

	store_done_scan(v->driver.store, op, conclude(w, status));
}

/* --- Gathering ------------------------------------------------------------- */

static void gather_tail(struct valkey *v, const struct valkey_ask *a)
{
	const struct walk *w = a->op;

	valkey_add_scan(v, w->cursor, key_span(&w->prefix), SCAN_COUNT);
}

static bool gather_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct walk *w = a->op;
	const redisReply *keys = valkey_scanned(v, reply, w->cursor);

	for (size_t i = 0; keys && i < keys->elements; i++) {
		struct span key = valkey_own_key(v, keys->element[i]);
		if (key.n && valkey_run_compare(key, key_span(&w->place)) > 0 && !valkey_run_add(&w->run, key))
			return false;
	}
	return keys != NULL;
}

static void gather_finish(struct valkey *v, void *op, enum store_status status);

/* STORE_DONE: there is no server that has not been gone through. */
static enum store_status gather_step(struct valkey *v, struct walk *w)
{
	static const struct valkey_question question = { .command = "SCAN", .tail = gather_tail, .take = gather_take,
							 .finish = gather_finish };
	struct valkey_node *node = valkey_nodes_serving(v->nodes, &w->node);

	return node ? valkey_ask_node(v, &question, w, node) : STORE_DONE;
}

static void gather_finish(struct valkey *v, void *op, enum store_status status)
{
	struct walk *w = op;

	if (status == STORE_DONE) {
		w->node += strcmp(w->cursor, "0") == 0;
		status = gather_step(v, w);
	}
	if (status == STORE_DONE)
		serve_on(v, w);
	else if (status == STORE_FAILED)
		finish(v, w, STORE_FAILED);
}

/* Without all servers a listing would look whole and not be. */
static enum store_status gather(struct valkey *v, struct walk *w)
{
	valkey_run_clear(&w->run);
	w->node = 0;
	snprintf(w->cursor, sizeof w->cursor, "0");
	return valkey_nodes_up(v->nodes) ? gather_step(v, w) : STORE_FAILED;
}

/* --- Pages ----------------------------------------------------------------- */

static struct span page_key(const void *op, unsigned i)
{
	const struct walk *w = op;

	return valkey_run_key(w->page[i]);
}

static bool page_take(struct valkey *v, const struct valkey_ask *a, const redisReply *reply)
{
	struct walk *w = a->op;

	if (!valkey_sound(v, reply, VALKEY_READING) || reply->type != REDIS_REPLY_ARRAY || reply->elements != a->count)
		return false;
	for (unsigned i = a->first; i < a->first + a->count; i++)
		w->found[i] = valkey_record(v, reply->element[i - a->first], &w->op->records[i]);
	return true;
}

/* Keys that have gone meanwhile give no row. Records move to the front, so none is
 * written over before it was read. */
static bool take_rows(struct walk *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		if (w->found[i] && !store_scan_add(w->op, valkey_run_key(w->page[i]), &w->op->records[i]))
			return w->op->count > 0;
		copy_key(&w->place, valkey_run_key(w->page[i]));
		valkey_run_drop_first(&w->run);
	}
	return true;
}

static void page_finish(struct valkey *v, void *op, enum store_status status)
{
	struct walk *w = op;

	if (status == STORE_FAILED || !take_rows(w))
		finish(v, w, STORE_FAILED);
	else if (w->op->count)
		finish(v, w, STORE_DONE);
	else
		serve_on(v, w);
}

/* Asks for the next page's records, or for more keys when the run is used up. */
static enum store_status serve(struct valkey *v, struct walk *w)
{
	static const struct valkey_question question = { .command = "MGET", .key = page_key, .take = page_take,
							 .finish = page_finish };
	const struct valkey_run_node *n = valkey_run_first(&w->run);

	if (!n)
		return w->run.cut ? gather(v, w) : STORE_DONE;
	for (w->count = 0; n && w->count < w->op->limit; n = valkey_run_next(n))
		w->page[w->count++] = n;
	return valkey_ask_keys(v, &question, w, w->count);
}

static void serve_on(struct valkey *v, struct walk *w)
{
	enum store_status status = serve(v, w);

	if (status != STORE_PENDING)
		finish(v, w, status);
}

/* --- Operations ------------------------------------------------------------ */

/* The walk that stands where this scan goes on; else one that is free, rather one
 * without a run, or the one unused for longest. */
static struct walk *find_walk(struct valkey_walks *all, const struct store_scan *op)
{
	struct span from = buf_span(&op->from);
	struct walk *best = NULL;

	for (unsigned i = 0; i < WALKS; i++) {
		struct walk *w = &all->walks[i];
		if (w->busy)
			continue;
		if (w->held && from.n && span_eq(key_span(&w->prefix), op->prefix) &&
		    span_eq(key_span(&w->place), from))
			return w;
		if (!best || (best->held && !w->held) || (best->held == w->held && w->used_ns < best->used_ns))
			best = w;
	}
	if (!best)
		return NULL;
	let_go(best);
	copy_key(&best->prefix, op->prefix);
	copy_key(&best->place, from);
	return best;
}

enum store_status valkey_scan(struct store_driver *d, struct store_scan *op)
{
	struct valkey *v = valkey_of(d);
	enum store_status status;
	struct walk *w = find_walk(v->walks, op);

	if (!w)
		return STORE_FAILED;
	valkey_send_batch(v);
	w->op = op;
	w->busy = true;
	if (w->held)
		status = serve(v, w);
	else
		status = gather(v, w);
	w->held = true;
	return status == STORE_PENDING ? status : conclude(w, status);
}

static void on_idle(struct loop_timer *t)
{
	struct valkey_walks *all = t->arg;
	uint64_t now = clock_mono(&clock_system);

	for (unsigned i = 0; i < WALKS; i++) {
		struct walk *w = &all->walks[i];
		if (w->held && !w->busy && now - w->used_ns > IDLE_MS * (uint64_t)CLOCK_NS_PER_MS)
			let_go(w);
	}
	loop_timer_set(t, IDLE_MS);
}

struct valkey_walks *valkey_walks_new(struct valkey *v, struct loop *loop)
{
	struct valkey_walks *all = calloc(1, sizeof *all);

	if (!all)
		return NULL;
	all->valkey = v;
	loop_timer_init(&all->idle, loop, on_idle, all);
	loop_timer_set(&all->idle, IDLE_MS);
	return all;
}

void valkey_walks_free(struct valkey_walks **walks)
{
	struct valkey_walks *all = *walks;

	loop_timer_cancel(&all->idle);
	for (unsigned i = 0; i < WALKS; i++)
		let_go(&all->walks[i]);
	free(all);
	*walks = NULL;
}
