#include "doors/relayrun.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENT_IN 0
#define CLIENT_OUT 1
#define FLUSH_MS (300 * 1000)	/* for a client that does not take the server's last words */

/* Bytes on their way from a file to the relay. */
struct inlet {
	int fd;
	bool ended;
	size_t n;
	char bytes[8192];
};

struct run {
	const struct relay_job *job;
	struct smtprelay *relay;
	struct inlet client, server;
	int server_in;			/* -1: closed */
	pid_t pid;
	bool over, reaped;		/* nobody listens any more; the child was waited for */
	int status;
	sigset_t waiting;		/* signals blocked while it sleeps */
};

static void child_ended(int number)
{
	(void)number;
}

/* SIGCHLD is let in only while we sleep, so that none is missed. What the server is
 * given is what we were given. */
static void catch_signals(struct run *r)
{
	struct sigaction on_child = { .sa_handler = child_ended }, ignore = { .sa_handler = SIG_IGN };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &r->waiting);
	sigdelset(&r->waiting, SIGCHLD);
	sigaction(SIGCHLD, &on_child, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* The pipes' numbers are above 2: tcpserver and inetd open the first three. */
static int start(struct run *r, struct buf *why)
{
	struct sigaction normal = { .sa_handler = SIG_DFL };
	int to_server[2], from_server[2];

	/* A parent that ignores SIGCHLD would let the kernel take the exit status. */
	sigaction(SIGCHLD, &normal, NULL);
	if (pipe2(to_server, O_CLOEXEC) != 0 || pipe2(from_server, O_CLOEXEC) != 0)
		return buf_fail(why, "cannot make pipes: %s", strerror(errno));
	r->pid = fork();
	if (r->pid < 0)
		return buf_fail(why, "cannot fork: %s", strerror(errno));
	if (r->pid == 0)
		_exit(dup2(to_server[0], 0) < 0 || dup2(from_server[1], 1) < 0 ? 111 : r->job->become(r->job->argv));
	close(to_server[0]);
	close(from_server[1]);
	r->server_in = to_server[1];
	r->server.fd = from_server[0];
	catch_signals(r);
	return 0;
}

static void no_waiting(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void close_server_in(struct run *r)
{
	if (r->server_in >= 0)
		close(r->server_in);
	r->server_in = -1;
}

static bool wants_bytes(const struct inlet *in)
{
	return !in->ended && in->n < sizeof in->bytes;
}

/* A pipe that a descendant of the dead server holds open has its end when it is empty. */
static void read_some(struct inlet *in, bool writer_is_dead)
{
	ssize_t n;

	if (!wants_bytes(in))
		return;
	do
		n = read(in->fd, in->bytes + in->n, sizeof in->bytes - in->n);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		in->n += (size_t)n;
	else if (n == 0 || errno != EAGAIN || writer_is_dead)
		in->ended = true;
}

/* 1 when something was written, 0 when nothing could be, -1 when nobody reads there
 * any more. */
static int write_some(int fd, struct buf *b)
{
	ssize_t n;

	if (b->n == 0)
		return 0;
	do
		n = write(fd, b->p, b->n);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_drop(b, (size_t)n);
	return n > 0 ? 1 : n == 0 || errno == EAGAIN ? 0 : -1;
}

static size_t pass(struct inlet *in, size_t used)
{
	memmove(in->bytes, in->bytes + used, in->n - used);
	in->n -= used;
	return used;
}

/* As far as it goes without reading or writing. */
static void turn(struct run *r)
{
	struct smtprelay_question q;
	bool moved = true;

	while (moved) {
		moved = pass(&r->server, smtprelay_from_server(r->relay, span_make(r->server.bytes, r->server.n))) > 0;
		moved |= pass(&r->client, smtprelay_from_client(r->relay, span_make(r->client.bytes, r->client.n))) > 0;
		if (smtprelay_asks(r->relay, &q)) {
			r->job->answer(r->relay, r->job->arg);
			moved = true;
		}
	}
	/* With UCSPI-TLS the bytes after STARTTLS belong to sslserver, which reads the same
	 * socket and hands what it deciphers straight to the server. */
	if (smtprelay_in_tls(r->relay) && getenv("SSLCTLFD"))
		r->client.ended = true;
}

/* The server sees the end of its input when it has had all that came before. */
static void close_ends(struct run *r)
{
	if (r->client.ended && r->client.n == 0 && r->server_in >= 0) {
		smtprelay_client_ended(r->relay);
		if (r->relay->to_server.n == 0)
			close_server_in(r);
	}
	if (r->server.ended && r->server.n == 0 && r->relay->to_client.n == 0)
		r->over = true;
}

/* True when there is room for more. A server that reads no more may still have
 * something to say; a client that does not is gone. */
static bool send_some(struct run *r)
{
	int server = r->server_in < 0 ? -1 : write_some(r->server_in, &r->relay->to_server);
	int client = write_some(CLIENT_OUT, &r->relay->to_client);

	if (server < 0) {
		close_server_in(r);
		buf_clear(&r->relay->to_server);
		r->client.ended = true;
		r->client.n = 0;
	}
	r->over = client < 0;
	return !r->over && (server > 0 || client > 0);
}

static void set_poll(struct pollfd *p, int fd, bool wanted, short events)
{
	/* A descriptor that is polled for nothing would still wake us when it hangs up. */
	*p = (struct pollfd){ .fd = wanted ? fd : -1, .events = events };
}

/* What is left in a dead server's pipe can be read without sleeping. */
static void sleep_until_ready(struct run *r)
{
	if (!r->reaped)
		r->reaped = waitpid(r->pid, &r->status, WNOHANG) == r->pid;
	if (r->reaped && wants_bytes(&r->server))
		return;
	struct timespec flush = { .tv_sec = FLUSH_MS / 1000 };
	struct pollfd p[4];

	set_poll(&p[0], CLIENT_IN, wants_bytes(&r->client), POLLIN);
	set_poll(&p[1], r->server_in, r->relay->to_server.n > 0, POLLOUT);
	set_poll(&p[2], r->server.fd, wants_bytes(&r->server), POLLIN);
	set_poll(&p[3], CLIENT_OUT, r->relay->to_client.n > 0, POLLOUT);
	int n = ppoll(p, 4, r->server.ended || r->reaped ? &flush : NULL, &r->waiting);
	if (n == 0)
		r->over = true;
}

int relay_run(const struct relay_job *job, int *status, struct buf *why)
{
	struct run r = { .job = job, .relay = job->relay, .client.fd = CLIENT_IN };

	if (start(&r, why) != 0)
		return -1;
	no_waiting(CLIENT_IN);
	no_waiting(CLIENT_OUT);
	no_waiting(r.server_in);
	no_waiting(r.server.fd);
	while (!r.over) {
		read_some(&r.client, false);
		read_some(&r.server, r.reaped);
		do
			turn(&r);
		while (send_some(&r));
		close_ends(&r);
		if (!r.over)
			sleep_until_ready(&r);
	}
	close_server_in(&r);
	close(r.server.fd);
	while (!r.reaped && waitpid(r.pid, &r.status, 0) < 0 && errno == EINTR)
		;
	*status = r.status;
	return 0;
}
