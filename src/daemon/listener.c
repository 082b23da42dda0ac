#include "daemon/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "daemon/conn.h"
#include "daemon/control.h"
#include "daemon/greylistdconn.h"

#define ACCEPTS_A_TURN 64
#define PAUSE_MS 100

void listener_name(struct buf *out, const struct listen_spec *spec)
{
	if (spec->tcp)
		buf_addf(out, strchr(spec->host, ':') ? "inet:[%s]:%s" : "inet:%s:%s", spec->host, spec->port);
	else
		buf_addf(out, "unix:%s", spec->path);
}

static bool same_place(const struct listen_spec *a, const struct listen_spec *b)
{
	if (a->tcp != b->tcp || a->kind != b->kind || a->once != b->once || a->read_only != b->read_only)
		return false;
	return a->tcp ? strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0
		      : strcmp(a->path, b->path) == 0;
}

/* --- Opening -------------------------------------------------------------------- */

/* One that the service manager handed over is used as it is, and stays its own. */
static int open_socket(const struct listen_spec *spec, bool *inherited, struct buf *why)
{
	char text[ENDPOINT_TEXT];
	struct buf name = BUF_ON(text);
	struct endpoint e;

	listener_name(&name, spec);
	if (endpoint_parse(buf_span(&name), &e, why) != 0)
		return -1;
	int fd = inherit_socket(&e);
	*inherited = fd >= 0;
	return fd >= 0 ? fd : endpoint_listen(&e, spec->mode, spec->group, why);
}

static void on_pause_over(struct loop_timer *t)
{
	struct listener *l = t->arg;
	loop_watch_set(&l->watch, LOOP_READ);
}

/* --- Accepting ------------------------------------------------------------------ */

/* Out of descriptors: an idle connection goes (the MTA reconnects without
 * noticing), and the newcomer waits in the backlog. */
static void out_of_descriptors(struct listener *l)
{
	struct server *s = l->server;

	if (s->counters.no_descriptors++ % 100 == 0)
		log_msg(LOG_LEVEL_WARNING, "out of file descriptors with %u connections (%s)",
			s->conn_count, strerror(errno));
	conn_shed(s);
	loop_watch_set(&l->watch, 0);
	loop_timer_set(&l->pause, PAUSE_MS);
}

static void welcome(struct listener *l, int fd)
{
	static const int one = 1;

	if (l->refuses) {
		close(fd);
		return;
	}
	l->server->counters.accepted++;
	if (l->spec.tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	switch (l->spec.kind) {
	case LISTEN_POLICY:
		conn_new(l->server, fd, &l->spec);
		break;
	case LISTEN_CONTROL:
		control_new(l, fd);
		break;
	case LISTEN_GREYLISTD:
		greylistdconn_new(l->server, fd);
		break;
	}
}

static void on_connect(struct loop_watch *w, int ready)
{
	struct listener *l = w->arg;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			welcome(l, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			out_of_descriptors(l);
		/* EAGAIN: all accepted. ECONNABORTED and the like: that one has gone. */
		return;
	}
}

int listener_open(struct listener *l, struct server *s, const struct listen_spec *spec,
		  struct buf *why)
{
	struct stat st;
	bool inherited;
	int fd = open_socket(spec, &inherited, why);

	if (fd < 0)
		return -1;
	l->server = s;
	l->spec = *spec;
	l->inode = !spec->tcp && !inherited && lstat(spec->path, &st) == 0 ? st.st_ino : 0;
	loop_watch_init(&l->watch, s->loop, fd, on_connect, l);
	loop_timer_init(&l->pause, s->loop, on_pause_over, l);
	return 0;
}

void listener_start(struct listener *l)
{
	loop_watch_set(&l->watch, LOOP_READ);
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (l->watch.fd < 0)
		return;
	loop_watch_set(&l->watch, 0);
	loop_timer_cancel(&l->pause);
	inherit_close(l->watch.fd);
	l->watch.fd = -1;
	if (l->inode && lstat(l->spec.path, &st) == 0 && st.st_ino == l->inode)
		unlink(l->spec.path);
}

/* --- Sockets of the service manager that no line names ------------------------------ */

/* shutdown() would end such a socket for the manager too, and for good. */
static void refuse(const char *name, int fd, void *arg)
{
	struct server *s = arg;
	struct listener *l = &s->unnamed[s->unnamed_count++];

	log_msg(LOG_LEVEL_WARNING, "no `listen` line names %s, a socket of the service manager: whoever connects there is turned away",
		name);
	*l = (struct listener){ .server = s, .refuses = true };
	loop_watch_init(&l->watch, s->loop, fd, on_connect, l);
	loop_timer_init(&l->pause, s->loop, on_pause_over, l);
	listener_start(l);
}

void listener_leave_unnamed(struct server *s)
{
	for (; s->unnamed_count > 0; s->unnamed_count--) {
		struct listener *l = &s->unnamed[s->unnamed_count - 1];
		loop_watch_set(&l->watch, 0);
		loop_timer_cancel(&l->pause);
	}
}

void listener_refuse_unnamed(struct server *s)
{
	listener_leave_unnamed(s);
	inherit_unused(refuse, s);
}

/* --- Reload --------------------------------------------------------------------- */

static struct listener *find_listener(struct server *s, const struct listen_spec *spec)
{
	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++)
		if (s->listeners[i].watch.fd >= 0 && same_place(&s->listeners[i].spec, spec))
			return &s->listeners[i];
	return NULL;
}

static struct listener *free_listener(struct server *s)
{
	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++)
		if (s->listeners[i].watch.fd < 0)
			return &s->listeners[i];
	return NULL;
}

static bool is_wanted(const struct config *config, const struct listener *l)
{
	for (unsigned i = 0; i < config->listen_count; i++)
		if (same_place(&config->listens[i], &l->spec))
			return true;
	return false;
}

static void close_unwanted(struct server *s, const struct config *config)
{
	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++) {
		struct listener *l = &s->listeners[i];
		if (l->watch.fd < 0 || is_wanted(config, l))
			continue;
		listener_close(l);
		control_close_of(s, l);
	}
}

unsigned listener_sync(struct server *s, const struct config *config)
{
	char text[300];
	struct buf why = buf_on(text, sizeof text);
	unsigned failures = 0;

	close_unwanted(s, config);
	for (unsigned i = 0; i < config->listen_count; i++) {
		const struct listen_spec *spec = &config->listens[i];
		if (find_listener(s, spec))
			continue;
		struct listener *l = free_listener(s);
		if (!l || listener_open(l, s, spec, &why) != 0) {
			log_msg(LOG_LEVEL_ERROR, "reload: %s", l ? buf_str(&why) : "too many listeners");
			failures++;
			continue;
		}
		listener_start(l);
	}
	listener_refuse_unnamed(s);
	return failures;
}
