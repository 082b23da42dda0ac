#include "daemon/greylistdconn.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/greylistd_command.h"

#define READ_SIZE ((size_t)16 * 1024)
#define FLOOD_MAX ((size_t)256 * 1024)	/* what is read of a command without end */
#define OUT_MAX ((size_t)1024 * 1024)
/* greylist(1) ends its command neither with a line feed nor by closing its
 * side; greylistd took what the first read gave. */
#define QUIET_MS 200

struct greylistdconn {
	struct server *server;
	struct loop_watch watch;
	struct loop_timer quiet;
	struct greylistdconn *next, **link;	/* next: also in the graves */
	struct buf in, out;
	size_t received;
	struct greylistd_command command;
	struct inquiry *inquiry;	/* on its way, or NULL */
	uint64_t since_ns;
	bool begun;			/* the command was complete */
	bool busy;			/* it has not ended yet */
	bool dead;			/* socket closed; buried when the command has ended */
};

/* --- Closing --------------------------------------------------------------------- */

/* Functions up the stack may still look at c: its memory goes with the reaping. */
static void bury(struct greylistdconn *c)
{
	c->next = c->server->greylistd_graves;
	c->server->greylistd_graves = c;
}

void greylistdconn_reap(void *server)
{
	struct server *s = server;
	struct greylistdconn *c;

	while ((c = s->greylistd_graves)) {
		s->greylistd_graves = c->next;
		buf_free(&c->in);
		buf_free(&c->out);
		free(c);
	}
}

static void close_conn(struct greylistdconn *c)
{
	if (c->dead)
		return;
	loop_watch_set(&c->watch, 0);
	loop_timer_cancel(&c->quiet);
	close(c->watch.fd);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->server->conn_count--;
	c->dead = true;
	if (!c->busy)
		bury(c);
}

static void close_broken(struct greylistdconn *c, const char *reason)
{
	c->server->counters.broken++;
	log_msg(LOG_LEVEL_WARNING, "greylistd connection closed: %s", reason);
	close_conn(c);
}

/* --- Answers ---------------------------------------------------------------------- */

static void flush_out(struct greylistdconn *c)
{
	ssize_t w = c->out.n ? write(c->watch.fd, c->out.p, c->out.n) : 0;

	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		close_conn(c);
		return;
	}
	if (w > 0) {
		buf_drop(&c->out, (size_t)w);
		greylistdconn_touch(c);
	}
	if (c->out.n == 0)
		close_conn(c);
	else if (loop_watch_set(&c->watch, LOOP_WRITE) != 0)
		close_broken(c, "cannot watch it");
}

void greylistdconn_end(struct greylistdconn *c)
{
	c->busy = false;
	if (c->dead)
		bury(c);
	else
		flush_out(c);
}

void greylistdconn_fail(struct greylistdconn *c, const char *text)
{
	buf_clear(&c->out);
	buf_addf(&c->out, "error: %s", text);
	greylistdconn_end(c);
}

static void refuse(struct greylistdconn *c, const char *text)
{
	char storage[200];
	struct buf line = BUF_ON(storage);

	buf_addsafe(&line, buf_span(&c->in), 120);
	c->server->counters.broken++;
	log_msg(LOG_LEVEL_WARNING, "greylistd command refused: %s: \"%s\"", text, buf_str(&line));
	greylistdconn_fail(c, text);
}

/* --- Commands --------------------------------------------------------------------- */

static void on_answer(struct inquiry *q)
{
	struct greylistdconn *c = q->arg;

	if (!c->dead)
		greylistdproto_answer(&c->out, &c->command, greylistdproto_list(q->decision.verdict));
	engine_release(&c->inquiry);
	greylistdconn_end(c);
}

static void ask(struct greylistdconn *c)
{
	c->inquiry = engine_inquiry(c->server->engine);
	if (!c->inquiry) {
		greylistdconn_fail(c, "out of memory");
		return;
	}
	c->inquiry->request = c->command.request;
	/* Whether it is blocked is for rules to say. Greylisting need not take note:
	 * ACLs of greylistd-setup-exim4 ask this after they have asked for grey, and
	 * once more, without the sender, about mail that has passed. */
	c->inquiry->dry = c->command.verb == GREYLISTD_CHECK || c->command.first == GREYLISTD_BLACK;
	engine_ask(c->inquiry, on_answer, c);
}

static void dispatch(struct greylistdconn *c)
{
	const struct greylistd_command *command = &c->command;

	switch (command->verb) {
	case GREYLISTD_UPDATE:
	case GREYLISTD_CHECK: ask(c); break;
	case GREYLISTD_ADD: greylistd_add(c, command); break;
	case GREYLISTD_DELETE: greylistd_delete(c, command); break;
	case GREYLISTD_STATS: greylistd_stats(c, command); break;
	case GREYLISTD_MRTG: greylistd_mrtg(c, command); break;
	case GREYLISTD_LIST: greylistd_list(c, command); break;
	case GREYLISTD_CLEAR: greylistd_clear(c, command); break;
	case GREYLISTD_SAVE: greylistd_save(c, command); break;
	case GREYLISTD_RELOAD: greylistd_reload(c, command); break;
	}
}

