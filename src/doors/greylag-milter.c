/* greylag-milter(8): the door for Sendmail, and for Postfix where a milter is
 * wanted. One thread, any number of sessions. */
#include <errno.h>
#include <signal.h>
#include <syslog.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/inherit.h"
#include "base/log.h"
#include "base/notify.h"
#include "doors/miltersession.h"

#define LISTEN_DEFAULT "unix:/run/greylag-milter/socket"
#define READ_SIZE ((size_t)16 * 1024)
#define OUT_MAX ((size_t)64 * 1024)
#define CONNECTIONS 256		/* to greylagd */
#define IDLE_MS (2 * 3600 * 1000)	/* Sendmail's own longest wait is one hour */
#define PAUSE_MS 100

struct conn {
	struct door *door;
	struct conn *next, *previous;
	struct loop_watch watch;
	struct loop_timer idle;
	struct milter_session *session;
	struct buf in, out;
	bool dead;
};

struct door {
	struct loop *loop;
	struct milter milter;
	struct loop_watch listener;
	struct loop_timer pause, watchdog;
	struct conn *conns, *graves;
	unsigned count;
	bool inherited;		/* the listening socket is the service manager's */
};

static struct {
	struct endpoint listen;
	unsigned mode;
	char group[64];
	bool syslog;
} settings = { .mode = 0660 };

/* --- Connections ------------------------------------------------------------------- */

static void close_conn(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_watch_set(&c->watch, 0);
	loop_timer_cancel(&c->idle);
	close(c->watch.fd);
	milter_session_free(&c->session);
	if (c->previous)
		c->previous->next = c->next;
	else
		c->door->conns = c->next;
	if (c->next)
		c->next->previous = c->previous;
	c->door->count--;
	c->next = c->door->graves;
	c->door->graves = c;
}

/* Functions up the stack may still look at a closed one. */
static void reap(void *arg)
{
	struct door *d = arg;
	struct conn *c;

	while ((c = d->graves)) {
		d->graves = c->next;
		buf_free(&c->in);
		buf_free(&c->out);
		free(c);
	}
}

static void flush_out(struct conn *c)
{
	ssize_t w = c->out.n ? send(c->watch.fd, c->out.p, c->out.n, MSG_NOSIGNAL) : 0;

	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		close_conn(c);
		return;
	}
	if (w > 0)
		buf_drop(&c->out, (size_t)w);
}

static void work(void *arg)
{
	struct conn *c = arg;
	size_t used = 0;

	enum milter_state state = milter_session_feed(c->session, buf_span(&c->in), &used, &c->out);
	buf_drop(&c->in, used);
	flush_out(c);
	if (c->dead)
		return;
	if (state == MILTER_ENDED || c->out.over) {
		close_conn(c);
		return;
	}
	/* Mail that nobody asks for any more is not worth an answer: reading goes on, so
	 * that an MTA that has gone is noticed. */
	bool room = c->in.n < MILTER_PACKET_MAX + READ_SIZE;
	if (loop_watch_set(&c->watch, (room ? LOOP_READ : 0) | (c->out.n ? LOOP_WRITE : 0)) != 0)
		close_conn(c);
}

static void on_ready(struct loop_watch *w, int ready)
{
	static char bytes[READ_SIZE];
	struct conn *c = w->arg;

	if (ready & LOOP_READ) {
		ssize_t r = recv(w->fd, bytes, sizeof bytes, 0);
		if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR)) {
			close_conn(c);
			return;
		}
		loop_timer_set(&c->idle, IDLE_MS);
		buf_add(&c->in, bytes, r > 0 ? (size_t)r : 0);
	}
	work(c);
}

static void on_idle(struct loop_timer *t)
{
	close_conn(t->arg);
}

static void welcome(struct door *d, int fd)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c)
		c->session = milter_session_new(&d->milter, work, c);
	if (!c || !c->session) {
		log_msg(LOG_LEVEL_ERROR, "connection refused: out of memory");
		free(c);
		close(fd);
		return;
	}
	c->door = d;
	c->in = buf_heap(MILTER_PACKET_MAX + 2 * READ_SIZE);
	c->out = buf_heap(OUT_MAX);
	c->next = d->conns;
	if (d->conns)
		d->conns->previous = c;
	d->conns = c;
	d->count++;
	loop_watch_init(&c->watch, d->loop, fd, on_ready, c);
	loop_timer_init(&c->idle, d->loop, on_idle, c);
	loop_timer_set(&c->idle, IDLE_MS);
	loop_watch_set(&c->watch, LOOP_READ);
}

static void on_connect(struct loop_watch *w, int ready)
{
	struct door *d = w->arg;

	(void)ready;
	for (int i = 0; i < 64; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			welcome(d, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_msg(LOG_LEVEL_WARNING, "out of file descriptors with %u sessions", d->count);
			loop_watch_set(w, 0);
			loop_timer_set(&d->pause, PAUSE_MS);
		}
		return;
	}
}

