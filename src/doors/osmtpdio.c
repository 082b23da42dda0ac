#include "doors/osmtpdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

#define CHUNK ((size_t)32 * 1024)
#define UNSENT_HIGH ((size_t)256 * 1024)
#define UNSENT_MAX ((size_t)32 * 1024 * 1024)
#define LAST_WORDS_MS 2000

static size_t unsent(const struct osmtpd_io *io)
{
	return io->output.n - io->sent;
}

static void take_lines(struct osmtpd_io *io)
{
	struct span rest = buf_span(&io->input);
	size_t n;

	while ((n = span_find(rest, '\n')) < rest.n) {
		if (!io->skipping)
			io->line(io->arg, span_head(rest, n));
		io->skipping = false;
		rest = span_from(rest, n + 1);
	}
	/* A question whose token is lost would never be answered, so the head counts. */
	if (rest.n && (io->skipping || rest.n == io->input.max)) {
		if (!io->skipping)
			io->line(io->arg, rest);
		io->skipping = true;
		rest = span_from(rest, rest.n);
	}
	buf_drop(&io->input, io->input.n - rest.n);
}

static void end(struct osmtpd_io *io)
{
	io->ended = true;
	loop_watch_set(&io->in, 0);
	loop_timer_set(&io->last_words, LAST_WORDS_MS);
}

static void on_input(struct loop_watch *w, int ready)
{
	struct osmtpd_io *io = w->arg;
	size_t room = io->input.max - io->input.n;

	(void)ready;
	if (room > CHUNK)
		room = CHUNK;
	if (!buf_room(&io->input, room))
		return;
	ssize_t r = read(w->fd, io->input.p + io->input.n, room);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		end(io);
		return;
	}
	io->input.n += (size_t)r;
	take_lines(io);
}

static void on_room(struct loop_watch *w, int ready)
{
	(void)ready;
	osmtpd_io_flush(w->arg);
}

static void on_last_words(struct loop_timer *t)
{
	loop_stop(t->loop);
}

static int unblock(int fd, const char *name, struct buf *why)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return buf_fail(why, "standard %s: %s", name, strerror(errno));
	return 0;
}

int osmtpd_io_start(struct osmtpd_io *io, struct loop *loop, size_t line_max, struct buf *why)
{
	io->loop = loop;
	io->input = buf_heap(line_max);
	io->output = buf_heap(UNSENT_MAX);
	loop_timer_init(&io->last_words, loop, on_last_words, io);
	loop_watch_init(&io->in, loop, STDIN_FILENO, on_input, io);
	loop_watch_init(&io->out, loop, STDOUT_FILENO, on_room, io);
	if (unblock(STDIN_FILENO, "input", why) != 0 || unblock(STDOUT_FILENO, "output", why) != 0)
		return -1;
	/* Now, while there is no mail yet, rather than in the middle of a message. */
	if (!buf_room(&io->input, line_max))
		return buf_fail(why, "out of memory");
	if (loop_watch_set(&io->in, LOOP_READ) != 0)
		return buf_fail(why, "standard input is neither a pipe nor a socket: smtpd(8) starts this program");
	return 0;
}

void osmtpd_io_free(struct osmtpd_io *io)
{
	loop_watch_set(&io->in, 0);
	loop_watch_set(&io->out, 0);
	loop_timer_cancel(&io->last_words);
	buf_free(&io->input);
	buf_free(&io->output);
}

void osmtpd_io_put(struct osmtpd_io *io, const struct span *fields, size_t count)
{
	size_t length = count;

	for (size_t i = 0; i < count; i++)
		length += fields[i].n;
	if (io->deaf)
		return;
	if (!buf_room(&io->output, length)) {
		log_msg(LOG_LEVEL_ERROR, "no memory for a line to smtpd");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		buf_addspan(&io->output, fields[i]);
		buf_addc(&io->output, i + 1 < count ? '|' : '\n');
	}
}

static void write_some(struct osmtpd_io *io)
{
	while (unsent(io)) {
		ssize_t w = write(io->out.fd, io->output.p + io->sent, unsent(io));
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w < 0) {
			/* smtpd is gone; its end of our input will say so. */
			io->deaf = true;
			io->sent = io->output.n;
			break;
		}
		io->sent += (size_t)w;
	}
	if (unsent(io) == 0) {
		buf_clear(&io->output);
		io->sent = 0;
	} else if (io->sent >= UNSENT_HIGH) {
		buf_drop(&io->output, io->sent);
		io->sent = 0;
	}
}

void osmtpd_io_flush(struct osmtpd_io *io)
{
	if (unsent(io))
		write_some(io);
	loop_watch_set(&io->out, unsent(io) ? LOOP_WRITE : 0);
	if (!io->ended)
		loop_watch_set(&io->in, unsent(io) < UNSENT_HIGH ? LOOP_READ : 0);
	else if (unsent(io) == 0)
		loop_stop(io->loop);
}
