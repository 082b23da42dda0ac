#include "client/pool.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define RESTART_NS ((uint64_t)CLOCK_NS_PER_S)	/* a greylagd that is restarted is back by then */
#define RETRY_MS 50
#define SAY_EVERY_NS (60 * (uint64_t)CLOCK_NS_PER_S)
#define IN_MAX 4096

struct pool_conn {
	struct pool *pool;
	struct pool_conn *next;		/* all, or the idle ones */
	struct loop_watch watch;
	struct pool_ask *ask;		/* NULL: idle */
	bool proved;			/* has answered before: greylagd may have gone since */
	size_t sent;			/* of the question */
	size_t n;
	char in[IN_MAX];
};

struct pool {
	struct pool_options options;
	struct pool_conn *idle;
	unsigned connections;
	struct pool_ask *oldest, *newest;	/* on their way, by deadline */
	struct loop_timer timer;		/* deadlines, and connections to try again */
	uint64_t down_since_ns;			/* first connection that failed, 0 while they work */
	uint64_t said_ns;
	struct pool_stats stats;
};

static uint64_t now_ns(void)
{
	return clock_mono(&clock_system);
}

/* --- Asks on their way ------------------------------------------------------------ */

static void list_add(struct pool *p, struct pool_ask *a)
{
	a->later = NULL;
	a->earlier = p->newest;
	if (p->newest)
		p->newest->later = a;
	else
		p->oldest = a;
	p->newest = a;
	a->waiting = true;
	p->stats.waiting++;
}

static void list_remove(struct pool *p, struct pool_ask *a)
{
	if (a->earlier)
		a->earlier->later = a->later;
	else
		p->oldest = a->later;
	if (a->later)
		a->later->earlier = a->earlier;
	else
		p->newest = a->earlier;
	a->waiting = false;
	p->stats.waiting--;
}

static void set_timer(struct pool *p, unsigned most_ms)
{
	uint64_t now = now_ns();

	if (!p->oldest)
		return;
	uint64_t left_ms = p->oldest->until_ns > now ? (p->oldest->until_ns - now) / CLOCK_NS_PER_MS + 1 : 1;
	loop_timer_set(&p->timer, left_ms < most_ms ? (unsigned)left_ms : most_ms);
}

/* --- Connections ------------------------------------------------------------------- */

static void drop_conn(struct pool_conn *c)
{
	struct pool *p = c->pool;

	for (struct pool_conn **i = &p->idle; *i; i = &(*i)->next)
		if (*i == c) {
			*i = c->next;
			break;
		}
	if (c->ask)
		c->ask->conn = NULL;
	loop_watch_set(&c->watch, 0);
	close(c->watch.fd);
	p->connections--;
	free(c);
}

static void say(struct pool *p, const char *what)
{
	uint64_t now = now_ns();

	p->stats.failed++;
	if (p->said_ns && now - p->said_ns < SAY_EVERY_NS)
		return;
	p->said_ns = now;
	log_msg(LOG_LEVEL_WARNING, "greylagd: %s; mail is %s (%llu questions so far)", what,
		p->options.defer ? "deferred" : "passed", (unsigned long long)p->stats.failed);
}

static void fail_ask(struct pool *p, struct pool_ask *a, const char *what)
{
	struct answer answer;

	list_remove(p, a);
	if (a->conn)
		drop_conn(a->conn);
	say(p, what);
	answer_failed(&answer, p->options.defer);
	a->done(a, &answer);
}

static bool long_down(const struct pool *p)
{
	return p->down_since_ns && now_ns() - p->down_since_ns >= RESTART_NS;
}

/* The question is asked again on another connection: at once when this one had
 * been kept, otherwise as long as a restart of greylagd takes. */
static void broke(struct pool_conn *c, const char *what)
{
	struct pool *p = c->pool;
	struct pool_ask *a = c->ask;
	bool proved = c->proved;

	drop_conn(c);
	if (!a)
		return;
	if (!proved && p->down_since_ns == 0)
		p->down_since_ns = now_ns();
	if (!proved && long_down(p))
		fail_ask(p, a, what);
	set_timer(p, proved ? 0 : RETRY_MS);
}

static void send_question(struct pool_conn *c)
{
	struct span rest = span_from(c->ask->question, c->sent);
	ssize_t w = rest.n ? send(c->watch.fd, rest.p, rest.n, MSG_NOSIGNAL) : 0;

	if (w < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
		broke(c, strerror(errno));
		return;
	}
	if (w > 0) {
		c->sent += (size_t)w;
		c->pool->down_since_ns = 0;
	}
	if (loop_watch_set(&c->watch, LOOP_READ | (c->sent < c->ask->question.n ? LOOP_WRITE : 0)) != 0)
		broke(c, "cannot watch the connection");
}