static void on_pause_over(struct loop_timer *t)
{
	struct door *d = t->arg;

	loop_watch_set(&d->listener, LOOP_READ);
}

/* --- Start and stop ------------------------------------------------------------------ */

static int set_listen(const char *value, struct buf *why)
{
	return endpoint_parse(span_of(value), &settings.listen, why);
}

static int set_mode(const char *value, struct buf *why)
{
	char *end;

	settings.mode = (unsigned)strtoul(value, &end, 8);
	return *value && *end == '\0' && settings.mode <= 0777 ? 0 : buf_fail(why, "octal digits are needed, such as 0660");
}

static int set_group(const char *value, struct buf *why)
{
	return (size_t)snprintf(settings.group, sizeof settings.group, "%s", value) < sizeof settings.group
		? 0 : buf_fail(why, "too long");
}

static int set_syslog(const char *value, struct buf *why)
{
	(void)value;
	(void)why;
	settings.syslog = true;
	return 0;
}

static const struct door_option own[] = {
	{ "listen", "WHERE", "where the MTA asks (default " LISTEN_DEFAULT ")", set_listen },
	{ "mode", "OCTAL", "mode of the UNIX socket (default 0660)", set_mode },
	{ "group", "NAME", "group of the UNIX socket", set_group },
	{ "syslog", NULL, "log to syslog (facility mail) instead of standard error", set_syslog },
	{ 0 },
};

static void on_signal(int number, void *arg)
{
	(void)number;
	loop_stop(arg);
}

static void flush_log(void *arg)
{
	(void)arg;
	log_flush();
}

static void keep_alive(struct loop_timer *t)
{
	unsigned every_ms = notify_watchdog_ms();

	if (every_ms == 0)
		return;
	notify_send("WATCHDOG=1");
	loop_timer_set(t, every_ms);
}

/* One that the service manager handed over is used as it is, and stays its own. */
static int open_socket(struct door *d, struct buf *why)
{
	int fd = inherit_socket(&settings.listen);

	d->inherited = fd >= 0;
	return fd >= 0 ? fd : endpoint_listen(&settings.listen, settings.mode, settings.group, why);
}

static int start(struct door *d, const struct door_options *o, struct buf *why)
{
	d->loop = loop_new(why);
	if (!d->loop)
		return -1;
	/* Before there is a socket that would be left behind. */
	if (loop_on_signal(d->loop, SIGTERM, on_signal, d->loop) != 0 || loop_on_signal(d->loop, SIGINT, on_signal, d->loop) != 0)
		return buf_fail(why, "cannot watch signals");
	int fd = open_socket(d, why);
	if (fd < 0)
		return -1;
	const struct pool_options pool = { .loop = d->loop, .endpoint = o->endpoint, .deadline_ms = o->deadline_ms,
					   .defer = o->defer, .connections = CONNECTIONS };
	d->milter = (struct milter){ .pool = pool_new(&pool, why), .options = o };
	if (!d->milter.pool)
		return -1;
	loop_watch_init(&d->listener, d->loop, fd, on_connect, d);
	loop_timer_init(&d->pause, d->loop, on_pause_over, d);
	loop_timer_init(&d->watchdog, d->loop, keep_alive, d);
	loop_each_turn(d->loop, reap, d);
	loop_each_turn(d->loop, flush_log, NULL);
	return loop_watch_set(&d->listener, LOOP_READ) == 0 ? 0 : buf_fail(why, "cannot watch the socket");
}

int main(int argc, char **argv)
{
	struct door_options options;
	struct door door = { 0 };
	char text[300];
	struct buf why = BUF_ON(text);

	endpoint_parse(span_of(LISTEN_DEFAULT), &settings.listen, &why);
	if (door_options(argc, argv, "", own, &options) < argc) {
		fputs("greylag-milter: only options are expected\n", stderr);
		return 64;
	}
	const struct log_options log = { .target = settings.syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, .ident = "greylag-milter",
					 .facility = LOG_MAIL, .level = LOG_LEVEL_INFO };
	descriptors_raise();
	inherit_begin();
	if (log_open(&log, &why) != 0 || start(&door, &options, &why) != 0) {
		fprintf(stderr, "greylag-milter: %s\n", buf_str(&why));
		return 69;
	}
	signal(SIGPIPE, SIG_IGN);
	log_msg(LOG_LEVEL_NOTICE, "serves on %s, asks %s", settings.listen.name, options.endpoint.name);
	log_flush();
	notify_send("READY=1");
	keep_alive(&door.watchdog);
	loop_run(door.loop);
	notify_send("STOPPING=1");
	loop_timer_cancel(&door.watchdog);
	while (door.conns)
		close_conn(door.conns);
	reap(&door);
	pool_free(&door.milter.pool);
	loop_watch_set(&door.listener, 0);
	if (endpoint_path(&settings.listen) && !door.inherited)
		unlink(endpoint_path(&settings.listen));
	loop_free(&door.loop);
	log_close();
	return 0;
}
