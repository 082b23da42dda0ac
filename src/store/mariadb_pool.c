#include "store/mariadb_pool.h"

#include <sys/socket.h>

#include "base/log.h"
#include "store/mariadb_run.h"
#include "store/mariadb_trouble.h"
#include "store/thread.h"

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS 5000
#define STEADY_S 10		/* connections that held so long earn a quick return */
#define REASON_MAX 300

enum queue { QUEUE_URGENT, QUEUE_PATIENT, QUEUES };

struct worker {
	struct mariadb_pool *pool;
	pthread_t thread;
	bool started;
	struct mariadb_link link;		/* the thread's own */
	struct mariadb_scratch *scratch;	/* the same */
	bool up;
	unsigned epoch;				/* of its connection */
	int fd;					/* of it; -1: none that could be shut down */
	struct mariadb_job *job;		/* under way */
};

struct mariadb_pool {
	struct mariadb_pool_options options;
	struct loop_bell *bell;
	_Atomic bool serving;
	/* The rest is under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t work, turn, news;	/* for a job; to connect; for mariadb_pool_wait */
	struct mariadb_list queues[QUEUES], done;
	unsigned queued[QUEUES];
	unsigned patient;			/* such jobs that are under way */
	unsigned idle, alive;
	unsigned epoch;				/* connections of an earlier one are to be closed */
	unsigned came_up;
	unsigned server, tried;			/* which is next; how many failed since it was steady */
	bool connecting, settled, ending;
	unsigned backoff_ms;
	uint64_t retry_ns, up_ns;
	struct mariadb_trouble trouble;
	struct worker workers[];
};

/* --- Trouble --------------------------------------------------------------- */

static void note_trouble(struct mariadb_pool *p, enum mariadb_trouble_kind kind, const char *what, const char *detail)
{
	if (!p->ending)
		mariadb_trouble_note(&p->trouble, kind, &p->options.where->target.servers[p->server], what, detail);
}

static void note_over(struct mariadb_pool *p, enum mariadb_trouble_kind kind, const char *what)
{
	mariadb_trouble_over(&p->trouble, kind, &p->options.where->target.servers[p->server], what);
}

/* --- Queues ---------------------------------------------------------------- */

static enum queue queue_of(const struct mariadb_job *j)
{
	return j->kind == MARIADB_READ || j->kind == MARIADB_WRITE ? QUEUE_URGENT : QUEUE_PATIENT;
}

static void finish(struct mariadb_pool *p, struct mariadb_job *j, bool failed)
{
	j->failed = failed;
	mariadb_list_add(&p->done, j);
	pthread_cond_broadcast(&p->news);
	loop_bell_ring(p->bell);
}

static void fail_queued(struct mariadb_pool *p)
{
	for (unsigned q = 0; q < QUEUES; q++) {
		struct mariadb_job *j = p->queues[q].first, *next;
		mariadb_list_init(&p->queues[q]);
		p->queued[q] = 0;
		for (; j; j = next) {
			next = j->next;
			finish(p, j, true);
		}
	}
}

/* Whether a write that the job must come after is queued or under way. */
static bool blocked(const struct mariadb_pool *p, const struct mariadb_job *j)
{
	if (!j->after)
		return false;
	for (unsigned q = 0; q < QUEUES; q++)
		for (const struct mariadb_job *o = p->queues[q].first; o; o = o->next)
			if (o != j && o->seq && o->seq <= j->after)
				return true;
	for (unsigned i = 0; i < p->options.workers; i++) {
		const struct mariadb_job *o = p->workers[i].job;
		if (o && o->seq && o->seq <= j->after)
			return true;
	}
	return false;
}

static struct mariadb_job *take_at(struct mariadb_pool *p, enum queue q, struct mariadb_job **at)
{
	struct mariadb_job *j = *at;

	mariadb_list_cut(&p->queues[q], at);
	p->queued[q]--;
	return j;
}

/* A patient write that an urgent job must come after goes before the urgent ones
 * behind that. */
