#include "store/mariadb.h"

#include "store/mariadb_pool.h"
#include "store/thread.h"

#define JOBS 128
#define PAGE 500		/* most rows of one page, keys of one removal */
#define EXPIRE_STEP 500		/* rows of one statement */
#define EXPIRE_STEPS 200	/* of one round */
#define LOOK_MS 2000
#define ROUND_LOOKS 30		/* every so many: figures, and a round of expiry */
#define DEADLINE_DEFAULT_MS 500
#define DEADLINE_LEAST_MS 100	/* a pause of the network should not cost the connections */
#define PATIENT_LEAST_MS 5000	/* deadline of what no request waits for */
#define OPEN_WAIT_MS 2000
#define MAINTAIN_MOST_MS 60000
#define WORKERS_DEFAULT 4
#define LATER_BITS ((size_t)1 << 16)

struct mariadb {
	struct store_driver driver;
	const struct clock *clock;
	struct mariadb_where where;
	struct mariadb_pool *pool;
	struct mariadb_job *jobs, *free;
	/* What is being gathered, NULL: nothing. Reads that come after a write under way
	 * for the same key are gathered apart, because they wait for it. */
	struct mariadb_job *reading[2], *writing, *later;
	unsigned free_count, later_jobs;
	uint64_t seq;			/* of the last job that writes */
	uint64_t later_bits[LATER_BITS / 64];	/* a Bloom filter of the keys of jobs MARIADB_LATER */
	unsigned deadline_ms;
	struct loop_timer look, overdue;
	uint64_t overdue_ns;		/* when that timer fires; 0: not set */
	unsigned looks, came_up, expire_steps;
	bool looking, expiring, trusted;
	uint64_t records, disk_bytes, memory_bytes, later_dropped;
};

static struct mariadb *mariadb_of(struct store_driver *d)
{
	return (struct mariadb *)d;
}

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

static struct mariadb_job *begin_job(struct mariadb *m, enum mariadb_kind kind)
{
	struct mariadb_job *j = m->free;
	unsigned ms = patient(kind) && m->deadline_ms < PATIENT_LEAST_MS ? PATIENT_LEAST_MS : m->deadline_ms;

	if (!j || !mariadb_pool_serves(m->pool))
		return NULL;
	m->free = j->next;
	m->free_count--;
	mariadb_job_begin(j, kind);
	j->due_ns = thread_now_ns() + ms * (uint64_t)CLOCK_NS_PER_MS;
	j->busy = true;
	watch_over(m, j, ms);
	return j;
}

static void free_job(struct mariadb *m, struct mariadb_job *j)
{
	j->busy = false;
	j->next = m->free;
	m->free = j;
	m->free_count++;
}

static void submit(struct mariadb *m, struct mariadb_job **j)
{
	struct mariadb_job *job = *j;

	*j = NULL;
	if (job->kind == MARIADB_WRITE || job->kind == MARIADB_LATER)
		job->seq = ++m->seq;
	mariadb_pool_submit(m->pool, job);
}

/* Hands over what has gathered: all, or as much as finds a worker that is idle. What
 * finds none goes on gathering, and is done at once when one is free. */
static void hand_over(struct mariadb *m, bool all)
{
	struct mariadb_job **gathering[] = { &m->writing, &m->reading[0], &m->reading[1], &m->later };
	unsigned room = all ? JOBS : mariadb_pool_room(m->pool);

	for (unsigned i = 0; i < sizeof gathering / sizeof *gathering; i++)
		if (*gathering[i] && room) {
			submit(m, gathering[i]);
			room--;
		}
}

/* The job that gathers, with room for these; NULL: none is free. */
static struct mariadb_job *gather(struct mariadb *m, struct mariadb_job **j, enum mariadb_kind kind, unsigned items,
				  size_t bytes)
{
	if (*j && !mariadb_job_room(*j, items, bytes))
		submit(m, j);
	if (!*j) {
		*j = begin_job(m, kind);
		if (*j && !mariadb_job_room(*j, items, bytes)) {
			free_job(m, *j);
			*j = NULL;
		}
	}
	return *j;
}

/* --- Operations ------------------------------------------------------------ */

