#include "store/failing.h"

#include "store/memory.h"

enum fault {
	FAULT_FAIL, FAULT_FAIL_MERGE, FAULT_FAIL_AFTER, FAULT_FAIL_FIRST,
	FAULT_HANG, FAULT_HANG_MERGE, FAULT_SLOW, FAULT_SLOW_FAIL, FAULT_FAIL_OPEN,
};

static const struct { const char *word; bool number; } faults[] = {
	[FAULT_FAIL] = { "fail", false },
	[FAULT_FAIL_MERGE] = { "fail-merge", false },
	[FAULT_FAIL_AFTER] = { "fail-after", true },
	[FAULT_FAIL_FIRST] = { "fail-first", true },
	[FAULT_HANG] = { "hang", false },
	[FAULT_HANG_MERGE] = { "hang-merge", false },
	[FAULT_SLOW] = { "slow", true },
	[FAULT_SLOW_FAIL] = { "slow-fail", true },
	[FAULT_FAIL_OPEN] = { "fail-open", false },
};

enum outcome { OUTCOME_WORKS, OUTCOME_FAILS, OUTCOME_HANGS };

/* One kind of pending operation: whichever pointer is set. */
struct waiting {
	struct store_get *get;
	struct store_merge *merge;
	struct store_scan *scan;
	struct store_remove *remove;
	struct store_backup *backup;
	uint64_t due_ns;
};

struct failing {
	struct store_driver driver;
	struct store_driver *memory;
	enum fault fault;
	uint64_t number;
	uint64_t operations;
	struct waiting *waiting;	/* in the order in which they came */
	size_t waiting_count, waiting_room;
	struct loop_timer timer;
};

static struct failing *failing_of(struct store_driver *d)
{
	return (struct failing *)d;
}

static int parse_target(struct failing *f, const char *target, struct buf *why)
{
	struct span rest = span_of(target), word;

	if (!span_cut(&rest, ' ', &word))
		return buf_fail(why, "store failing: no word that says what fails");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (!span_eq(word, span_of(faults[i].word)))
			continue;
		f->fault = (enum fault)i;
		if (faults[i].number && !span_uint(rest, UINT32_MAX, &f->number))
			return buf_fail(why, "store failing: \"%s\" needs a number", faults[i].word);
		return 0;
	}
	return buf_fail(why, "store failing: unknown word in \"%s\"", target);
}

/* --- Operations that wait -------------------------------------------------- */

static enum store_status run(struct failing *f, const struct waiting *w)
{
	struct store_driver *m = f->memory;

	if (w->get)
		return m->ops->get(m, w->get);
	if (w->merge)
		return m->ops->merge(m, w->merge);
	if (w->scan)
		return m->ops->scan(m, w->scan);
	if (w->remove)
		return m->ops->remove(m, w->remove);
	return m->ops->backup(m, w->backup);
}

static void complete(struct failing *f, const struct waiting *w, enum store_status status)
{
	struct store *s = f->driver.store;

	if (w->get)
		store_done_get(s, w->get, status);
	else if (w->merge)
		store_done_merge(s, w->merge, status);
	else if (w->scan)
		store_done_scan(s, w->scan, status);
	else if (w->remove)
		store_done_remove(s, w->remove, status);
	else
		store_done_backup(s, w->backup, status);
}

static struct waiting take_first(struct failing *f)
{
	struct waiting first = f->waiting[0];

	memmove(f->waiting, f->waiting + 1, --f->waiting_count * sizeof first);
	return first;
}

static void arm(struct failing *f)
{
	uint64_t now = clock_mono(&clock_system);
	uint64_t due = f->waiting_count ? f->waiting[0].due_ns : 0;

	if (f->waiting_count)
		loop_timer_set(&f->timer, due > now ? (unsigned)((due - now) / CLOCK_NS_PER_MS) + 1 : 0);
}

static void on_timer(struct loop_timer *t)
{
	struct failing *f = t->arg;

	while (f->waiting_count && f->waiting[0].due_ns <= clock_mono(&clock_system)) {
		struct waiting w = take_first(f);
		complete(f, &w, f->fault == FAULT_SLOW ? run(f, &w) : STORE_FAILED);
	}
	arm(f);
}

static enum store_status keep(struct failing *f, struct waiting w)
{
	if (f->waiting_count == f->waiting_room) {
		size_t room = f->waiting_room ? f->waiting_room * 2 : 64;
		struct waiting *grown = realloc(f->waiting, room * sizeof *grown);
		if (!grown)
			return STORE_FAILED;
		f->waiting = grown;
		f->waiting_room = room;
	}
	w.due_ns = clock_mono(&clock_system) + f->number * CLOCK_NS_PER_MS;
	f->waiting[f->waiting_count++] = w;
	if (f->fault == FAULT_SLOW || f->fault == FAULT_SLOW_FAIL)
		arm(f);
	return STORE_PENDING;
}

