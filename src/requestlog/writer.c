#include "requestlog/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "store/thread.h"

#define WAKE_AT ((size_t)64 * 1024)	/* bytes that are written at once */
#define WAIT_NS ((uint64_t)CLOCK_NS_PER_S)
#define CLOSE_S 3
#define SAY_EVERY_NS (60 * (uint64_t)CLOCK_NS_PER_S)

/* What the file is; the thread's alone once it runs. */
struct target {
	int fd;
	char path[CONFIG_TEXT_MAX];
	uint64_t limit, size;
	unsigned keep;
};

struct requestlog {
	pthread_t thread;
	struct privacy privacy;		/* loop thread */
	struct target target;		/* the thread's */
	struct buf spill;		/* the thread's: on its way to the disk */
	uint64_t said_ns, said;		/* the thread's: drops that the log knows of */

	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t wake;
	struct buf fill;
	struct target next;		/* fd < 0: none */
	uint64_t taken, lines, dropped;
	bool stop;
	char memory[2][REQUESTLOG_MEMORY];
};

/* --- Files -------------------------------------------------------------------------- */

static int open_file(const char *path, uint64_t *size, struct buf *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;
	char last;

	if (fd < 0)
		return buf_fail(why, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return buf_fail(why, "%s: not a plain file", path);
	}
	*size = (uint64_t)st.st_size;
	/* A line that a crash cut short must not spoil the next one. */
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(fd, "\n", 1) == 1)
		++*size;
	return fd;
}

static int target_open(struct target *t, const struct requestlog_options *o, struct buf *why)
{
	snprintf(t->path, sizeof t->path, "%s", o->path);
	t->limit = o->size < REQUESTLOG_SIZE_LEAST ? REQUESTLOG_SIZE_LEAST : o->size;
	t->keep = o->keep;
	t->fd = open_file(t->path, &t->size, why);
	return t->fd < 0 ? -1 : 0;
}

static bool rename_to(const char *path, unsigned from, unsigned to)
{
	char a[CONFIG_TEXT_MAX + 16], b[CONFIG_TEXT_MAX + 16];

	snprintf(a, sizeof a, from ? "%s.%u" : "%s", path, from);
	snprintf(b, sizeof b, "%s.%u", path, to);
	return rename(a, b) == 0 || errno == ENOENT;
}

static bool rotate(struct target *t)
{
	char text[CONFIG_TEXT_MAX + 100];
	struct buf why = BUF_ON(text);
	uint64_t size = 0;

	for (unsigned i = t->keep; i > 0; i--)
		if (!rename_to(t->path, i - 1, i))
			return false;
	if (t->keep == 0 && unlink(t->path) != 0 && errno != ENOENT)
		return false;
	int fd = open_file(t->path, &size, &why);
	if (fd < 0)
		return false;
	close(t->fd);
	t->fd = fd;
	t->size = size;
	return true;
}

/* --- The thread ----------------------------------------------------------------------- */

static uint64_t lines_in(struct span s)
{
	uint64_t n = 0;

	for (size_t end; (end = span_find(s, '\n')) < s.n; s = span_from(s, end + 1))
		n++;
	return n;
}

