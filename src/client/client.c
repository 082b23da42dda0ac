#include "client/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES ((size_t)4 * 1024 * 1024)

static void set_limit(int fd, uint64_t limit_ms)
{
	const struct timeval limit = { .tv_sec = (time_t)(limit_ms / 1000), .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* Sets what is left until the end as the limit of the next step; false when nothing is. */
static bool time_left(const struct client *c)
{
	uint64_t now = clock_mono(&clock_system);

	if (c->until_ns == 0)
		return true;
	if (now >= c->until_ns)
		return false;
	set_limit(c->fd, (c->until_ns - now) / CLOCK_NS_PER_MS + 1);
	return true;
}

int client_open(struct client *c, const char *path, unsigned limit_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	c->in = buf_heap(LINE_MAX_BYTES);
	c->fd = -1;
	c->refused = false;
	c->until_ns = 0;
	if (strlen(path) >= sizeof address.sun_path) {
		snprintf(c->problem, sizeof c->problem, "%s: too long for the path of a socket", path);
		return STATUS_USAGE;
	}
	memcpy(address.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0)
		set_limit(c->fd, limit_ms);
	if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return STATUS_OK;
	int error = errno;
	const char *hint = error == ENOENT || error == ECONNREFUSED ? ": is greylagd running?" :
			   error == EACCES ? ": only its owner may command it" : "";
	snprintf(c->problem, sizeof c->problem, "%s: %s%s", path, strerror(error), hint);
	return error == EACCES ? STATUS_DENIED : STATUS_UNAVAILABLE;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
}

int client_send(struct client *c, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;
	errno = text ? EAGAIN : ENOMEM;
	bool sent = text && time_left(c) && send(c->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n &&
		    send(c->fd, "\n", 1, MSG_NOSIGNAL) == 1;

	free(text);
	if (sent)
		return STATUS_OK;
	snprintf(c->problem, sizeof c->problem, "cannot send: %s", strerror(errno));
	return STATUS_UNAVAILABLE;
}

/* 1 with the next line in *line, -1 when none came. */
static int next_line(struct client *c, struct span *line)
{
	char bytes[16384];

	for (;;) {
		*line = buf_span(&c->in);
		size_t end = span_find(*line, '\n');
		if (end < line->n) {
			line->n = end;
			return 1;
		}
		errno = EAGAIN;
		ssize_t r = time_left(c) ? read(c->fd, bytes, sizeof bytes) : -1;
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0 || c->in.over) {
			snprintf(c->problem, sizeof c->problem, "no answer: %s",
				 r == 0 ? "the daemon closed the connection" :
				 errno == EAGAIN ? "the daemon is silent" : strerror(errno));
			return -1;
		}
		buf_add(&c->in, bytes, (size_t)r);
	}
}

int client_row(struct client *c, json_t **row)
{
	json_error_t error;
	struct span line;

	if (next_line(c, &line) < 0)
		return -1;
	*row = json_loadb(line.p, line.n, 0, &error);
	buf_drop(&c->in, line.n + 1);
	if (!*row) {
		snprintf(c->problem, sizeof c->problem, "an answer that is no JSON: %s", error.text);
		return -1;
	}
	const char *problem = json_string_value(json_object_get(*row, "error"));
	c->refused = problem != NULL;
	bool end = json_is_true(json_object_get(*row, "end"));
	if (problem)
		snprintf(c->problem, sizeof c->problem, "%s", problem);
	if (!problem && !end)
		return 1;
	json_decref(*row);
	*row = NULL;
	return problem ? -1 : 0;
}
