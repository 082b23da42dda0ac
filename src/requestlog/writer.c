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

/* Requests that are not recorded, by the reason. */
struct losses {
	uint64_t unwritten;		/* the file did not take them */
	uint64_t no_room;		/* memory was full */
	uint64_t too_long;		/* over ENTRY_LINE_MAX */
};

struct requestlog {
	pthread_t thread;
	struct requestlog *after;	/* loop thread: in a chain of those left */
	struct privacy privacy;		/* loop thread */
	/* The thread's, up to the lock. */
	struct target target;
	struct buf spill;		/* on its way to the disk */
	struct losses said;		/* what the log knows of */
	uint64_t said_ns, stuck_said_ns;
	int error;			/* why the file took no more; 0: not known */

	pthread_mutex_t lock;		/* guards the rest */
	pthread_cond_t wake;
	struct buf fill;
	struct target next;		/* fd < 0: none */
	uint64_t taken, lines;
	struct losses lost;
	bool stop;
	bool ended;			/* the thread writes no more */
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

static const char *older(struct buf *out, const char *path, unsigned i)
{
	buf_clear(out);
	buf_adds(out, path);
	if (i > 0)
		buf_addf(out, ".%u", i);
	return buf_str(out);
}

static bool rename_to(const char *path, unsigned from, unsigned to)
{
	char a[CONFIG_TEXT_MAX + 16], b[CONFIG_TEXT_MAX + 16];
	struct buf old = BUF_ON(a), new = BUF_ON(b);

	return rename(older(&old, path, from), older(&new, path, to)) == 0 || errno == ENOENT;
}

/* Up to the first number that is free, if there is one: a shift that is tried again after
 * an error must not move a gap upwards until all older files are gone. */
static bool shift(const char *path, unsigned keep)
{
	char text[CONFIG_TEXT_MAX + 16];
	struct buf name = BUF_ON(text);
	struct stat st;
	unsigned last = keep ? 1 : 0;

	while (last < keep && lstat(older(&name, path, last), &st) == 0)
		last++;
	for (; last > 0; last--)
		if (!rename_to(path, last - 1, last))
			return false;
	return true;
}

/* The new file is there before an older one is touched. -1 with why: t is as it was. */
static int rotate(struct target *t, struct buf *why)
{
	char fresh[CONFIG_TEXT_MAX + 8];
	uint64_t size = 0;

	snprintf(fresh, sizeof fresh, "%s.new", t->path);
	int fd = open_file(fresh, &size, why);
	if (fd < 0)
		return -1;
	bool shifted = shift(t->path, t->keep);
	if (!shifted || rename(fresh, t->path) != 0) {
		buf_fail(why, "%s: %s", t->path, strerror(errno));
		if (shifted && t->keep > 0)
			rename_to(t->path, 1, 0);
		unlink(fresh);
		close(fd);
		return -1;
	}
	close(t->fd);
	t->fd = fd;
	t->size = size;
	return 0;
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

static bool is_time_to_say(uint64_t *said_ns)
{
	uint64_t now = thread_now_ns();

	if (*said_ns && now - *said_ns < SAY_EVERY_NS)
		return false;
	*said_ns = now;
	return true;
}

static void say_lost(struct requestlog *l, const struct losses *lost)
{
	const struct { uint64_t n; const char *why; } rows[] = {
		{ lost->unwritten - l->said.unwritten, l->error ? strerror(l->error) : "the file takes no more" },
		{ lost->no_room - l->said.no_room, "more than the disk takes" },
		{ lost->too_long - l->said.too_long, "longer than a line may be" },
	};
	char text[CONFIG_TEXT_MAX];
	struct buf path = BUF_ON(text);

	if (rows[0].n + rows[1].n + rows[2].n == 0 || !is_time_to_say(&l->said_ns))
		return;
	buf_addsafe(&path, span_of(l->target.path), 300);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].n)
			log_msg(LOG_LEVEL_WARNING, "journal %s: %llu request(s) not recorded: %s", buf_str(&path),
				(unsigned long long)rows[i].n, rows[i].why);
	l->said = *lost;
}

