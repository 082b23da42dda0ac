#include "daemon/conn.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/policyproto.h"
#include "daemon/reply.h"

#define READ_SIZE ((size_t)64 * 1024)
#define KEEP_BUFFER ((size_t)4096)	/* an idle connection keeps no larger one */
#define OUT_MAX ((size_t)64 * 1024)

struct conn {
	struct server *server;
	struct loop_watch watch;
	struct conn *idler, *busier;	/* neighbours in order of last use; busier: next grave */
	struct buf in, out;
	size_t scanned;			/* of `in`: how far the end of the request was looked for */
	size_t frame;			/* of `in`: length of the request on its way */
	struct inquiry *inquiry;	/* on its way, or NULL */
	uint64_t since_ns;		/* last time that something was completed */
	bool running;			/* run() is on the stack */
	bool ended;			/* the peer sends no more */
	bool once;			/* close after the next answer */
	bool always_once;		/* the listener says so */
	char listener[120];
	bool dead;			/* socket closed; buried when the inquiry is back */
};

static void run(struct conn *c);

/* --- Order of use ---------------------------------------------------------------- */

static void unlink_conn(struct conn *c)
{
	struct server *s = c->server;

	if (c->idler)
		c->idler->busier = c->busier;
	else
		s->idlest = c->busier;
	if (c->busier)
		c->busier->idler = c->idler;
	else
		s->busiest = c->idler;
}

static void link_busiest(struct conn *c)
{
	struct server *s = c->server;

	c->idler = s->busiest;
	c->busier = NULL;
	if (s->busiest)
		s->busiest->busier = c;
	else
		s->idlest = c;
	s->busiest = c;
}

static void touch(struct conn *c)
{
	c->since_ns = clock_mono(&clock_system);
	if (c->server->busiest == c)
		return;
	unlink_conn(c);
	link_busiest(c);
}

static bool is_idle(const struct conn *c)
{
	return !c->inquiry && c->in.n == 0 && c->out.n == 0;
}

/* --- Closing --------------------------------------------------------------------- */

/* Functions up the stack may still look at c: its memory goes with conn_reap. */
static void bury(struct conn *c)
{
	c->busier = c->server->graves;
	c->server->graves = c;
}

void conn_reap(void *server)
{
	struct server *s = server;
	struct conn *c;

	while ((c = s->graves)) {
		s->graves = c->busier;
		buf_free(&c->in);
		buf_free(&c->out);
		free(c);
	}
}

/* The inquiry on its way borrows from `in`, so the memory stays until it is back. */
static void close_conn(struct conn *c)
{
	if (c->dead)
		return;
	loop_watch_set(&c->watch, 0);
	close(c->watch.fd);
	unlink_conn(c);
	c->server->conn_count--;
	c->dead = true;
	if (!c->inquiry)
		bury(c);
}

static void close_broken(struct conn *c, const char *reason)
{
	c->server->counters.broken++;
	log_msg(LOG_LEVEL_WARNING, "policy connection closed: %s", reason);
	close_conn(c);
}

/* --- Writing --------------------------------------------------------------------- */

static void send_reply(struct conn *c, struct span reply)
{
	ssize_t w = 0;

	if (c->out.n == 0)
		w = write(c->watch.fd, reply.p, reply.n);
	if (w == (ssize_t)reply.n)
		return;
	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		close_conn(c);
		return;
	}
	buf_addspan(&c->out, span_from(reply, w > 0 ? (size_t)w : 0));
	if (c->out.over)
		close_broken(c, "peer takes no replies");
}

static void flush_out(struct conn *c)
{
	ssize_t w = write(c->watch.fd, c->out.p, c->out.n);

	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		close_conn(c);
		return;
	}
	if (w > 0) {
		buf_drop(&c->out, (size_t)w);
		touch(c);
	}
	if (c->out.n == 0)
		buf_free(&c->out);
}

/* --- Requests -------------------------------------------------------------------- */

static void drop_frame(struct conn *c)
{
	buf_drop(&c->in, c->frame);
	c->frame = c->scanned = 0;
	if (c->in.n == 0 && c->in.cap > KEEP_BUFFER)
		buf_free(&c->in);
}

static void on_answer(struct inquiry *q)
{
	struct conn *c = q->arg;
	char text[REPLY_MAX];
	struct buf reply = buf_on(text, sizeof text);

	if (!c->dead) {
		reply_add(&reply, q, c->server->hostname);
		c->once = c->always_once || q->request.once;
	}
	engine_release(&c->inquiry);
	if (c->dead) {
		bury(c);
		return;
	}
	drop_frame(c);
	touch(c);
	send_reply(c, buf_span(&reply));
	if (!c->running)
		run(c);
}

static void say_junk(const struct conn *c, unsigned junk)
{
	char text[120];
	struct buf client = buf_on(text, sizeof text);

	buf_addsafe(&client, c->inquiry->request.client_text, NETADDR_TEXT);
	log_msg(LOG_LEVEL_WARNING, "policy request with %u line(s) without '=', passed over: client=%s",
		junk, buf_str(&client));
}

/* Hands the request at the head of `in` to the engine. */
static void ask(struct conn *c)
{
	char text[200];
	struct buf why = buf_on(text, sizeof text);
	unsigned junk;

	c->inquiry = engine_inquiry(c->server->engine);
	if (!c->inquiry) {
		close_broken(c, "out of memory");
		return;
	}
	struct span frame = span_head(buf_span(&c->in), c->frame);
	if (policyproto_parse(frame, &c->inquiry->request, &junk, &why) != 0) {
		engine_release(&c->inquiry);
		close_broken(c, buf_str(&why));
		return;
	}
	if (junk)
		say_junk(c, junk);
	c->inquiry->request.listener = span_of(c->listener);
	engine_ask(c->inquiry, on_answer, c);
}

