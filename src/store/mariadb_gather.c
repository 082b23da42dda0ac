/* Operations become jobs. */
#include "store/mariadb.h"

#include "store/thread.h"

#define PAGE 500		/* most rows of one page, keys of one removal */
#define LATER_AWAITED 4		/* most jobs MARIADB_LATER that a read waits for */
#define PATIENT_LEAST_MS 5000	/* deadline of what no request waits for */

/* --- Jobs ------------------------------------------------------------------ */

static bool patient(enum mariadb_kind kind)
{
	return kind != MARIADB_READ && kind != MARIADB_WRITE;
}

static void watch_over(struct mariadb *m, const struct mariadb_job *j, unsigned ms)
{
	if (m->overdue_ns && m->overdue_ns <= j->due_ns)
		return;
	m->overdue_ns = j->due_ns;
	loop_timer_set(&m->overdue, ms + 1);
}

struct mariadb_job *mariadb_begin_job(struct mariadb *m, enum mariadb_kind kind)
{
	struct mariadb_job *j = m->free;
	unsigned ms = patient(kind) && m->deadline_ms < PATIENT_LEAST_MS ? PATIENT_LEAST_MS : m->deadline_ms;

	if (!j || !mariadb_pool_serves(m->pool))
		return NULL;
	m->free = j->next;
	m->free_count--;
	mariadb_job_begin(j, kind);
	j->begun_ns = thread_now_ns();
	j->due_ns = j->begun_ns + ms * (uint64_t)CLOCK_NS_PER_MS;
	j->busy = true;
	watch_over(m, j, ms);
	return j;
}

void mariadb_free_job(struct mariadb *m, struct mariadb_job *j)
{
	j->busy = false;
	j->next = m->free;
	m->free = j;
	m->free_count++;
}

void mariadb_submit(struct mariadb *m, struct mariadb_job **j)
{
	struct mariadb_job *job = *j;

	*j = NULL;
	if (job->kind == MARIADB_WRITE || job->kind == MARIADB_LATER)
		job->seq = ++m->seq;
	mariadb_pool_submit(m->pool, job);
}

/* What has gathered for longest; NULL: nothing has. */
static struct mariadb_job **oldest(struct mariadb *m)
{
	struct mariadb_job **gathering[] = { &m->writing, &m->reading[0], &m->reading[1], &m->later }, **found = NULL;

	for (unsigned i = 0; i < sizeof gathering / sizeof *gathering; i++)
		if (*gathering[i] && (!found || (*gathering[i])->begun_ns < (*found)->begun_ns))
			found = gathering[i];
	return found;
}

void mariadb_hand_over(struct mariadb *m, bool all)
{
	/* While away: it fails at once. */
	bool at_once = all || !mariadb_pool_serves(m->pool);
	unsigned room = at_once ? MARIADB_JOBS : mariadb_pool_room(m->pool);
	struct mariadb_job **j;

	for (; room && (j = oldest(m)) != NULL; room--)
		mariadb_submit(m, j);
}

/* The job that gathers, with room for these; NULL: none is free. */
static struct mariadb_job *gather(struct mariadb *m, struct mariadb_job **j, enum mariadb_kind kind, unsigned items,
				  size_t bytes)
{
	if (*j && !mariadb_job_room(*j, items, bytes))
		mariadb_submit(m, j);
	if (!*j) {
		*j = mariadb_begin_job(m, kind);
		if (*j && !mariadb_job_room(*j, items, bytes)) {
			mariadb_free_job(m, *j);
			*j = NULL;
		}
	}
	return *j;
}

bool mariadb_was_gathering(struct mariadb *m, const struct mariadb_job *j)
{
	struct mariadb_job **gathering[] = { &m->writing, &m->reading[0], &m->reading[1], &m->later };

	for (unsigned i = 0; i < sizeof gathering / sizeof *gathering; i++)
		if (*gathering[i] == j) {
			*gathering[i] = NULL;
			return true;
		}
	return false;
}

/* --- Operations ------------------------------------------------------------ */

static size_t later_bit(struct span key)
{
	return span_hash(key, 0) % MARIADB_LATER_BITS;
}

/* Whether a read had better wait for a delta that is on its way. In a flood of them it
 * does not: it would wait for all, and what it then misses is less than a second old. */
static bool maybe_later(const struct mariadb *m, struct span key)
{
	size_t bit = later_bit(key);

	return m->later_jobs && m->later_jobs <= LATER_AWAITED && (m->later_bits[bit / 64] >> bit % 64 & 1);
}