/* A file that cannot be rotated grows on: better than to lose what comes. */
static void make_room(struct requestlog *l, size_t bytes)
{
	struct target *t = &l->target;
	char problem[CONFIG_TEXT_MAX + 100], text[CONFIG_TEXT_MAX];
	struct buf why = BUF_ON(problem), safe = BUF_ON(text);

	if (t->size == 0 || t->size + bytes <= t->limit || rotate(t, &why) == 0 || !is_time_to_say(&l->stuck_said_ns))
		return;
	buf_addsafe(&safe, buf_span(&why), 400);
	log_msg(LOG_LEVEL_WARNING, "journal: cannot be rotated, so it grows over its limit: %s", buf_str(&safe));
}

/* Between its opening and now, a rotation may have given the file another name; and what
 * was on its way may have gone into it. */
static void settle(struct target *t)
{
	char text[CONFIG_TEXT_MAX + 100];
	struct buf why = BUF_ON(text);
	struct stat mine, named;
	uint64_t size = 0;

	if (fstat(t->fd, &mine) != 0)
		return;
	t->size = (uint64_t)mine.st_size;
	if (lstat(t->path, &named) == 0 && named.st_ino == mine.st_ino && named.st_dev == mine.st_dev)
		return;
	int fd = open_file(t->path, &size, &why);
	if (fd < 0)
		return;
	close(t->fd);
	t->fd = fd;
	t->size = size;
}

/* With the lock, which is given up meanwhile; so with write_out. */
static void take_target(struct requestlog *l)
{
	int former = l->target.fd;

	if (l->next.fd < 0)
		return;
	l->target = l->next;
	l->next.fd = -1;
	pthread_mutex_unlock(&l->lock);
	close(former);
	settle(&l->target);
	pthread_mutex_lock(&l->lock);
}

static void write_out(struct requestlog *l)
{
	struct buf full = l->fill;

	l->fill = l->spill;
	l->spill = full;
	buf_clear(&l->fill);
	pthread_mutex_unlock(&l->lock);
	make_room(l, full.n);
	errno = 0;
	uint64_t all = lines_in(buf_span(&full)), written = write_lines(&l->target, buf_span(&full));
	if (written < all)
		l->error = errno;
	pthread_mutex_lock(&l->lock);
	l->lines += written;
	l->lost.unwritten += all - written;
}

static void report(struct requestlog *l)
{
	struct losses lost = l->lost;

	pthread_mutex_unlock(&l->lock);
	say_lost(l, &lost);
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
		report(l);
		if (l->stop && l->fill.n == 0 && l->next.fd < 0)
			break;
	}
	l->ended = true;
	pthread_cond_signal(&l->wake);
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
	int unused = l->next.fd;
	l->next = next;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	if (unused >= 0)
		close(unused);
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
	else
		l->lost.too_long++;
	if (l->fill.over) {
		l->fill.n = before;
		l->fill.over = false;
		l->lost.no_room++;
	}
	if (before < WAKE_AT && l->fill.n >= WAKE_AT)
		pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

void requestlog_stats(struct requestlog *l, struct requestlog_stats *out)
{
	pthread_mutex_lock(&l->lock);
	uint64_t dropped = l->lost.unwritten + l->lost.no_room + l->lost.too_long;
	*out = (struct requestlog_stats){ l->lines, dropped, l->taken - l->lines - dropped };
	pthread_mutex_unlock(&l->lock);
}

void requestlog_leave(struct requestlog **log, struct requestlog **left)
{
	struct requestlog *l = *log;

	if (!l)
		return;
	*log = NULL;
	l->after = *left;
	*left = l;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

/* Frees it when its thread has ended by then. */
static bool end_by(struct requestlog *l, uint64_t until_ns)
{
	pthread_mutex_lock(&l->lock);
	while (!l->ended && thread_wait_until(&l->wake, &l->lock, until_ns))
		;
	bool ended = l->ended;
	pthread_mutex_unlock(&l->lock);
	if (!ended)
		return false;
	pthread_join(l->thread, NULL);
	close(l->target.fd);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return true;
}

static void end_all(struct requestlog **left, uint64_t until_ns)
{
	while (*left) {
		struct requestlog *after = (*left)->after;
		if (end_by(*left, until_ns))
			*left = after;
		else
			left = &(*left)->after;
	}
}

void requestlog_reap(struct requestlog **left)
{
	end_all(left, 0);
}

bool requestlog_close(struct requestlog **left)
{
	end_all(left, thread_now_ns() + CLOSE_S * (uint64_t)CLOCK_NS_PER_S);
	return *left == NULL;
}
