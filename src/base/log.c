#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define COLLECT_MAX ((size_t)256 * 1024)
#define FLUSH_AT ((size_t)64 * 1024)

/* Guarded by `lock`: every field, and the writes to fd. */
static struct {
	enum log_target target;
	enum log_level level;
	int facility;
	int fd;
	char path[512];
	char ident[64];
	struct buf pending;
	uint64_t pending_lines;
	uint64_t dropped;
	uint64_t dropped_said;
} state = {
	.target = LOG_TO_STDERR, .level = LOG_LEVEL_INFO, .facility = LOG_MAIL, .fd = STDERR_FILENO,
	.ident = "greylag", .pending = { .max = COLLECT_MAX, .heap = true },
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int syslog_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return LOG_ERR;
	case LOG_LEVEL_WARNING: return LOG_WARNING;
	case LOG_LEVEL_NOTICE: return LOG_NOTICE;
	case LOG_LEVEL_INFO: return LOG_INFO;
	case LOG_LEVEL_DEBUG: return LOG_DEBUG;
	}
	return LOG_INFO;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static void flush_locked(void)
{
	if (state.pending.n == 0)
		return;
	if (!write_all(state.fd, state.pending.p, state.pending.n))
		state.dropped += state.pending_lines;
	buf_clear(&state.pending);
	state.pending_lines = 0;
}

static void add_prefix(struct buf *b)
{
	static time_t last;
	static char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	if (now != last && localtime_r(&now, &tm)) {
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S%z ", &tm);
		last = now;
	}
	buf_adds(b, stamp);
	buf_adds(b, state.ident);
	buf_adds(b, ": ");
}

static void collect(struct span line)
{
	if (state.dropped > state.dropped_said) {
		add_prefix(&state.pending);
		buf_addf(&state.pending, "log lines lost: %llu\n",
			 (unsigned long long)(state.dropped - state.dropped_said));
		state.dropped_said = state.dropped;
	}
	size_t before = state.pending.n;
	add_prefix(&state.pending);
	buf_addspan(&state.pending, line);
	buf_addc(&state.pending, '\n');
	if (state.pending.over) {
		state.pending.n = before;
		state.pending.over = false;
		state.dropped++;
		return;
	}
	state.pending_lines++;
	if (state.pending.n >= FLUSH_AT)
		flush_locked();
}

static void close_target_locked(void)
{
	flush_locked();
	if (state.target == LOG_TO_SYSLOG)
		closelog();
	if (state.target == LOG_TO_FILE && state.fd >= 0)
		close(state.fd);
	state.fd = STDERR_FILENO;
}

static int open_file(const char *path, struct buf *why)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return buf_fail(why, "log file %s: %s", path, strerror(errno));
	return fd;
}

int log_open(const struct log_options *options, struct buf *why)
{
	int fd = STDERR_FILENO;

	if (options->target == LOG_TO_FILE) {
		fd = open_file(options->path, why);
		if (fd < 0)
			return -1;
	}
	pthread_mutex_lock(&lock);
	close_target_locked();
	state.target = options->target;
	state.level = options->level;
	state.facility = options->facility;
	state.fd = fd;
	snprintf(state.path, sizeof state.path, "%s", options->path ? options->path : "");
	snprintf(state.ident, sizeof state.ident, "%s", options->ident);
	if (state.target == LOG_TO_SYSLOG)
		openlog(state.ident, LOG_PID | LOG_NDELAY, state.facility);
	pthread_mutex_unlock(&lock);
	return 0;
}

void log_close(void)
{
	pthread_mutex_lock(&lock);
	close_target_locked();
	state.target = LOG_TO_STDERR;
	buf_free(&state.pending);
	pthread_mutex_unlock(&lock);
}

bool log_wants(enum log_level level)
{
	return level <= __atomic_load_n(&state.level, __ATOMIC_RELAXED);
}

void log_line(enum log_level level, struct span line)
{
	if (!log_wants(level))
		return;
	pthread_mutex_lock(&lock);
	if (state.target == LOG_TO_SYSLOG)
		syslog(syslog_priority(level), "%.*s", SPAN_ARG(line));
	else if (state.target != LOG_TO_NOWHERE)
		collect(line);
	if (level == LOG_LEVEL_ERROR)
		flush_locked();
	pthread_mutex_unlock(&lock);
}

void log_msg(enum log_level level, const char *format, ...)
{
	char text[2000];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t length = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	log_line(level, span_make(text, length));
}

void log_flush(void)
{
	pthread_mutex_lock(&lock);
	flush_locked();
	pthread_mutex_unlock(&lock);
}

uint64_t log_dropped(void)
{
	pthread_mutex_lock(&lock);
	uint64_t dropped = state.dropped;
	pthread_mutex_unlock(&lock);
	return dropped;
}