enum store_status mariadb_get(struct store_driver *d, struct store_get *op)
{
	struct mariadb *m = mariadb_of(d);
	size_t bytes = 0;
	bool after = false;

	if (op->count == 0)
		return STORE_DONE;
	for (unsigned i = 0; i < op->count; i++) {
		bytes += op->keys[i].n;
		after |= maybe_later(m, op->keys[i]);
	}
	if (after && m->later)
		mariadb_submit(m, &m->later);
	struct mariadb_job *j = gather(m, &m->reading[after], MARIADB_READ, op->count, bytes);
	if (!j)
		return STORE_FAILED;
	if (after)
		j->after = m->seq;
	for (unsigned i = 0; i < op->count; i++)
		mariadb_job_add(j, op->keys[i], NULL);
	struct store_get *last = j->last;
	*(last ? &last->next : &j->gets) = op;
	j->last = op;
	return STORE_PENDING;
}

enum store_status mariadb_merge(struct store_driver *d, struct store_merge *op)
{
	struct mariadb *m = mariadb_of(d);
	size_t bytes = 0;

	if (op->count == 0)
		return STORE_DONE;
	for (unsigned i = 0; i < op->count; i++)
		bytes += op->deltas[i].key.n;
	struct mariadb_job *j = gather(m, &m->writing, MARIADB_WRITE, op->count, bytes);
	if (!j)
		return STORE_FAILED;
	for (unsigned i = 0; i < op->count; i++)
		mariadb_job_add(j, op->deltas[i].key, &op->deltas[i].delta);
	struct store_merge *last = j->last;
	*(last ? &last->next : &j->merges) = op;
	j->last = op;
	return STORE_PENDING;
}

bool mariadb_ready(const struct store_driver *d)
{
	const struct mariadb *m = (const struct mariadb *)d;

	/* As many jobs as a full table of such deltas takes; the others are for those who wait. */
	return mariadb_pool_serves(m->pool) && m->free_count > MARIADB_JOBS / 2 + 8;
}

void mariadb_merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	struct mariadb *m = mariadb_of(d);
	struct mariadb_job *before = m->later, *j = gather(m, &m->later, MARIADB_LATER, 1, key.n);
	size_t bit = later_bit(key);

	if (!j) {
		store_unmerged(m->driver.store, key, delta, false);
		return;
	}
	m->later_jobs += j != before;
	m->later_bits[bit / 64] |= (uint64_t)1 << bit % 64;
	mariadb_job_add(j, key, delta);
}

void mariadb_submit_after(struct mariadb *m, struct mariadb_job *j)
{
	mariadb_hand_over(m, true);
	j->after = m->seq;
	mariadb_submit(m, &j);
}

enum store_status mariadb_scan(struct store_driver *d, struct store_scan *op)
{
	struct mariadb *m = mariadb_of(d);
	struct mariadb_job *j = mariadb_begin_job(m, MARIADB_SCAN);

	if (!j)
		return STORE_FAILED;
	j->scan = op;
	j->limit = op->limit < PAGE ? op->limit : PAGE;
	buf_addspan(&j->prefix, op->prefix);
	buf_addspan(&j->from, buf_span(&op->from));
	mariadb_submit_after(m, j);
	return STORE_PENDING;
}

bool mariadb_remove_next(struct mariadb *m, struct store_remove *op, struct span *rest)
{
	struct mariadb_job *j = rest->n ? mariadb_begin_job(m, MARIADB_REMOVE) : NULL;
	struct span key;

	if (!j)
		return false;
	j->remove = op;
	j->pending_only = op->pending_only;
	while (j->count < PAGE && mariadb_job_room(j, 1, KEY_MAX) && span_cut(rest, '\n', &key))
		if (key.n > 0 && key.n <= KEY_MAX)
			mariadb_job_add(j, key, NULL);
	if (j->count == 0) {
		mariadb_free_job(m, j);
		return false;
	}
	j->rest = *rest;
	mariadb_submit_after(m, j);
	return true;
}

enum store_status mariadb_remove(struct store_driver *d, struct store_remove *op)
{
	struct mariadb *m = mariadb_of(d);
	struct span rest = op->keys;

	if (mariadb_remove_next(m, op, &rest))
		return STORE_PENDING;
	return rest.n == 0 ? STORE_DONE : STORE_FAILED;
}
