#include "store/copy.h"

#include "core/key.h"

#define PAGE 480		/* rows; whole gets and merges */
#define GETS (PAGE / STORE_GET_MAX)
#define MERGES (PAGE / STORE_MERGE_MAX)
#define TURN_MS 100

/* One page on its way. */
struct page {
	struct store_scan scan;
	struct record records[PAGE];
	struct span keys[PAGE];
	struct store_get gets[GETS];
	struct store_merge merges[MERGES];
	unsigned waiting;		/* operations under way */
	bool failed;
	char from[KEY_MAX + 1];
};

static uint64_t rest(uint64_t want, uint64_t have)
{
	return want > have ? want - have : 0;
}

bool store_copy_delta(const struct record *have, const struct record *want, struct record *delta)
{
	unsigned char before[RECORD_SIZE], after[RECORD_SIZE];
	struct record merged = *have;

	*delta = *want;
	if (want->generation == have->generation) {
		delta->blocked = rest(want->blocked, have->blocked);
		delta->passed = rest(want->passed, have->passed);
		delta->strikes = (uint32_t)rest(want->strikes, have->strikes);
	}
	record_merge(&merged, delta);
	record_encode(have, before);
	record_encode(&merged, after);
	return memcmp(before, after, RECORD_SIZE) != 0;
}

/* --- Waiting --------------------------------------------------------------- */

static void note(struct page *p, enum store_status status)
{
	p->waiting--;
	p->failed |= status != STORE_DONE;
}

static void scan_done(struct store_scan *op, enum store_status status) { note(op->arg, status); }
static void get_done(struct store_get *op, enum store_status status) { note(op->arg, status); }
static void merge_done(struct store_merge *op, enum store_status status) { note(op->arg, status); }

static void begin(struct page *p, enum store_status status)
{
	p->waiting += status == STORE_PENDING;
	p->failed |= status == STORE_FAILED;
}

static int wait_for(struct store_copy *c, struct page *p, const struct store *at, const char *what, struct buf *why)
{
	const char *health;

	store_turn(c->from);
	store_turn(c->to);
	while (p->waiting)
		loop_once(c->loop, TURN_MS);
	if (!p->failed)
		return 0;
	health = store_health(at);
	return buf_fail(why, "%s: %s", what, health ? health : "the store failed");
}

/* --- A page ---------------------------------------------------------------- */

static int read_page(struct store_copy *c, struct page *p, struct buf *why)
{
	begin(p, store_scan(c->from, &p->scan));
	if (wait_for(c, p, c->from, "cannot read", why) != 0)
		return -1;
	struct span keys = buf_span(&p->scan.keys);
	for (unsigned i = 0; i < p->scan.count; i++)
		span_cut(&keys, '\n', &p->keys[i]);
	c->read += p->scan.count;
	return 0;
}

static int read_target(struct store_copy *c, struct page *p, struct buf *why)
{
	for (unsigned i = 0; i < p->scan.count; i++) {
		struct store_get *op = &p->gets[i / STORE_GET_MAX];
		if (i % STORE_GET_MAX == 0)
			*op = (struct store_get){ .done = get_done, .arg = p };
		op->keys[op->count++] = p->keys[i];
	}
	for (unsigned i = 0; i < p->scan.count; i += STORE_GET_MAX)
		begin(p, store_get(c->to, &p->gets[i / STORE_GET_MAX]));
	return wait_for(c, p, c->to, "cannot read what is there", why);
}

static int write_page(struct store_copy *c, struct page *p, struct buf *why)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->scan.count; i++) {
		const struct store_get *get = &p->gets[i / STORE_GET_MAX];
		unsigned at = i % STORE_GET_MAX;
		struct record delta = p->records[i];
		if (get->found[at] && !store_copy_delta(&get->records[at], &p->records[i], &delta))
			continue;
		struct store_merge *op = &p->merges[count / STORE_MERGE_MAX];
		if (count % STORE_MERGE_MAX == 0)
			*op = (struct store_merge){ .done = merge_done, .arg = p };
		op->deltas[op->count++] = (struct store_delta){ p->keys[i], delta, false };
		count++;
	}
	for (unsigned i = 0; i < count; i += STORE_MERGE_MAX)
		begin(p, store_merge(c->to, &p->merges[i / STORE_MERGE_MAX]));
	c->written += count;
	return wait_for(c, p, c->to, "cannot write", why);
}

static int copy_page(struct store_copy *c, struct page *p, struct buf *why)
{
	if (read_page(c, p, why) != 0 || read_target(c, p, why) != 0 || write_page(c, p, why) != 0)
		return -1;
	if (c->progress)
		c->progress(c);
	return 0;
}

int store_copy(struct store_copy *c, struct buf *why)
{
	struct page *p = calloc(1, sizeof *p);
	int result;

	if (!p)
		return buf_fail(why, "out of memory");
	p->scan = (struct store_scan){ .limit = PAGE, .records = p->records, .done = scan_done, .arg = p };
	p->scan.from = buf_on(p->from, sizeof p->from);
	p->scan.keys = buf_heap((size_t)PAGE * (KEY_MAX + 1));
	do
		result = copy_page(c, p, why);
	while (result == 0 && p->scan.more);
	buf_free(&p->scan.keys);
	free(p);
	return result;
}