static enum outcome outcome(const struct failing *f, bool writes, uint64_t earlier)
{
	switch (f->fault) {
	case FAULT_FAIL: return OUTCOME_FAILS;
	case FAULT_FAIL_MERGE: return writes ? OUTCOME_FAILS : OUTCOME_WORKS;
	case FAULT_FAIL_AFTER: return earlier >= f->number ? OUTCOME_FAILS : OUTCOME_WORKS;
	case FAULT_FAIL_FIRST: return earlier < f->number ? OUTCOME_FAILS : OUTCOME_WORKS;
	case FAULT_HANG_MERGE: return writes ? OUTCOME_HANGS : OUTCOME_WORKS;
	case FAULT_HANG:
	case FAULT_SLOW:
	case FAULT_SLOW_FAIL: return OUTCOME_HANGS;
	case FAULT_FAIL_OPEN: break;
	}
	return OUTCOME_FAILS;
}

static enum store_status operate(struct store_driver *d, struct waiting w)
{
	struct failing *f = failing_of(d);

	uint64_t earlier = f->operations;

	/* The store's own scans must not shift what a test counts. */
	f->operations += w.get || w.merge;
	switch (outcome(f, w.merge || w.remove, earlier)) {
	case OUTCOME_WORKS: return run(f, &w);
	case OUTCOME_HANGS: return keep(f, w);
	case OUTCOME_FAILS: break;
	}
	if (w.backup)
		buf_fail(w.backup->why, "the store fails, as it was told to");
	return STORE_FAILED;
}

/* --- The driver ------------------------------------------------------------ */

static struct store_driver *open_failing(struct store *store, const struct store_options *options,
					 struct buf *why)
{
	struct failing *f = calloc(1, sizeof *f);

	if (!f) {
		buf_fail(why, "store failing: out of memory");
		return NULL;
	}
	f->driver = (struct store_driver){ &store_failing_ops, store };
	int parsed = parse_target(f, options->target, why);
	if (parsed == 0 && f->fault == FAULT_FAIL_OPEN)
		parsed = buf_fail(why, "store failing: does not open, as it was told to");
	if (parsed == 0)
		f->memory = memory_open(store, options, why);
	if (!f->memory) {
		free(f);
		return NULL;
	}
	loop_timer_init(&f->timer, options->loop, on_timer, f);
	return &f->driver;
}

static bool close_failing(struct store_driver *d)
{
	struct failing *f = failing_of(d);

	loop_timer_cancel(&f->timer);
	while (f->waiting_count) {
		struct waiting w = take_first(f);
		complete(f, &w, STORE_FAILED);
	}
	f->memory->ops->close(f->memory);
	free(f->waiting);
	free(f);
	return true;
}

static enum store_status get(struct store_driver *d, struct store_get *op)
{
	return operate(d, (struct waiting){ .get = op });
}

static enum store_status merge(struct store_driver *d, struct store_merge *op)
{
	return operate(d, (struct waiting){ .merge = op });
}

static bool ready(const struct store_driver *d)
{
	const struct failing *f = (const struct failing *)d;

	return f->fault == FAULT_SLOW || outcome(f, true, f->operations) == OUTCOME_WORKS;
}

static void merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	struct store_driver *m = failing_of(d)->memory;

	m->ops->merge_later(m, key, delta);
}

static enum store_status scan(struct store_driver *d, struct store_scan *op)
{
	return operate(d, (struct waiting){ .scan = op });
}

static enum store_status remove_keys(struct store_driver *d, struct store_remove *op)
{
	return operate(d, (struct waiting){ .remove = op });
}

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	return operate(d, (struct waiting){ .backup = op });
}

static void turn(struct store_driver *d)
{
	(void)d;
}

static const char *health(struct store_driver *d)
{
	return ready(d) ? NULL : "the store fails, as it was told to";
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	struct store_driver *m = failing_of(d)->memory;

	m->ops->stats(m, out);
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	struct store_driver *m = failing_of(d)->memory;

	m->ops->trust_clock(m, trusted);
}

static void maintain(struct store_driver *d)
{
	struct store_driver *m = failing_of(d)->memory;

	m->ops->maintain(m);
}

const struct store_ops store_failing_ops = {
	.name = "failing",
	.journalled = true,
	.open = open_failing,
	.close = close_failing,
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
