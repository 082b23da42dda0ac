#include "store/mariadb.h"

#include "store/thread.h"

#define EXPIRE_STEPS 200	/* of one round */
#define LOOK_MS 2000
#define ROUND_LOOKS 30		/* every so many: figures, and a round of expiry */
#define DEADLINE_DEFAULT_MS 500
#define DEADLINE_LEAST_MS 100	/* a pause of the network should not cost the connections */
#define OPEN_WAIT_MS 2000
#define MAINTAIN_MOST_MS 60000
#define WORKERS_DEFAULT 4

/* --- Expiry and figures ---------------------------------------------------- */

void mariadb_expire_step(struct mariadb *m)
{
	struct mariadb_job *j = m->trusted && m->expire_steps ? mariadb_begin_job(m, MARIADB_EXPIRE) : NULL;

	m->expiring = j != NULL;
	if (!j)
		return;
	m->expire_steps--;
	j->expired = clock_wall(m->clock) - STORE_GRACE_S;
	j->limit = MARIADB_EXPIRE_STEP;
	mariadb_submit_after(m, j);
}

static void expire(struct mariadb *m)
{
	if (m->expiring)
		return;
	m->expire_steps = EXPIRE_STEPS;
	mariadb_expire_step(m);
}

/* Also how a server that hangs while no mail comes is noticed. */
static void look(struct mariadb *m, bool figures)
{
	struct mariadb_job *j = m->looking ? NULL : mariadb_begin_job(m, MARIADB_LOOK);

	m->looking |= j != NULL;
	if (!j)
		return;
	j->figures = figures;
	mariadb_submit(m, &j);
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

/* --- Waiting, for opening, closing and tests ------------------------------- */

static bool any_busy(const struct mariadb *m)
{
	return m->free_count < MARIADB_JOBS;
}

/* Until nothing is under way, or that time has come. */
static void drain(struct mariadb *m, unsigned ms)
{
	uint64_t until = thread_now_ns() + ms * (uint64_t)CLOCK_NS_PER_MS;

	mariadb_hand_over(m, true);
	while (any_busy(m) && thread_now_ns() < until) {
		uint64_t next = m->overdue_ns && m->overdue_ns < until ? m->overdue_ns : until;
		if (!mariadb_pool_wait(m->pool, next))
			mariadb_check_deadlines(m);
		mariadb_deliver(m);
		mariadb_hand_over(m, true);
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

	mariadb_pool_settle(m->pool, until);
	m->came_up = mariadb_pool_came_up(m->pool);
	look(m, true);
	drain(m, OPEN_WAIT_MS);
}

/* --- The driver ------------------------------------------------------------ */

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	(void)d;
	buf_fail(op->why, "the store mariadb is backed up on its server, which has its own tools for it");
	return STORE_FAILED;
}

static void turn(struct store_driver *d)
{
	mariadb_hand_over(mariadb_of(d), false);
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
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	mariadb_of(d)->trusted = trusted;
}

static void free_mariadb(struct mariadb *m)
{
	for (unsigned i = 0; m->jobs && i < MARIADB_JOBS; i++)
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
	for (unsigned i = 0; i < MARIADB_JOBS; i++)
		if (m->jobs[i].busy)
			mariadb_give_up(m, &m->jobs[i]);
	bool ended = mariadb_pool_end(m->pool);
	mariadb_deliver(m);
	if (!ended)
		return false;
	mariadb_pool_free(&m->pool);
	free_mariadb(m);
	return true;
}

static bool make_jobs(struct mariadb *m)
{
	m->jobs = calloc(MARIADB_JOBS, sizeof *m->jobs);
	for (unsigned i = 0; m->jobs && i < MARIADB_JOBS; i++) {
		mariadb_job_init(&m->jobs[i]);
		mariadb_free_job(m, &m->jobs[i]);
	}
	return m->jobs != NULL;
}

static void on_ring(void *arg)
{
	mariadb_deliver(arg);
}

static void on_overdue(struct loop_timer *t)
{
	mariadb_check_deadlines(t->arg);
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
	.journalled = true,
	.init = mariadb_init,
	.open = open_mariadb,
	.close = close_mariadb,
	.get = mariadb_get,
	.merge = mariadb_merge,
	.ready = mariadb_ready,
	.merge_later = mariadb_merge_later,
	.scan = mariadb_scan,
	.remove = mariadb_remove,
	.backup = backup,
	.turn = turn,
	.health = health,
	.stats = stats,
	.trust_clock = trust_clock,
	.maintain = maintain,
};
