/* What jobs that are done, or late, mean for operations and figures. */
#include "store/mariadb.h"

#include "store/thread.h"

/* --- Results --------------------------------------------------------------- */

static void conclude_gets(struct mariadb *m, struct mariadb_job *j, bool failed)
{
	const struct mariadb_item *item = j->items;
	struct store_get *op = j->gets, *next;

	j->gets = NULL;
	for (; op; op = next) {
		next = op->next;
		for (unsigned i = 0; !failed && i < op->count; i++, item++) {
			op->found[i] = item->found;
			op->records[i] = item->record;
		}
		store_done_get(m->driver.store, op, failed ? STORE_FAILED : STORE_DONE);
	}
}

static void conclude_merges(struct mariadb *m, struct mariadb_job *j, bool failed, bool unsure)
{
	struct store_merge *op = j->merges, *next;

	j->merges = NULL;
	for (; op; op = next) {
		next = op->next;
		op->unmerged = failed && !unsure;
		store_done_merge(m->driver.store, op, failed ? STORE_FAILED : STORE_DONE);
	}
}

static void conclude_scan(struct mariadb *m, struct mariadb_job *j, bool failed)
{
	struct store_scan *op = j->scan;
	unsigned i = 0;

	j->scan = NULL;
	if (!op)
		return;
	if (failed) {
		store_done_scan(m->driver.store, op, STORE_FAILED);
		return;
	}
	while (i < j->count && store_scan_add(op, j->items[i].key, &j->items[i].record))
		i++;
	op->more = j->more || i < j->count;
	if (i) {
		buf_clear(&op->from);
		buf_addspan(&op->from, j->items[i - 1].key);
	}
	store_done_scan(m->driver.store, op, op->more && i == 0 ? STORE_FAILED : STORE_DONE);
}

static void conclude_remove(struct mariadb *m, struct mariadb_job *j, bool failed)
{
	struct store_remove *op = j->remove;

	j->remove = NULL;
	if (!op)
		return;
	if (!failed) {
		op->removed += j->pending_only ? j->changed : j->count;
		if (mariadb_remove_next(m, op, &j->rest))
			return;
	}
	store_done_remove(m->driver.store, op, failed || j->rest.n ? STORE_FAILED : STORE_DONE);
}

static void take_figures(struct mariadb *m, const struct mariadb_job *j)
{
	if (j->failed || !j->figures)
		return;
	m->records = j->records;
	m->disk_bytes = j->disk_bytes;
	m->memory_bytes = j->memory_bytes;
}

static void count_removed(struct mariadb *m, const struct mariadb_job *j)
{
	m->records -= j->changed < m->records ? j->changed : m->records;
}

/* The waiting operations of a job that is done; or has been given up, and then the
 * results are still a worker's. */
static void answer(struct mariadb *m, struct mariadb_job *j, bool failed, bool unsure)
{
	switch (j->kind) {
	case MARIADB_READ:
		conclude_gets(m, j, failed);
		break;
	case MARIADB_WRITE:
		conclude_merges(m, j, failed, unsure);
		break;
	case MARIADB_SCAN:
		conclude_scan(m, j, failed);
		break;
	case MARIADB_REMOVE:
		conclude_remove(m, j, failed);
		break;
	case MARIADB_LATER:
	case MARIADB_EXPIRE:
	case MARIADB_LOOK:
		break;
	}
}

/* Deltas that nobody waited for. A worker has added up those of one key. */
static void give_back(struct mariadb *m, const struct mariadb_job *j)
{
	for (unsigned i = 0; i < (j->distinct ? j->distinct : j->count); i++) {
		const struct mariadb_item *item = j->distinct ? j->order[i] : &j->items[i];
		store_unmerged(m->driver.store, span_make(j->keys.p + item->at, item->key.n), &item->record, j->unsure);
	}
}

/* What a job that is done has changed, whether anybody still waits for it or not. */
static void account(struct mariadb *m, struct mariadb_job *j)
{
	switch (j->kind) {
	case MARIADB_READ:
	case MARIADB_SCAN:
		break;
	case MARIADB_LATER:
		if (j->failed)
			give_back(m, j);
		if (--m->later_jobs == 0)
			memset(m->later_bits, 0, sizeof m->later_bits);
		m->records += j->changed;
		break;
	case MARIADB_WRITE:
		m->records += j->changed;
		break;
	case MARIADB_REMOVE:
		count_removed(m, j);
		break;
	case MARIADB_EXPIRE:
		count_removed(m, j);
		if (j->failed || j->changed < MARIADB_EXPIRE_STEP)
			m->expire_steps = 0;
		mariadb_expire_step(m);
		break;
	case MARIADB_LOOK:
		m->looking = false;
		take_figures(m, j);
		break;
	}
}

void mariadb_deliver(struct mariadb *m)
{
	struct mariadb_job *j = mariadb_pool_done(m->pool), *next;

	for (; j; j = next) {
		next = j->next;
		account(m, j);
		answer(m, j, j->failed, j->unsure);
		mariadb_free_job(m, j);
	}
}

/* --- Deadlines ------------------------------------------------------------- */

void mariadb_give_up(struct mariadb *m, struct mariadb_job *j)
{
	if (mariadb_was_gathering(m, j)) {
		j->failed = true;
		account(m, j);
		answer(m, j, true, false);
		mariadb_free_job(m, j);
		return;
	}
	bool begun = !mariadb_pool_give_up(m->pool, j);
	answer(m, j, true, begun);
}

void mariadb_check_deadlines(struct mariadb *m)
{
	uint64_t now = thread_now_ns(), next = 0;

	/* When it was us who were late, the result may be here. */
	mariadb_deliver(m);
	for (unsigned i = 0; i < MARIADB_JOBS; i++) {
		struct mariadb_job *j = &m->jobs[i];
		if (!j->busy || atomic_load(&j->abandoned))
			continue;
		if (j->due_ns <= now)
			mariadb_give_up(m, j);
		else if (!next || j->due_ns < next)
			next = j->due_ns;
	}
	m->overdue_ns = next;
	if (next)
		loop_timer_set(&m->overdue, (unsigned)((next - now) / CLOCK_NS_PER_MS) + 1);
}
