#include "doors/smtprefuse.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 20
#define SESSION_MS (60 * 1000)
#define LINGER_MS 2000

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool ready(int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		uint64_t now = now_ms();
		n = now < until ? poll(&p, 1, (int)(until - now)) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

enum greet_wait greet_wait(unsigned ms)
{
	int waiting = 0;

	if (!ready(0, POLLIN, now_ms() + ms))
		return GREET_QUIET;
	return ioctl(0, FIONREAD, &waiting) == 0 && waiting > 0 ? GREET_TALKED : GREET_GONE;
}

static bool say(struct span s, uint64_t until)
{
	while (s.n && ready(1, POLLOUT, until)) {
		ssize_t n = write(1, s.p, s.n);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		s = span_from(s, n > 0 ? (size_t)n : 0);
	}
	return s.n == 0;
}

static bool say_line(struct span line, uint64_t until)
{
	char text[700];
	struct buf b = BUF_ON(text);

	/* Nothing is executed after this. */
	signal(SIGPIPE, SIG_IGN);
	buf_addspan(&b, span_head(line, 600));
	buf_adds(&b, "\r\n");
	return say(buf_span(&b), until);
}

/* A socket that is closed with bytes unread resets the connection, and the client may
 * lose what it was told last. */
static void hang_up(void)
{
	uint64_t until = now_ms() + LINGER_MS;
	char junk[1024];

	if (shutdown(1, SHUT_WR) != 0)
		return;
	while (ready(0, POLLIN, until) && read(0, junk, sizeof junk) > 0)
		;
}

void smtprefuse_line(struct span line)
{
	if (say_line(line, now_ms() + SESSION_MS))
		hang_up();
}

bool smtprefuse_command(struct span command, struct span host, struct span reply, struct buf *out)
{
	enum verb { HELO, EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, VERBS };
	static const struct span words[VERBS] = { SPAN("HELO"), SPAN("EHLO"), SPAN("MAIL"), SPAN("RCPT"),
						  SPAN("DATA"), SPAN("RSET"), SPAN("NOOP"), SPAN("QUIT") };
	struct span word = span_head(command, span_find(command, ' '));
	unsigned i = 0;

	while (i < VERBS && !span_ieq(word, words[i]))
		i++;
	switch ((enum verb)i) {
	case HELO:
	case EHLO: buf_adds(out, "250 "); buf_addspan(out, host); break;
	case MAIL:
	case RSET:
	case NOOP: buf_adds(out, "250 ok"); break;
	case RCPT:
	case DATA: buf_addspan(out, reply); break;
	case QUIT: buf_adds(out, "221 "); buf_addspan(out, host); return false;
	case VERBS: buf_adds(out, "502 unimplemented"); break;
	}
	return true;
}

/* A line without its end; longer ones are cut. False at the end of the session. */
static bool read_line(struct buf *line, uint64_t until)
{
	char c = 0;

	buf_clear(line);
	while (ready(0, POLLIN, until)) {
		ssize_t n = read(0, &c, 1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return false;
		if (c == '\n')
			return true;
		if (c != '\r')
			buf_addc(line, c);
	}
	return false;
}

void smtprefuse_session(struct span host, struct span reply)
{
	static const struct span too_much = SPAN("421 4.7.0 Too many commands");
	uint64_t until = now_ms() + SESSION_MS;
	char text[1000], bytes[700];
	struct buf line = BUF_ON(text), out = BUF_ON(bytes);
	bool more = true;

	buf_adds(&out, "220 ");
	buf_addspan(&out, host);
	buf_adds(&out, " ESMTP");
	for (unsigned i = 0; more && say_line(buf_span(&out), until); i++) {
		if (i == COMMANDS_MAX) {
			smtprefuse_line(too_much);
			return;
		}
		if (!read_line(&line, until))
			return;
		buf_clear(&out);
		more = smtprefuse_command(buf_span(&line), host, reply, &out);
	}
	if (!more)
		smtprefuse_line(buf_span(&out));
}