static void give(struct pool_conn *c, struct pool_ask *a, struct pool *p)
{
	c->ask = a;
	a->conn = c;
	c->sent = c->n = 0;
	p->stats.asked++;
	send_question(c);
}

static void take_answer(struct pool_conn *c, size_t frame)
{
	struct pool *p = c->pool;
	struct pool_ask *a = c->ask;
	struct answer answer;

	if (!answer_parse(span_make(c->in, frame), &answer)) {
		broke(c, "an answer without action");
		return;
	}
	list_remove(p, a);
	a->conn = NULL;
	c->ask = NULL;
	c->proved = true;
	c->next = p->idle;
	p->idle = c;
	p->stats.answered++;
	if (p->said_ns) {
		log_msg(LOG_LEVEL_NOTICE, "greylagd answers again");
		p->said_ns = 0;
	}
	a->done(a, &answer);
	set_timer(p, 0);
}

static void on_ready(struct loop_watch *w, int ready)
{
	struct pool_conn *c = w->arg;

	if (ready & LOOP_WRITE && c->ask && c->sent < c->ask->question.n) {
		send_question(c);
		return;
	}
	if (!(ready & LOOP_READ))
		return;
	ssize_t r = recv(c->watch.fd, c->in + c->n, sizeof c->in - c->n, 0);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0 || !c->ask) {
		broke(c, r < 0 ? strerror(errno) : "the connection was closed");
		return;
	}
	c->n += (size_t)r;
	size_t frame = answer_frame(span_make(c->in, c->n));
	if (frame)
		take_answer(c, frame);
	else if (c->n == sizeof c->in)
		broke(c, "an answer without end");
}

static struct pool_conn *dial(struct pool *p)
{
	int fd = endpoint_connect(&p->options.endpoint);
	struct pool_conn *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;

	if (!c) {
		if (fd >= 0)
			close(fd);
		if (p->down_since_ns == 0)
			p->down_since_ns = now_ns();
		return NULL;
	}
	c->pool = p;
	loop_watch_init(&c->watch, p->options.loop, fd, on_ready, c);
	p->connections++;
	return c;
}

static struct pool_ask *next_unsent(const struct pool *p)
{
	struct pool_ask *a = p->oldest;

	while (a && a->conn)
		a = a->later;
	return a;
}

/* Gives questions that wait to connections, as far as there are any. */
static void start_next(struct pool *p)
{
	struct pool_ask *a;

	while ((a = next_unsent(p))) {
		struct pool_conn *c = p->idle;
		if (c)
			p->idle = c->next;
		else if (p->connections < p->options.connections)
			c = dial(p);
		if (!c)
			break;
		give(c, a, p);
	}
	set_timer(p, p->down_since_ns ? RETRY_MS : UINT32_MAX);
}

static void on_timer(struct loop_timer *t)
{
	struct pool *p = t->arg;
	uint64_t now = now_ns();

	while (p->oldest && p->oldest->until_ns <= now)
		fail_ask(p, p->oldest, "no answer in time");
	start_next(p);
	struct pool_ask *a;
	while (long_down(p) && (a = next_unsent(p)))
		fail_ask(p, a, "cannot connect");
}

/* --- The pool ------------------------------------------------------------------------ */

struct pool *pool_new(const struct pool_options *options, struct buf *why)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	p->options = *options;
	loop_timer_init(&p->timer, options->loop, on_timer, p);
	return p;
}

void pool_ask(struct pool *p, struct pool_ask *a)
{
	a->conn = NULL;
	a->until_ns = now_ns() + (uint64_t)p->options.deadline_ms * CLOCK_NS_PER_MS;
	list_add(p, a);
	/* From the timer, so that done() never runs inside this call. */
	loop_timer_set(&p->timer, 0);
}

void pool_cancel(struct pool *p, struct pool_ask *a)
{
	if (!a->waiting)
		return;
	list_remove(p, a);
	if (a->conn)
		drop_conn(a->conn);
}

void pool_free(struct pool **pool)
{
	struct pool *p = *pool;

	if (!p)
		return;
	while (p->oldest)
		pool_cancel(p, p->oldest);
	for (struct pool_conn *c; (c = p->idle);) {
		p->idle = c->next;
		drop_conn(c);
	}
	loop_timer_cancel(&p->timer);
	free(p);
	*pool = NULL;
}

void pool_stats(const struct pool *p, struct pool_stats *out)
{
	*out = p->stats;
	out->connections = p->connections;
}