static struct mariadb_job *take_blocker(struct mariadb_pool *p, const struct mariadb_job *blocked_one)
{
	for (struct mariadb_job **at = &p->queues[QUEUE_PATIENT].first; *at; at = &(*at)->next)
		if ((*at)->seq && (*at)->seq <= blocked_one->after)
			return take_at(p, QUEUE_PATIENT, at);
	return NULL;
}

static struct mariadb_job *take_urgent(struct mariadb_pool *p)
{
	struct mariadb_job *j;

	for (struct mariadb_job **at = &p->queues[QUEUE_URGENT].first; *at; at = &(*at)->next) {
		if (!blocked(p, *at))
			return take_at(p, QUEUE_URGENT, at);
		if ((j = take_blocker(p, *at)) != NULL)
			return j;
	}
	return NULL;
}

/* Patient jobs leave a worker to the others, where there are several. */
static struct mariadb_job *take(struct mariadb_pool *p)
{
	unsigned patient_most = p->options.workers > 1 ? p->options.workers - 1 : 1;
	struct mariadb_job *j = take_urgent(p);

	if (j || p->patient >= patient_most)
		return j;
	for (struct mariadb_job **at = &p->queues[QUEUE_PATIENT].first; *at; at = &(*at)->next)
		if (!blocked(p, *at))
			return take_at(p, QUEUE_PATIENT, at);
	return NULL;
}

/* --- Connections ----------------------------------------------------------- */

static void disconnect(struct worker *w)
{
	struct mariadb_pool *p = w->pool;

	/* First, so that nobody shuts down what another file is by then. */
	w->fd = -1;
	w->up = false;
	pthread_mutex_unlock(&p->lock);
	mariadb_link_close(&w->link);
	pthread_mutex_lock(&p->lock);
}

static bool any_up(const struct mariadb_pool *p)
{
	for (unsigned i = 0; i < p->options.workers; i++)
		if (p->workers[i].up && p->workers[i].epoch == p->epoch)
			return true;
	return false;
}

static void retry_after(struct mariadb_pool *p, bool at_once)
{
	unsigned wait_ms = at_once ? 0 : p->backoff_ms;

	p->retry_ns = thread_now_ns() + wait_ms * (uint64_t)CLOCK_NS_PER_MS;
	if (!at_once)
		p->backoff_ms = wait_ms * 2 < BACKOFF_MOST_MS ? wait_ms * 2 : BACKOFF_MOST_MS;
}

/* A connection, or an attempt at one, failed. Each server gets one chance at once;
 * when all have failed there is a pause, and nothing is taken until one serves. As
 * long as others are connected, they serve, and this is about one more only. */
static void fall_back(struct mariadb_pool *p, bool next_server, bool hangs)
{
	unsigned servers = p->options.where->target.count;
	bool steady = p->up_ns && thread_now_ns() - p->up_ns > STEADY_S * (uint64_t)CLOCK_NS_PER_S;

	if (any_up(p)) {
		retry_after(p, false);
		return;
	}
	if (steady) {
		p->tried = 0;
		p->backoff_ms = BACKOFF_LEAST_MS;
	}
	p->up_ns = 0;
	if (next_server)
		p->server = (p->server + 1) % servers;
	bool all_failed = p->tried++ >= servers;
	retry_after(p, !all_failed);
	if (!all_failed && !hangs)
		return;
	p->settled |= all_failed;
	pthread_cond_broadcast(&p->news);
	atomic_store(&p->serving, false);
	fail_queued(p);
}

/* The worker's connection is lost, or to be left: the others' are suspect, too. */
static void lose(struct worker *w, bool next_server)
{
	struct mariadb_pool *p = w->pool;

	if (w->epoch == p->epoch) {
		p->epoch++;
		fall_back(p, next_server, false);
	}
	disconnect(w);
	pthread_cond_broadcast(&p->work);
}

static void come_up(struct worker *w, unsigned epoch)
{
	struct mariadb_pool *p = w->pool;

	w->up = true;
	w->epoch = epoch;
	if (epoch != p->epoch)
		return;
	note_over(p, MARIADB_AWAY, "works again");
	if (!atomic_load(&p->serving))
		p->came_up++;
	if (!p->up_ns)
		p->up_ns = thread_now_ns();
	p->settled = true;
	atomic_store(&p->serving, true);
	pthread_cond_broadcast(&p->news);
	loop_bell_ring(p->bell);
}

