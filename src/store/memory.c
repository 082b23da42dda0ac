#include "store/memory.h"

#include "core/key.h"

#define LEVELS 20		/* of the skip list: enough for millions of records */
#define SWEEP_MS 1000
#define SWEEP_NODES 20000	/* looked at in one sweep */

struct node {
	struct record record;
	uint32_t key_n;
	uint32_t levels;
	struct node *next[];	/* `levels` of them; the key's bytes follow */
};

struct memory {
	struct store_driver driver;
	const struct clock *clock;
	struct node *head;	/* a node of LEVELS without a key */
	uint64_t records;
	uint64_t bytes;
	uint64_t random;
	struct loop_timer sweep_timer;
	struct key swept;	/* sweeping goes on after this key */
	bool trusted;
};

static struct memory *memory_of(struct store_driver *d)
{
	return (struct memory *)d;
}

static size_t node_size(uint32_t levels, size_t key_n)
{
	return sizeof(struct node) + levels * sizeof(struct node *) + key_n;
}

static struct span node_key(const struct node *n)
{
	return span_make((const char *)(n->next + n->levels), n->key_n);
}

static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* The first node whose key is >= key, and on each level the one before it. */
static struct node *seek(const struct memory *m, struct span key, struct node *before[LEVELS])
{
	struct node *at = m->head;

	for (unsigned level = LEVELS; level-- > 0; ) {
		while (at->next[level] && compare(node_key(at->next[level]), key) < 0)
			at = at->next[level];
		before[level] = at;
	}
	return at->next[0];
}

static struct node *find(const struct memory *m, struct span key)
{
	struct node *before[LEVELS];
	struct node *n = seek(m, key, before);

	return n && span_eq(node_key(n), key) ? n : NULL;
}

static uint32_t random_levels(struct memory *m)
{
	uint32_t levels = 1;

	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	for (uint64_t bits = m->random >> 20; levels < LEVELS && (bits & 3) == 0; bits >>= 2)
		levels++;
	return levels;
}

/* A record needs memory of its own, so this driver allocates where it creates one. */
static struct node *insert(struct memory *m, struct span key, struct node *before[LEVELS])
{
	uint32_t levels = random_levels(m);
	struct node *n = calloc(1, node_size(levels, key.n));

	if (!n)
		return NULL;
	n->levels = levels;
	n->key_n = (uint32_t)key.n;
	memcpy(n->next + levels, key.p, key.n);
	for (uint32_t level = 0; level < levels; level++) {
		n->next[level] = before[level]->next[level];
		before[level]->next[level] = n;
	}
	m->records++;
	m->bytes += node_size(levels, key.n);
	return n;
}

static void unlink_node(struct memory *m, struct node *n, struct node *before[LEVELS])
{
	for (uint32_t level = 0; level < n->levels; level++)
		before[level]->next[level] = n->next[level];
	m->records--;
	m->bytes -= node_size(n->levels, n->key_n);
	free(n);
}

static bool merge_one(struct memory *m, struct span key, const struct record *delta)
{
	struct node *before[LEVELS];
	struct node *n = seek(m, key, before);

	if (!n || !span_eq(node_key(n), key))
		n = insert(m, key, before);
	if (!n)
		return false;
	record_merge(&n->record, delta);
	return true;
}

/* --- Expiry ---------------------------------------------------------------- */

/* Looks at up to `most` nodes after the last one looked at; true at the end. */
static bool sweep(struct memory *m, uint64_t most)
{
	int64_t limit = clock_wall(m->clock) - STORE_GRACE_S;
	struct node *before[LEVELS];
	struct node *n = seek(m, key_span(&m->swept), before);

	if (!m->trusted)
		return true;
	while (n && most--) {
		struct node *next = n->next[0];
		if (record_expired(&n->record, limit)) {
			seek(m, node_key(n), before);
			unlink_node(m, n, before);
		}
		n = next;
	}
	m->swept.n = 0;
	if (n) {
		memcpy(m->swept.text, node_key(n).p, n->key_n);
		m->swept.n = n->key_n;
	}
	return !n;
}

static void on_sweep(struct loop_timer *t)
{
	sweep(t->arg, SWEEP_NODES);
	loop_timer_set(t, SWEEP_MS);
}

