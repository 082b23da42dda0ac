#include "server.h"
#include "../lib/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSD "/usr/sbin/nsd"

static int bound(int type, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

bool server_there(void)
{
	return access(NSD, X_OK) == 0;
}

static void in_folder(char *out, size_t size, const struct server *s, const char *name)
{
	snprintf(out, size, "%s/%s", s->folder, name);
}

static void write_config(const struct server *s)
{
	char path[100];

	in_folder(path, sizeof path, s, "nsd.conf");
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "server:\n\tip-address: 127.0.0.1@%u\n\tusername: \"\"\n\tdatabase: \"\"\n\tserver-count: 1\n"
		"\tzonesdir: \"%s\"\n\tpidfile: \"%s/pid\"\n\tlogfile: \"%s/log\"\n\txfrdfile: \"%s/xfrd\"\n"
		"\txfrdir: \"%s\"\n\tzonelistfile: \"%s/zones\"\n\trrl-ratelimit: 0\n"
		"remote-control:\n\tcontrol-enable: no\nzone:\n\tname: test\n\tzonefile: test.zone\n",
		s->port, s->folder, s->folder, s->folder, s->folder, s->folder, s->folder);
	fclose(f);
}

/* The zone file of the tests, and a text too long for a datagram. */
static void write_zone(const struct server *s)
{
	char path[100], line[1000];

	in_folder(path, sizeof path, s, "test.zone");
	FILE *from = fopen(TEST_ZONE, "r"), *to = fopen(path, "w");
	assert_non_null(from);
	assert_non_null(to);
	while (fgets(line, sizeof line, from))
		fputs(line, to);
	fputs("long TXT", to);
	for (unsigned i = 0; i < 20; i++)
		fprintf(to, " \"%0200u\"", i);
	fputs("\n", to);
	fclose(from);
	fclose(to);
}

static bool answers(unsigned port)
{
	static const char question[] = "\1\2\1\0\0\1\0\0\0\0\0\0\4test\0\0\6\0\1";
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_usec = 100000 };
	char answer[600];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	bool good = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
		    send(fd, question, sizeof question - 1, 0) > 0 && recv(fd, answer, sizeof answer, 0) > 12 &&
		    (answer[3] & 15) == 0;
	close(fd);
	return good;
}

void server_real_again(struct server *s)
{
	char config[100];

	in_folder(config, sizeof config, s, "nsd.conf");
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		/* nsd ends its own children; a test that fails leaves none behind. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setpgid(0, 0);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execl(NSD, "nsd", "-d", "-c", config, (char *)NULL);
		_exit(127);
	}
	bool there = answers(s->port);
	for (unsigned i = 0; i < 1000 && !there; i++) {
		assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
		usleep(20000);
		there = answers(s->port);
	}
	assert_true(there);
}

void server_real(struct server *s)
{
	*s = (struct server){ .folder = "/tmp/greylag-nsd-XXXXXX" };
	assert_non_null(mkdtemp(s->folder));
	s->port = port_reserve();
	write_config(s);
	write_zone(s);
	server_real_again(s);
}

/* The misbehaving server from here on; runs in a process of its own. */

struct question {
	unsigned char bytes[600];
	size_t n, end;			/* end: of the question section */
	enum server_way way;
	struct sockaddr_in from;
	int fd;
};

static void reply(const struct question *q, const unsigned char *bytes, size_t n)
{
	(void)!sendto(q->fd, bytes, n, 0, (const struct sockaddr *)&q->from, sizeof q->from);
}

/* A header with flags, the question, and `counts` of answers and authority records in more. */
static void respond(const struct question *q, unsigned flags, unsigned answers, unsigned authority, const void *more,
		    size_t n)
{
	unsigned char out[1000];

	memcpy(out, q->bytes, q->end);
	out[2] = (unsigned char)(flags >> 8);
	out[3] = (unsigned char)flags;
	out[7] = (unsigned char)answers;
	out[9] = (unsigned char)authority;
	out[6] = out[8] = out[10] = out[11] = 0;
	memcpy(out + q->end, more, n);
	reply(q, out, q->end + n);
}

static void address(const struct question *q, const char *octets)
{
	unsigned char record[16] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4 };

	memcpy(record + 12, octets, 4);
	respond(q, 0x8180, 1, 0, record, sizeof record);
}

static void slow(const struct question *q)
{
	if (fork() != 0)
		return;
	usleep(300000);
	address(q, "\x7f\0\0\2");
	_exit(0);
}

static void absent(const struct question *q, const char *ttl)
{
	char soa[] = "\0\0\6\0\1\0\0\0\0\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\0";

	memcpy(soa + 5, ttl, 4);
	memcpy(soa + sizeof soa - 5, ttl, 4);
	respond(q, 0x8183, 0, 1, soa, sizeof soa - 1);
}

static void forged(const struct question *q, unsigned at)
{
	struct question other = *q;

	other.bytes[at] ^= 1;
	address(&other, "\x7f\0\0\x42");
}