/* Without the lock, but alone: only one worker connects at a time. */
static int try_connect(struct worker *w, unsigned server, struct buf *why)
{
	struct mariadb_pool *p = w->pool;

	int connected = mariadb_link_connect(&w->link, p->options.where, server, why);
	pthread_mutex_lock(&p->lock);
	w->fd = connected == 0 ? mariadb_link_fd(&w->link) : -1;
	bool ending = p->ending;
	pthread_mutex_unlock(&p->lock);
	return connected == 0 && !ending ? mariadb_link_greet(&w->link, p->options.where, why) : -1;
}

static void connect_worker(struct worker *w)
{
	struct mariadb_pool *p = w->pool;
	char text[REASON_MAX];
	struct buf why = BUF_ON(text);
	unsigned epoch = p->epoch, server = p->server;
	bool again = p->tried > p->options.where->target.count;

	p->connecting = true;
	pthread_mutex_unlock(&p->lock);
	if (again)
		mariadb_where_password(p->options.where);
	int connected = try_connect(w, server, &why);
	pthread_mutex_lock(&p->lock);
	p->connecting = false;
	if (connected == 0) {
		come_up(w, epoch);
	} else {
		note_trouble(p, MARIADB_AWAY, "cannot be reached", buf_str(&why));
		fall_back(p, true, false);
		disconnect(w);
	}
	pthread_cond_broadcast(&p->turn);
}

/* Connects when it is this worker's turn, otherwise waits. */
static void get_connected(struct worker *w)
{
	struct mariadb_pool *p = w->pool;

	if (w->up)
		disconnect(w);
	else if (p->connecting)
		pthread_cond_wait(&p->turn, &p->lock);
	else if (thread_now_ns() < p->retry_ns)
		thread_wait_until(&p->turn, &p->lock, p->retry_ns);
	else
		connect_worker(w);
}

/* --- Workers --------------------------------------------------------------- */

/* Figures that are refused stay as they were. */
static void note_outcome(struct worker *w, const struct mariadb_job *j, enum mariadb_fault fault, const char *why)
{
	bool reading = j->kind == MARIADB_READ || j->kind == MARIADB_SCAN;
	enum mariadb_trouble_kind side = reading ? MARIADB_READING : MARIADB_WRITING;

	switch (fault) {
	case MARIADB_FINE:
		if (j->kind != MARIADB_LOOK)
			note_over(w->pool, side, reading ? "can be read again" : "can be written again");
		break;
	case MARIADB_RETRY:
	case MARIADB_REFUSED:
		if (j->kind != MARIADB_LOOK)
			note_trouble(w->pool, side, reading ? "cannot be read" : "cannot be written", why);
		break;
	case MARIADB_LOST:
	case MARIADB_UNFIT:
		if (w->epoch == w->pool->epoch)
			note_trouble(w->pool, MARIADB_AWAY, fault == MARIADB_UNFIT ? "does not serve" : "connection lost", why);
		break;
	}
}

static void conclude(struct worker *w, struct mariadb_job *j, enum mariadb_fault fault, const char *why)
{
	struct mariadb_pool *p = w->pool;
	bool cut = atomic_load(&j->abandoned), lost = fault == MARIADB_LOST || fault == MARIADB_UNFIT;

	if (!cut)
		note_outcome(w, j, fault, why);
	if (lost)
		lose(w, fault == MARIADB_UNFIT);
	/* A server that was restarted costs no request; a write may have had its effect. */
	if (lost && !cut && !j->again && j->kind == MARIADB_READ && atomic_load(&p->serving)) {
		j->again = true;
		mariadb_list_add(&p->queues[QUEUE_URGENT], j);
		p->queued[QUEUE_URGENT]++;
		pthread_cond_broadcast(&p->work);
		return;
	}
	j->unsure = lost;
	finish(p, j, fault != MARIADB_FINE);
}