static size_t later_bit(struct span key)
{
	return span_hash(key, 0) % LATER_BITS;
}

static bool maybe_later(const struct mariadb *m, struct span key)
{
	size_t bit = later_bit(key);

	return m->later_jobs && (m->later_bits[bit / 64] >> bit % 64 & 1);
}

static enum store_status get(struct store_driver *d, struct store_get *op)
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
		submit(m, &m->later);
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

static enum store_status merge(struct store_driver *d, struct store_merge *op)
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

static bool ready(const struct store_driver *d)
{
	const struct mariadb *m = (const struct mariadb *)d;

	/* As many jobs as a full table of such deltas takes; the others are for those who wait. */
	return mariadb_pool_serves(m->pool) && m->free_count > JOBS / 2 + 8;
}

static void merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	struct mariadb *m = mariadb_of(d);
	struct mariadb_job *before = m->later, *j = gather(m, &m->later, MARIADB_LATER, 1, key.n);
	size_t bit = later_bit(key);

	if (!j) {
		m->later_dropped++;
		return;
	}
	m->later_jobs += j != before;
	m->later_bits[bit / 64] |= (uint64_t)1 << bit % 64;
	mariadb_job_add(j, key, delta);
}

/* After everything that was written before it. */
static void submit_after(struct mariadb *m, struct mariadb_job *j)
{
	hand_over(m, true);
	j->after = m->seq;
	submit(m, &j);
}

static enum store_status scan(struct store_driver *d, struct store_scan *op)
{
	struct mariadb *m = mariadb_of(d);
	struct mariadb_job *j = begin_job(m, MARIADB_SCAN);

	if (!j)
		return STORE_FAILED;
	j->scan = op;
	j->limit = op->limit < PAGE ? op->limit : PAGE;
	buf_addspan(&j->prefix, op->prefix);
	buf_addspan(&j->from, buf_span(&op->from));
	submit_after(m, j);
	return STORE_PENDING;
}

/* Takes the next keys of the removal; false when there are none, or no job is free. */
static bool remove_next(struct mariadb *m, struct store_remove *op, struct span *rest)
{
	struct mariadb_job *j = rest->n ? begin_job(m, MARIADB_REMOVE) : NULL;
	struct span key;

	if (!j)
		return false;
	j->remove = op;
	j->pending_only = op->pending_only;
	while (j->count < PAGE && mariadb_job_room(j, 1, KEY_MAX) && span_cut(rest, '\n', &key))
		if (key.n > 0 && key.n <= KEY_MAX)
			mariadb_job_add(j, key, NULL);
	if (j->count == 0) {
		free_job(m, j);
		return false;
	}
	j->rest = *rest;
	submit_after(m, j);
	return true;
}

static enum store_status remove_keys(struct store_driver *d, struct store_remove *op)
{
	struct mariadb *m = mariadb_of(d);
	struct span rest = op->keys;

	if (remove_next(m, op, &rest))
		return STORE_PENDING;
	return rest.n == 0 ? STORE_DONE : STORE_FAILED;
}

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	(void)d;
	buf_fail(op->why, "the store mariadb is backed up on its server, which has its own tools for it");
	return STORE_FAILED;
}

/* --- Expiry and figures ---------------------------------------------------- */

static void expire_step(struct mariadb *m)
{
	struct mariadb_job *j = m->trusted && m->expire_steps ? begin_job(m, MARIADB_EXPIRE) : NULL;

	m->expiring = j != NULL;
	if (!j)
		return;
	m->expire_steps--;
	j->expired = clock_wall(m->clock) - STORE_GRACE_S;
	j->limit = EXPIRE_STEP;
	submit_after(m, j);
}

static void expire(struct mariadb *m)
{
	if (m->expiring)
		return;
	m->expire_steps = EXPIRE_STEPS;
	expire_step(m);
}

/* Also how a server that hangs while no mail comes is noticed. */
static void look(struct mariadb *m, bool figures)
{
	struct mariadb_job *j = m->looking ? NULL : begin_job(m, MARIADB_LOOK);

	m->looking |= j != NULL;
	if (!j)
		return;
	j->figures = figures;
	submit(m, &j);
}