/* The command is as complete as it will be. */
static void begin(struct greylistdconn *c)
{
	char text[120];
	struct buf why = BUF_ON(text);
	struct span in = buf_span(&c->in);
	size_t end = greylistdproto_line(in);

	loop_timer_cancel(&c->quiet);
	loop_watch_set(&c->watch, 0);
	greylistdconn_touch(c);
	c->begun = c->busy = true;
	if (greylistdproto_parse(span_head(in, end), &c->command, &why) != 0)
		refuse(c, buf_str(&why));
	else
		dispatch(c);
}

/* --- Reading ---------------------------------------------------------------------- */

static void take_input(struct greylistdconn *c)
{
	static char bytes[READ_SIZE];
	ssize_t r = read(c->watch.fd, bytes, sizeof bytes);

	if (r < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_conn(c);
		return;
	}
	if (r == 0 && c->received == 0) {
		close_conn(c);
		return;
	}
	struct span got = span_make(bytes, (size_t)r);
	size_t room = GREYLISTDPROTO_MAX - c->in.n;
	c->received += got.n;
	/* What is over is read on and forgotten, so that the client can take its answer. */
	buf_addspan(&c->in, span_head(got, room));
	if (r == 0 || span_find(got, '\n') < got.n || c->received > FLOOD_MAX)
		begin(c);
	else
		loop_timer_set(&c->quiet, QUIET_MS);
}

static void on_quiet(struct loop_timer *t)
{
	struct greylistdconn *c = t->arg;

	if (!c->dead && !c->begun)
		begin(c);
}

static void on_ready(struct loop_watch *w, int ready)
{
	struct greylistdconn *c = w->arg;

	if (ready & LOOP_WRITE && c->begun && !c->busy)
		flush_out(c);
	else if (ready & LOOP_READ && !c->begun)
		take_input(c);
}

/* --- Many of them ------------------------------------------------------------------ */

void greylistdconn_new(struct server *s, int fd)
{
	struct greylistdconn *c = NULL;

	if (s->conn_count < engine_config(s->engine)->settings.limit_connections || conn_shed(s))
		c = calloc(1, sizeof *c);
	if (!c) {
		log_msg(LOG_LEVEL_WARNING, "greylistd connection refused: %u connections", s->conn_count);
		close(fd);
		return;
	}
	c->server = s;
	c->in = buf_heap(GREYLISTDPROTO_MAX);
	c->out = buf_heap(OUT_MAX);
	c->next = s->greylistds;
	c->link = &s->greylistds;
	if (c->next)
		c->next->link = &c->next;
	s->greylistds = c;
	s->conn_count++;
	loop_watch_init(&c->watch, s->loop, fd, on_ready, c);
	loop_timer_init(&c->quiet, s->loop, on_quiet, c);
	greylistdconn_touch(c);
	if (loop_watch_set(&c->watch, LOOP_READ) != 0)
		close_broken(c, "cannot watch it");
}

static const char *waits_for(const struct greylistdconn *c)
{
	return !c->begun ? "no command" : c->busy ? "the store does not answer" : "peer takes no answer";
}

void greylistdconn_sweep(struct server *s)
{
	uint64_t now = clock_mono(&clock_system);
	uint64_t limit_s = (uint64_t)engine_config(s->engine)->settings.limit_request_time_s;

	for (struct greylistdconn *c = s->greylistds, *next; c; c = next) {
		next = c->next;
		uint64_t waited_s = (now - c->since_ns) / CLOCK_NS_PER_S;
		if (c->inquiry || waited_s < limit_s)
			continue;
		s->counters.slow++;
		log_msg(LOG_LEVEL_WARNING, "greylistd connection closed: %s for %llus", waits_for(c),
			(unsigned long long)waited_s);
		close_conn(c);
	}
}

void greylistdconn_close_idle(struct server *s)
{
	for (struct greylistdconn *c = s->greylistds, *next; c; c = next) {
		next = c->next;
		if (!c->busy && c->out.n == 0)
			close_conn(c);
	}
}

void greylistdconn_close_all(struct server *s)
{
	while (s->greylistds)
		close_conn(s->greylistds);
}

/* --- For the commands --------------------------------------------------------------- */

struct server *greylistdconn_server(const struct greylistdconn *c)
{
	return c->server;
}

struct buf *greylistdconn_out(struct greylistdconn *c)
{
	return &c->out;
}

void greylistdconn_touch(struct greylistdconn *c)
{
	c->since_ns = clock_mono(&clock_system);
}

bool greylistdconn_gone(const struct greylistdconn *c)
{
	return c->dead;
}