static void run_job(struct worker *w, struct mariadb_job *j)
{
	struct mariadb_pool *p = w->pool;
	bool patient = queue_of(j) == QUEUE_PATIENT;
	char text[REASON_MAX];
	struct buf why = BUF_ON(text);

	w->job = j;
	p->patient += patient;
	pthread_mutex_unlock(&p->lock);
	enum mariadb_fault fault = mariadb_run(&w->link, w->scratch, j, &why);
	pthread_mutex_lock(&p->lock);
	w->job = NULL;
	p->patient -= patient;
	conclude(w, j, fault, buf_str(&why));
	/* What had to come after it, and what waits for a place of its kind. */
	if (p->queued[QUEUE_URGENT] + p->queued[QUEUE_PATIENT])
		pthread_cond_broadcast(&p->work);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct mariadb_pool *p = w->pool;
	struct mariadb_job *j;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (!w->up || w->epoch != p->epoch) {
			get_connected(w);
		} else if ((j = take(p)) != NULL) {
			run_job(w, j);
		} else {
			p->idle++;
			pthread_cond_wait(&p->work, &p->lock);
			p->idle--;
		}
	}
	disconnect(w);
	p->alive--;
	pthread_cond_broadcast(&p->news);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- Outside --------------------------------------------------------------- */

bool mariadb_pool_serves(const struct mariadb_pool *p)
{
	return atomic_load(&p->serving);
}

unsigned mariadb_pool_came_up(struct mariadb_pool *p)
{
	pthread_mutex_lock(&p->lock);
	unsigned times = p->came_up;
	pthread_mutex_unlock(&p->lock);
	return times;
}

unsigned mariadb_pool_room(struct mariadb_pool *p)
{
	pthread_mutex_lock(&p->lock);
	unsigned queued = p->queued[QUEUE_URGENT] + p->queued[QUEUE_PATIENT];
	unsigned room = p->idle > queued ? p->idle - queued : 0;
	pthread_mutex_unlock(&p->lock);
	return room;
}

void mariadb_pool_submit(struct mariadb_pool *p, struct mariadb_job *j)
{
	enum queue q = queue_of(j);

	mariadb_job_seal(j);
	pthread_mutex_lock(&p->lock);
	if (atomic_load(&p->serving)) {
		mariadb_list_add(&p->queues[q], j);
		p->queued[q]++;
		pthread_cond_signal(&p->work);
	} else {
		finish(p, j, true);
	}
	pthread_mutex_unlock(&p->lock);
}

static bool withdraw(struct mariadb_pool *p, const struct mariadb_job *j)
{
	enum queue q = queue_of(j);

	for (struct mariadb_job **at = &p->queues[q].first; *at; at = &(*at)->next)
		if (*at == j) {
			mariadb_list_cut(&p->queues[q], at);
			p->queued[q]--;
			return true;
		}
	return false;
}

static void cut_off(struct mariadb_pool *p, struct worker *w)
{
	if (w->fd >= 0)
		shutdown(w->fd, SHUT_RDWR);
	if (w->epoch != p->epoch)
		return;
	p->epoch++;
	note_trouble(p, MARIADB_AWAY, "no answer in time", "");
	fall_back(p, true, true);
	pthread_cond_broadcast(&p->work);
}

bool mariadb_pool_give_up(struct mariadb_pool *p, struct mariadb_job *j)
{
	atomic_store(&j->abandoned, true);
	pthread_mutex_lock(&p->lock);
	bool withdrawn = withdraw(p, j);
	if (withdrawn)
		finish(p, j, true);
	for (unsigned i = 0; i < p->options.workers; i++)
		if (p->workers[i].job == j)
			cut_off(p, &p->workers[i]);
	pthread_mutex_unlock(&p->lock);
	return withdrawn;
}

struct mariadb_job *mariadb_pool_done(struct mariadb_pool *p)
{
	pthread_mutex_lock(&p->lock);
	struct mariadb_job *jobs = p->done.first;
	mariadb_list_init(&p->done);
	pthread_mutex_unlock(&p->lock);
	return jobs;
}