static void on_look(struct loop_timer *t)
{
	struct mariadb *m = t->arg;
	unsigned came_up = mariadb_pool_came_up(m->pool);
	bool round = m->looks++ % ROUND_LOOKS == ROUND_LOOKS - 1;

	look(m, round || came_up != m->came_up);
	m->came_up = came_up;
	if (round)
		expire(m);
	loop_timer_set(t, LOOK_MS);
}

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

static void conclude_merges(struct mariadb *m, struct mariadb_job *j, bool failed)
{
	struct store_merge *op = j->merges, *next;

	j->merges = NULL;
	for (; op; op = next) {
		next = op->next;
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
		if (remove_next(m, op, &j->rest))
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
static void answer(struct mariadb *m, struct mariadb_job *j, bool failed)
{
	switch (j->kind) {
	case MARIADB_READ:
		conclude_gets(m, j, failed);
		break;
	case MARIADB_WRITE:
		conclude_merges(m, j, failed);
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

/* What a job that is done has changed, whether anybody still waits for it or not. */
static void account(struct mariadb *m, struct mariadb_job *j)
{
	switch (j->kind) {
	case MARIADB_READ:
	case MARIADB_SCAN:
		break;
	case MARIADB_LATER:
		m->later_dropped += j->failed ? j->count : 0;
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
		if (j->failed || j->changed < EXPIRE_STEP)
			m->expire_steps = 0;
		expire_step(m);
		break;
	case MARIADB_LOOK:
		m->looking = false;
		take_figures(m, j);
		break;
	}
}

static void deliver(struct mariadb *m)
{
	struct mariadb_job *j = mariadb_pool_done(m->pool), *next;

	for (; j; j = next) {
		next = j->next;
		account(m, j);
		answer(m, j, j->failed);
		free_job(m, j);
	}
}

static void on_ring(void *arg)
{
	deliver(arg);
}

/* --- Deadlines ------------------------------------------------------------- */

static bool was_gathering(struct mariadb *m, const struct mariadb_job *j)
{
	struct mariadb_job **gathering[] = { &m->writing, &m->reading[0], &m->reading[1], &m->later };

	for (unsigned i = 0; i < sizeof gathering / sizeof *gathering; i++)
		if (*gathering[i] == j) {
			*gathering[i] = NULL;
			return true;
		}
	return false;
}

/* Its operations fail now; the job comes back when the server lets go of it. */
static void give_up(struct mariadb *m, struct mariadb_job *j)
{
	if (was_gathering(m, j)) {
		j->failed = true;
		account(m, j);
		answer(m, j, true);
		free_job(m, j);
		return;
	}
	mariadb_pool_give_up(m->pool, j);
	answer(m, j, true);
}

static void check_deadlines(struct mariadb *m)
{
	uint64_t now = thread_now_ns(), next = 0;

	/* When it was us who were late, the result may be here. */
	deliver(m);
	for (unsigned i = 0; i < JOBS; i++) {
		struct mariadb_job *j = &m->jobs[i];
		if (!j->busy || atomic_load(&j->abandoned))
			continue;
		if (j->due_ns <= now)
			give_up(m, j);
		else if (!next || j->due_ns < next)
			next = j->due_ns;
	}
	m->overdue_ns = next;
	if (next)
		loop_timer_set(&m->overdue, (unsigned)((next - now) / CLOCK_NS_PER_MS) + 1);
}

static void on_overdue(struct loop_timer *t)
{
	check_deadlines(t->arg);
}

/* --- Waiting, for opening, closing and tests ------------------------------- */

static bool any_busy(const struct mariadb *m)
{
	return m->free_count < JOBS;
}

/* Until nothing is under way, or that time has come. */
static void drain(struct mariadb *m, unsigned ms)
{
	uint64_t until = thread_now_ns() + ms * (uint64_t)CLOCK_NS_PER_MS;

	hand_over(m, true);
	while (any_busy(m) && thread_now_ns() < until) {
		uint64_t next = m->overdue_ns && m->overdue_ns < until ? m->overdue_ns : until;
		if (!mariadb_pool_wait(m->pool, next))
			check_deadlines(m);
		deliver(m);
		hand_over(m, true);
	}
}

static void maintain(struct store_driver *d)
{
	struct mariadb *m = mariadb_of(d);

	drain(m, MAINTAIN_MOST_MS);
	expire(m);
	drain(m, MAINTAIN_MOST_MS);
}

/* A server that is away now is no reason not to start: it is waited for a moment, so
 * that the first mail finds it. */
static void wait_for_server(struct mariadb *m)
{
	uint64_t until = thread_now_ns() + OPEN_WAIT_MS * (uint64_t)CLOCK_NS_PER_MS;

	mariadb_pool_wait(m->pool, until);
	m->came_up = mariadb_pool_came_up(m->pool);
	look(m, true);
	drain(m, OPEN_WAIT_MS);
}

/* --- The driver ------------------------------------------------------------ */

static void turn(struct store_driver *d)
{
	hand_over(mariadb_of(d), false);
}

static const char *health(struct store_driver *d)
{
	return mariadb_pool_health(mariadb_of(d)->pool);
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	const struct mariadb *m = mariadb_of(d);

	out->records = m->records;
	out->disk_bytes = m->disk_bytes;
	out->memory_bytes = m->memory_bytes;
	out->later_dropped += m->later_dropped;
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	mariadb_of(d)->trusted = trusted;
}

static void free_mariadb(struct mariadb *m)
{
	for (unsigned i = 0; m->jobs && i < JOBS; i++)
		mariadb_job_free(&m->jobs[i]);
	free(m->jobs);
	free(m);
}

static bool close_mariadb(struct store_driver *d)
{
	struct mariadb *m = mariadb_of(d);
	unsigned most_ms = STORE_CLOSE_S * 1000 / 2;

	loop_timer_cancel(&m->look);
	m->expire_steps = 0;
	drain(m, m->deadline_ms < most_ms ? m->deadline_ms : most_ms);
	loop_timer_cancel(&m->overdue);
	for (unsigned i = 0; i < JOBS; i++)
		if (m->jobs[i].busy)
			give_up(m, &m->jobs[i]);
	bool ended = mariadb_pool_end(m->pool);
	deliver(m);
	if (!ended)
		return false;
	mariadb_pool_free(&m->pool);
	free_mariadb(m);
	return true;
}

static bool make_jobs(struct mariadb *m)
{
	m->jobs = calloc(JOBS, sizeof *m->jobs);
	for (unsigned i = 0; m->jobs && i < JOBS; i++) {
		mariadb_job_init(&m->jobs[i]);
		free_job(m, &m->jobs[i]);
	}
	return m->jobs != NULL;
}

static struct store_driver *open_mariadb(struct store *store, const struct store_options *options, struct buf *why)
{
	struct mariadb *m = calloc(1, sizeof *m);
	char text[300];
	struct buf reason = BUF_ON(text);

	if (!m || !make_jobs(m)) {
		free(m);
		buf_fail(why, "store mariadb: out of memory");
		return NULL;
	}
	m->driver = (struct store_driver){ &store_mariadb_ops, store };
	m->clock = options->clock;
	m->trusted = true;
	m->deadline_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_DEFAULT_MS;
	if (m->deadline_ms < DEADLINE_LEAST_MS)
		m->deadline_ms = DEADLINE_LEAST_MS;
	const struct mariadb_pool_options pool = { .loop = options->loop, .where = &m->where, .ring = on_ring, .arg = m,
						   .workers = options->workers ? options->workers : WORKERS_DEFAULT };
	loop_timer_init(&m->look, options->loop, on_look, m);
	loop_timer_init(&m->overdue, options->loop, on_overdue, m);
	if (mariadb_where_read(&m->where, options, why) != 0) {
		free_mariadb(m);
		return NULL;
	}
	m->pool = mariadb_pool_new(&pool, &reason);
	if (!m->pool) {
		free_mariadb(m);
		buf_fail(why, "store mariadb: %s", buf_str(&reason));
		return NULL;
	}
	wait_for_server(m);
	loop_timer_set(&m->look, LOOK_MS);
	return &m->driver;
}

const struct store_ops store_mariadb_ops = {
	.name = "mariadb",
	.init = mariadb_init,
	.open = open_mariadb,
	.close = close_mariadb,
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