static void maintain(struct store_driver *d)
{
	struct memory *m = memory_of(d);

	m->swept.n = 0;
	while (!sweep(m, SWEEP_NODES))
		;
}

/* --- Operations ------------------------------------------------------------ */

struct store_driver *memory_open(struct store *store, const struct store_options *options,
				 struct buf *why)
{
	struct memory *m = calloc(1, sizeof *m);

	if (!m || !(m->head = calloc(1, node_size(LEVELS, 0)))) {
		free(m);
		buf_fail(why, "store memory: out of memory");
		return NULL;
	}
	m->driver = (struct store_driver){ &store_memory_ops, store };
	m->clock = options->clock;
	m->head->levels = LEVELS;
	m->trusted = true;
	loop_timer_init(&m->sweep_timer, options->loop, on_sweep, m);
	loop_timer_set(&m->sweep_timer, SWEEP_MS);
	return &m->driver;
}

static bool close_memory(struct store_driver *d)
{
	struct memory *m = memory_of(d);

	loop_timer_cancel(&m->sweep_timer);
	for (struct node *n = m->head, *next; n; n = next) {
		next = n->next[0];
		free(n);
	}
	free(m);
	return true;
}

static enum store_status get(struct store_driver *d, struct store_get *op)
{
	for (unsigned i = 0; i < op->count; i++) {
		const struct node *n = find(memory_of(d), op->keys[i]);
		op->found[i] = n != NULL;
		if (n)
			op->records[i] = n->record;
	}
	return STORE_DONE;
}

static enum store_status merge(struct store_driver *d, struct store_merge *op)
{
	for (unsigned i = 0; i < op->count; i++)
		if (!merge_one(memory_of(d), op->deltas[i].key, &op->deltas[i].delta))
			return STORE_FAILED;
	return STORE_DONE;
}

static bool ready(const struct store_driver *d)
{
	(void)d;
	return true;
}

static void merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	/* Without memory for it this delta is lost, which is what its caller allows. */
	(void)merge_one(memory_of(d), key, delta);
}

static enum store_status scan(struct store_driver *d, struct store_scan *op)
{
	struct node *before[LEVELS];
	struct span from = buf_span(&op->from);
	bool resumed = from.n && compare(from, op->prefix) >= 0;
	struct node *n = seek(memory_of(d), resumed ? from : op->prefix, before), *last = NULL;

	if (n && resumed && span_eq(node_key(n), from))
		n = n->next[0];
	while (n && span_starts(node_key(n), op->prefix) && store_scan_add(op, node_key(n), &n->record)) {
		last = n;
		n = n->next[0];
	}
	op->more = n && span_starts(node_key(n), op->prefix);
	if (!last)
		return op->more ? STORE_FAILED : STORE_DONE;
	buf_clear(&op->from);
	buf_addspan(&op->from, node_key(last));
	return STORE_DONE;
}

static enum store_status remove_keys(struct store_driver *d, struct store_remove *op)
{
	struct memory *m = memory_of(d);
	struct span rest = op->keys, key;

	while (span_cut(&rest, '\n', &key)) {
		struct node *before[LEVELS];
		struct node *n = seek(m, key, before);
		bool there = n && span_eq(node_key(n), key);
		bool spared = op->pending_only && (!there || !record_pending(&n->record));
		op->removed += !spared;
		if (there && !spared)
			unlink_node(m, n, before);
	}
	return STORE_DONE;
}

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	(void)d;
	buf_fail(op->why, "a store in memory has nothing that could be backed up");
	return STORE_FAILED;
}

static void turn(struct store_driver *d)
{
	(void)d;
}

static const char *health(struct store_driver *d)
{
	(void)d;
	return NULL;
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	out->records = memory_of(d)->records;
	out->memory_bytes = memory_of(d)->bytes;
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	memory_of(d)->trusted = trusted;
}

const struct store_ops store_memory_ops = {
	.name = "memory",
	.open = memory_open,
	.close = close_memory,
	.get = get,
	.merge = merge,
	.ready = ready,
	.merge_later = merge_later,
	.scan = scan,
	.remove = remove_keys,
	.backup = backup,
	.turn = turn,
	.health = health,
	.stats = stats,
	.trust_clock = trust_clock,
	.maintain = maintain,
};