static void answer(const struct question *q, enum server_way way, volatile struct server_shared *shared)
{
	static const char root[] = "\0\0\2\0\1\0\0\0\x3c\0\4\2ns\0";
	static const char self[] = "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2\xc0\x0c";
	static const unsigned char noise[40] = { 0xff, 0xfe, 0xfd, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0 };

	switch (way) {
	case WAY_good: address(q, "\x7f\0\0\2"); break;
	case WAY_absent: absent(q, "\0\0\0\x3c"); break;
	case WAY_never: absent(q, "\0\1\x51\x80"); break;
	case WAY_slow: slow(q); break;
	case WAY_silent: break;
	case WAY_refused: respond(q, 0x8185, 0, 0, "", 0); break;
	case WAY_servfail: respond(q, 0x8182, 0, 0, "", 0); break;
	case WAY_notimp: respond(q, 0x8184, 0, 0, "", 0); break;
	case WAY_formerr:
		if (q->n > q->end)
			respond(q, 0x8181, 0, 0, "", 0);
		else
			address(q, "\x7f\0\0\2");
		break;
	case WAY_broken: respond(q, 0x8181, 0, 0, "", 0); break;
	case WAY_referral: respond(q, 0x8100, 0, 1, root, sizeof root - 1); break;
	case WAY_cut: respond(q, 0x8380, 0, 0, "", 0); break;
	case WAY_wrongid: forged(q, 0); break;
	case WAY_wrongname: forged(q, 13); break;
	case WAY_forged:
		forged(q, 0);
		forged(q, 1);
		forged(q, 13);
		address(q, "\x7f\0\0\2");
		break;
	case WAY_garbage: reply(q, noise, sizeof noise); break;
	case WAY_brief: reply(q, q->bytes, 5); break;
	case WAY_empty: reply(q, q->bytes, 0); break;
	case WAY_loop: respond(q, 0x8180, 1, 0, self, sizeof self - 1); break;
	case WAY_missing: respond(q, 0x8180, 9, 0, "", 0); break;
	case WAY_hijacked: address(q, "\xcb\0\x71\7"); break;
	case WAY_quota: address(q, "\x7f\xff\xff\xfe"); break;
	case WAY_moody: answer(q, shared->mood, shared); break;
	case WAY_COUNT: break;
	}
}

/* The label before the last, "bad". */
static bool understand(struct question *q)
{
#define SERVER_WAY_NAME(name) #name,
	static const char *const words[] = { SERVER_WAYS(SERVER_WAY_NAME) };
	struct span label = { 0 }, last = { 0 };
	size_t at = 12;

	while (at < q->n && q->bytes[at] && at + 1 + q->bytes[at] < q->n) {
		label = last;
		last = span_make((const char *)q->bytes + at + 1, q->bytes[at]);
		at += 1 + last.n;
	}
	q->end = at + 5;
	for (unsigned i = 0; i < WAY_COUNT; i++)
		if (span_eq(label, span_of(words[i]))) {
			q->way = (enum server_way)i;
			return q->end <= q->n;
		}
	return false;
}

static void serve(int fd, volatile struct server_shared *shared)
{
	struct question q = { .fd = fd };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		socklen_t n = sizeof q.from;
		ssize_t got = recvfrom(fd, q.bytes, sizeof q.bytes, 0, (struct sockaddr *)&q.from, &n);
		if (got < 0 && errno != EINTR)
			_exit(1);
		if (got < 12)
			continue;
		q.n = (size_t)got;
		shared->questions++;
		if (understand(&q))
			answer(&q, q.way, shared);
	}
}

void server_bad(struct server *s, bool tcp)
{
	unsigned port = port_reserve();
	int fd = bound(SOCK_DGRAM, port), listener = tcp ? bound(SOCK_STREAM, port) : -1;

	assert_true(fd >= 0);
	assert_true(!tcp || listen(listener, 10) == 0);
	*s = (struct server){ .port = port };
	s->shared = mmap(NULL, sizeof *s->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true((void *)(uintptr_t)s->shared != MAP_FAILED);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		serve(fd, s->shared);
	close(fd);
	if (tcp)
		close(listener);
}

void server_stop(struct server *s)
{
	if (!s->pid)
		return;
	/* nsd removes its files when it is asked to end; within 20 s or not at all. */
	kill(s->pid, s->shared ? SIGKILL : SIGTERM);
	pid_t ended = 0;
	for (unsigned i = 0; i < 1000 && (ended = waitpid(s->pid, NULL, WNOHANG)) == 0; i++)
		usleep(20000);
	if (ended == 0) {
		kill(s->shared ? s->pid : -s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

void server_end(struct server *s)
{
	static const char *const files[] = { "nsd.conf", "test.zone", "pid", "log", "xfrd", "zones" };
	char path[100];

	server_stop(s);
	if (s->shared)
		munmap((void *)(uintptr_t)s->shared, sizeof *s->shared);
	for (size_t i = 0; s->folder[0] && i < sizeof files / sizeof *files; i++) {
		in_folder(path, sizeof path, s, files[i]);
		unlink(path);
	}
	if (s->folder[0])
		rmdir(s->folder);
}