static size_t write_some(int fd, struct span s)
{
	size_t done = 0;

	while (done < s.n) {
		ssize_t w = write(fd, s.p + done, s.n - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			break;
		done += (size_t)w;
	}
	return done;
}

/* Writes whole lines; what a full disk took of another one is taken back. Returns the
 * lines that were written. */
static uint64_t write_lines(struct target *t, struct span s)
{
	if (t->size && t->size + s.n > t->limit && !rotate(t))
		return 0;
	size_t done = write_some(t->fd, s);
	if (done == s.n) {
		t->size += done;
		return lines_in(s);
	}
	int error = errno;
	size_t whole = span_rfind(span_head(s, done), '\n');
	whole = whole < done ? whole + 1 : 0;
	t->size += ftruncate(t->fd, (off_t)(t->size + whole)) == 0 ? whole : done;
	errno = error;
	return lines_in(span_head(s, whole));
}

static void say_dropped(struct requestlog *l, uint64_t dropped, int error)
{
	uint64_t now = thread_now_ns();
	char text[CONFIG_TEXT_MAX];
	struct buf path = BUF_ON(text);

	if (dropped == l->said || (l->said_ns && now - l->said_ns < SAY_EVERY_NS))
		return;
	buf_addsafe(&path, span_of(l->target.path), 300);
	log_msg(LOG_LEVEL_WARNING, "journal %s: %llu request(s) not recorded: %s", buf_str(&path),
		(unsigned long long)(dropped - l->said), error ? strerror(error) : "more than the disk takes");
	l->said = dropped;
	l->said_ns = now;
}

static void take_target(struct requestlog *l)
{
	if (l->next.fd < 0)
		return;
	struct stat st;
	close(l->target.fd);
	l->target = l->next;
	l->next.fd = -1;
	/* What was on its way may have gone into the same file. */
	if (fstat(l->target.fd, &st) == 0)
		l->target.size = (uint64_t)st.st_size;
}

/* With the lock, which is given up meanwhile. */
static void write_out(struct requestlog *l)
{
	struct buf full = l->fill;

	l->fill = l->spill;
	l->spill = full;
	buf_clear(&l->fill);
	pthread_mutex_unlock(&l->lock);
	errno = 0;
	uint64_t all = lines_in(buf_span(&full)), written = write_lines(&l->target, buf_span(&full));
	int error = written < all ? errno : 0;
	pthread_mutex_lock(&l->lock);
	l->lines += written;
	l->dropped += all - written;
	uint64_t dropped = l->dropped;
	pthread_mutex_unlock(&l->lock);
	say_dropped(l, dropped, error);
	pthread_mutex_lock(&l->lock);
}

static void *run(void *arg)
{
	struct requestlog *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		uint64_t until = thread_now_ns() + WAIT_NS;
		while (!l->stop && l->next.fd < 0 && l->fill.n < WAKE_AT && thread_wait_until(&l->wake, &l->lock, until))
			;
		/* First: whoever has moved the former file away takes it for complete. */
		take_target(l);
		if (l->fill.n)
			write_out(l);
		if (l->stop && l->fill.n == 0)
			break;
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* --- The loop's side ------------------------------------------------------------------- */

static int find_key(struct privacy *p, const struct requestlog_options *o, struct buf *why)
{
	char path[CONFIG_TEXT_MAX + 8];

	*p = (struct privacy){ .mode = o->privacy };
	if (o->privacy == PRIVACY_NONE)
		return 0;
	snprintf(path, sizeof path, "%s.key", o->path);
	return privacy_key(p, path, why);
}

static int begin(struct requestlog *l, const struct requestlog_options *options, struct buf *why)
{
	l->fill = buf_on(l->memory[0], sizeof l->memory[0]);
	l->spill = buf_on(l->memory[1], sizeof l->memory[1]);
	l->next.fd = -1;
	if (find_key(&l->privacy, options, why) != 0 || target_open(&l->target, options, why) != 0)
		return -1;
	if (pthread_mutex_init(&l->lock, NULL) == 0 && thread_cond_init(&l->wake, why) == 0 &&
	    thread_start(&l->thread, run, l, why) == 0)
		return 0;
	close(l->target.fd);
	return -1;
}

struct requestlog *requestlog_open(const struct requestlog_options *options, struct buf *why)
{
	struct requestlog *l = calloc(1, sizeof *l);

	if (!l)
		buf_fail(why, "out of memory");
	else if (begin(l, options, why) != 0) {
		free(l);
		l = NULL;
	}
	return l;
}

int requestlog_change(struct requestlog *l, const struct requestlog_options *options, struct buf *why)
{
	struct privacy privacy;
	struct target next;

	if (find_key(&privacy, options, why) != 0 || target_open(&next, options, why) != 0)
		return -1;
	l->privacy = privacy;
	pthread_mutex_lock(&l->lock);
	if (l->next.fd >= 0)
		close(l->next.fd);
	l->next = next;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

void requestlog_add(struct requestlog *l, const struct inquiry *q)
{
	char text[ENTRY_LINE_MAX];
	struct buf line = BUF_ON(text);

	entry_add(&line, q, &l->privacy);
	pthread_mutex_lock(&l->lock);
	size_t before = l->fill.n;
	l->taken++;
	if (!line.over)
		buf_addspan(&l->fill, buf_span(&line));
	if (line.over || l->fill.over) {
		l->fill.n = before;
		l->fill.over = false;
		l->dropped++;
	}
	if (before < WAKE_AT && l->fill.n >= WAKE_AT)
		pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void requestlog_stats(struct requestlog *l, struct requestlog_stats *out)
{
	pthread_mutex_lock(&l->lock);
	*out = (struct requestlog_stats){ l->lines, l->dropped, l->taken - l->lines - l->dropped };
	pthread_mutex_unlock(&l->lock);
}

bool requestlog_close(struct requestlog **log)
{
	struct requestlog *l = *log;
	struct timespec until;

	if (!l)
		return true;
	*log = NULL;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	if (pthread_timedjoin_np(l->thread, NULL, &until) != 0)
		return false;
	close(l->target.fd);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return true;
}