bool mariadb_pool_wait(struct mariadb_pool *p, uint64_t until_ns)
{
	bool in_time = true;

	pthread_mutex_lock(&p->lock);
	while (in_time && !p->done.first)
		in_time = thread_wait_until(&p->news, &p->lock, until_ns);
	pthread_mutex_unlock(&p->lock);
	return in_time;
}

void mariadb_pool_settle(struct mariadb_pool *p, uint64_t until_ns)
{
	bool in_time = true;

	pthread_mutex_lock(&p->lock);
	while (in_time && !p->settled)
		in_time = thread_wait_until(&p->news, &p->lock, until_ns);
	pthread_mutex_unlock(&p->lock);
}

const char *mariadb_pool_health(struct mariadb_pool *p)
{
	pthread_mutex_lock(&p->lock);
	const char *text = mariadb_trouble_health(&p->trouble, atomic_load(&p->serving));
	pthread_mutex_unlock(&p->lock);
	return text;
}

/* --- Begin and end --------------------------------------------------------- */

/* All are there before the first begins, which looks at the others. */
static int make_workers(struct mariadb_pool *p, struct buf *why)
{
	for (unsigned i = 0; i < p->options.workers; i++) {
		p->workers[i] = (struct worker){ .pool = p, .fd = -1, .scratch = mariadb_scratch_new() };
		if (!p->workers[i].scratch)
			return buf_fail(why, "out of memory");
	}
	return 0;
}

static int start_workers(struct mariadb_pool *p, struct buf *why)
{
	int started = 0;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; started == 0 && i < p->options.workers; i++) {
		started = thread_start(&p->workers[i].thread, work, &p->workers[i], why);
		p->workers[i].started = started == 0;
		p->alive += started == 0;
	}
	pthread_mutex_unlock(&p->lock);
	return started;
}

struct mariadb_pool *mariadb_pool_new(const struct mariadb_pool_options *options, struct buf *why)
{
	struct mariadb_pool *p = calloc(1, sizeof *p + options->workers * sizeof p->workers[0]);

	if (!p) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	p->options = *options;
	p->backoff_ms = BACKOFF_LEAST_MS;
	mariadb_list_init(&p->queues[QUEUE_URGENT]);
	mariadb_list_init(&p->queues[QUEUE_PATIENT]);
	mariadb_list_init(&p->done);
	pthread_mutex_init(&p->lock, NULL);
	p->bell = loop_bell_new(options->loop, options->ring, options->arg, why);
	if (!p->bell || thread_cond_init(&p->work, why) != 0 ||
	    thread_cond_init(&p->turn, why) != 0 || thread_cond_init(&p->news, why) != 0 ||
	    make_workers(p, why) != 0 || start_workers(p, why) != 0) {
		if (mariadb_pool_end(p))
			mariadb_pool_free(&p);
		return NULL;
	}
	return p;
}

bool mariadb_pool_end(struct mariadb_pool *p)
{
	uint64_t until = thread_now_ns() + STORE_CLOSE_S * (uint64_t)CLOCK_NS_PER_S;
	bool in_time = true;

	pthread_mutex_lock(&p->lock);
	p->ending = true;
	atomic_store(&p->serving, false);
	fail_queued(p);
	for (unsigned i = 0; i < p->options.workers; i++)
		if (p->workers[i].started && p->workers[i].fd >= 0)
			shutdown(p->workers[i].fd, SHUT_RDWR);
	pthread_cond_broadcast(&p->work);
	pthread_cond_broadcast(&p->turn);
	while (p->alive && in_time)
		in_time = thread_wait_until(&p->news, &p->lock, until);
	unsigned alive = p->alive;
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; !alive && i < p->options.workers; i++)
		if (p->workers[i].started)
			pthread_join(p->workers[i].thread, NULL);
	return alive == 0;
}

void mariadb_pool_free(struct mariadb_pool **pool)
{
	struct mariadb_pool *p = *pool;

	if (!p)
		return;
	for (unsigned i = 0; i < p->options.workers; i++)
		mariadb_scratch_free(&p->workers[i].scratch);
	loop_bell_free(&p->bell);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->turn);
	pthread_cond_destroy(&p->news);
	pthread_mutex_destroy(&p->lock);
	free(p);
	*pool = NULL;
}