static void set_interest(struct conn *c)
{
	uint64_t most = engine_config(c->server->engine)->settings.limit_request_size;
	int interest = 0;

	if (!c->ended && c->in.n <= most)
		interest |= LOOP_READ;
	if (c->out.n)
		interest |= LOOP_WRITE;
	if (loop_watch_set(&c->watch, interest) != 0)
		close_broken(c, "cannot watch it");
}

/* True when a whole request waits at the head of `in`. */
static bool next_frame(struct conn *c)
{
	c->frame = policyproto_frame(buf_span(&c->in), &c->scanned);
	return c->frame != 0;
}

/* As far as it goes: requests are answered one after the other, in their
 * order, and none is begun while an earlier reply has not been taken. */
static void run(struct conn *c)
{
	char text[120];
	uint64_t most = engine_config(c->server->engine)->settings.limit_request_size;

	c->running = true;
	while (!c->dead && !c->inquiry && c->out.n == 0 && !c->once && next_frame(c))
		ask(c);
	c->running = false;
	if (c->dead)
		return;
	if (!c->inquiry && c->out.n == 0 && c->frame == 0 && c->in.n >= most) {
		snprintf(text, sizeof text, "%zu bytes without the empty line that ends a request", c->in.n);
		close_broken(c, text);
		return;
	}
	if (!c->inquiry && c->out.n == 0 && (c->ended || c->once)) {
		if (c->in.n && !c->once)
			log_msg(LOG_LEVEL_NOTICE, "policy connection ended within a request (%zu bytes)", c->in.n);
		close_conn(c);
		return;
	}
	set_interest(c);
}

static void take_input(struct conn *c)
{
	static char bytes[READ_SIZE];
	ssize_t r = read(c->watch.fd, bytes, sizeof bytes);

	if (r > 0) {
		if (is_idle(c))
			touch(c);
		buf_add(&c->in, bytes, (size_t)r);
		if (c->in.over)
			close_broken(c, "out of memory");
	} else if (r == 0) {
		c->ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		close_conn(c);
	}
}

static void on_ready(struct loop_watch *w, int ready)
{
	struct conn *c = w->arg;

	if (ready & LOOP_WRITE && c->out.n)
		flush_out(c);
	if (ready & LOOP_READ && !c->dead)
		take_input(c);
	run(c);
}

/* --- Many of them ---------------------------------------------------------------- */

bool conn_shed(struct server *s)
{
	for (struct conn *c = s->idlest; c; c = c->busier) {
		if (!is_idle(c))
			continue;
		s->counters.shed++;
		close_conn(c);
		return true;
	}
	return false;
}

/* A path, or ADDRESS:PORT as in the configuration; a reload may take the listener away. */
static void name_listener(struct conn *c, const struct listen_spec *from)
{
	struct buf b = BUF_ON(c->listener);
	bool v6 = strchr(from->host, ':') != NULL;

	if (from->tcp)
		buf_addf(&b, "%s%s%s:%s", v6 ? "[" : "", from->host, v6 ? "]" : "", from->port);
	else
		buf_adds(&b, from->path);
}

void conn_new(struct server *s, int fd, const struct listen_spec *from)
{
	const struct settings *settings = &engine_config(s->engine)->settings;
	struct conn *c = NULL;

	if (s->conn_count < settings->limit_connections || conn_shed(s))
		c = calloc(1, sizeof *c);
	if (!c) {
		log_msg(LOG_LEVEL_WARNING, "connection refused: %u connections, none of them idle", s->conn_count);
		close(fd);
		return;
	}
	c->server = s;
	c->always_once = from->once;
	name_listener(c, from);
	c->in = buf_heap(settings->limit_request_size + READ_SIZE);
	c->out = buf_heap(OUT_MAX);
	loop_watch_init(&c->watch, s->loop, fd, on_ready, c);
	link_busiest(c);
	s->conn_count++;
	touch(c);
	set_interest(c);
}

static void sweep_one(struct conn *c, uint64_t now, const struct settings *s)
{
	uint64_t waited_s = (now - c->since_ns) / CLOCK_NS_PER_S;

	if (c->inquiry)
		return;
	if (is_idle(c)) {
		if (waited_s >= (uint64_t)s->limit_idle_s)
			close_conn(c);
		return;
	}
	if (waited_s < (uint64_t)s->limit_request_time_s)
		return;
	c->server->counters.slow++;
	log_msg(LOG_LEVEL_WARNING, "policy connection closed: %s for %llus",
		c->out.n ? "peer takes no replies" : "request not complete",
		(unsigned long long)waited_s);
	close_conn(c);
}

void conn_sweep(struct server *s)
{
	uint64_t now = clock_mono(&clock_system);
	const struct settings *settings = &engine_config(s->engine)->settings;

	for (struct conn *c = s->idlest, *next; c; c = next) {
		next = c->busier;
		sweep_one(c, now, settings);
	}
}

unsigned conn_close_idle(struct server *s)
{
	for (struct conn *c = s->idlest, *next; c; c = next) {
		next = c->busier;
		if (!c->inquiry && c->out.n == 0)
			close_conn(c);
	}
	return s->conn_count;
}

void conn_close_all(struct server *s)
{
	while (s->idlest)
		close_conn(s->idlest);
}
