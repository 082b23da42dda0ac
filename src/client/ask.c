#include "client/ask.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 50

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void asker_init(struct asker *a, const struct endpoint *endpoint, unsigned deadline_ms, bool defer)
{
	*a = (struct asker){ .endpoint = *endpoint, .deadline_ms = deadline_ms, .defer = defer, .fd = -1 };
}

void asker_close(struct asker *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* False when the time is over. */
static bool wait_for(int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r;

	do {
		uint64_t now = now_ms();
		r = now < until ? poll(&p, 1, (int)(until - now)) : 0;
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/* A greylagd that is being restarted is back within a second. */
static int dial(const struct asker *a, uint64_t until, struct buf *why)
{
	uint64_t patience = now_ms() + ASK_RESTART_MS;
	int fd;

	while ((fd = endpoint_connect(&a->endpoint)) < 0) {
		uint64_t now = now_ms();
		if (now >= until || now >= patience)
			return buf_fail(why, "cannot connect: %s", strerror(errno));
		poll(NULL, 0, RETRY_MS);
	}
	return fd;
}

static int send_all(int fd, struct span question, uint64_t until, struct buf *why)
{
	while (question.n) {
		ssize_t w = send(fd, question.p, question.n, MSG_NOSIGNAL);
		if (w > 0)
			question = span_from(question, (size_t)w);
		else if (w < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)
			return buf_fail(why, "cannot send: %s", strerror(errno));
		else if (!wait_for(fd, POLLOUT, until))
			return buf_fail(why, "no answer in time");
	}
	return 0;
}

static int receive(int fd, struct answer *out, uint64_t until, struct buf *why)
{
	char bytes[4096];
	size_t n = 0, frame;

	while ((frame = answer_frame(span_make(bytes, n))) == 0) {
		if (n == sizeof bytes)
			return buf_fail(why, "an answer without end");
		if (!wait_for(fd, POLLIN, until))
			return buf_fail(why, "no answer in time");
		ssize_t r = recv(fd, bytes + n, sizeof bytes - n, 0);
		if (r == 0)
			return buf_fail(why, "the connection was closed without an answer");
		if (r < 0 && errno != EAGAIN && errno != EINTR)
			return buf_fail(why, "cannot receive: %s", strerror(errno));
		n += r > 0 ? (size_t)r : 0;
	}
	return answer_parse(span_make(bytes, frame), out) ? 0 : buf_fail(why, "an answer without action");
}

/* On a connection that was kept the peer may have gone meanwhile: then once more
 * on a new one. */
bool asker_ask(struct asker *a, struct span question, struct answer *out, struct buf *why)
{
	uint64_t until = now_ms() + a->deadline_ms;
	bool kept = a->fd >= 0;

	for (;;) {
		if (a->fd < 0)
			a->fd = dial(a, until, why);
		if (a->fd >= 0 && send_all(a->fd, question, until, why) == 0 &&
		    receive(a->fd, out, until, why) == 0)
			return true;
		asker_close(a);
		if (!kept || now_ms() >= until)
			break;
		kept = false;
	}
	answer_failed(out, a->defer);
	return false;
}
