#include "store/journalfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/key.h"
#include "store/journal.h"

#define LARGE ((off_t)16 << 20)		/* the table, in this form, is at most 10 MB */
#define FILE_MOST ((off_t)64 << 20)
#define LINE_MOST (KEY_MAX + 2 * RECORD_SIZE + 8)

static const char title[] = "greylag journal 1\n";

struct journalfile {
	char path[512];
	int fd;
	off_t size;
	bool said;		/* that it cannot be written */
};

/* --- Lines ---------------------------------------------------------------------- */

static void add_delta(struct buf *line, struct span key, const struct record *delta)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[RECORD_SIZE];

	record_encode(delta, bytes);
	buf_adds(line, "d ");
	for (size_t i = 0; i < sizeof bytes; i++) {
		buf_addc(line, digits[bytes[i] >> 4]);
		buf_addc(line, digits[bytes[i] & 15]);
	}
	buf_addc(line, ' ');
	buf_addspan(line, key);
	buf_addc(line, '\n');
}

static int hex_value(char c)
{
	return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_record(struct span hex, struct record *out)
{
	char bytes[RECORD_SIZE];

	if (hex.n != 2 * sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		int high = hex_value(hex.p[2 * i]), low = hex_value(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (char)(high * 16 + low);
	}
	return record_decode(span_make(bytes, sizeof bytes), out);
}

static void void_counts(struct later *table)
{
	struct record *delta;
	struct span key;
	size_t at = 0;

	while (later_walk(table, &at, &key, &delta))
		journal_void_counts(delta);
}

static bool read_line(struct later *table, struct span line)
{
	struct span word = { 0 }, hex;
	struct record delta;

	span_cut(&line, ' ', &word);
	if (span_eq(word, span_of("m")) && line.n == 0) {
		void_counts(table);
		return true;
	}
	if (span_eq(word, span_of("f")) && line.n > 0 && line.n <= KEY_MAX) {
		later_forget(table, line);
		return true;
	}
	return span_eq(word, span_of("d")) && span_cut(&line, ' ', &hex) && line.n > 0 && line.n <= KEY_MAX &&
	       read_record(hex, &delta) && later_add(table, line, &delta);
}

/* --- Reading --------------------------------------------------------------------- */

static int read_all(struct journalfile *f, struct buf *out, struct buf *why)
{
	char piece[65536];
	ssize_t got;

	while ((got = read(f->fd, piece, sizeof piece)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return buf_fail(why, "store journal %s: %s", f->path, strerror(errno));
		buf_add(out, piece, (size_t)got);
	}
	return out->over ? buf_fail(why, "store journal %s: too large", f->path) : 0;
}

static int load(struct journalfile *f, struct later *table, struct buf *why)
{
	struct buf all = buf_heap((size_t)FILE_MOST);
	unsigned odd = 0;

	if (read_all(f, &all, why) != 0) {
		buf_free(&all);
		return -1;
	}
	struct span rest = buf_span(&all), line;
	if (rest.n && !span_starts(rest, span_of(title))) {
		buf_free(&all);
		return buf_fail(why, "store journal %s: this is no journal of ours", f->path);
	}
	rest = span_from(rest, sizeof title - 1);
	/* What has no end was being written when the process or the machine stopped. */
	rest = span_head(rest, span_rfind(rest, '\n'));
	while (span_cut(&rest, '\n', &line))
		odd += !read_line(table, line);
	if (odd)
		log_msg(LOG_LEVEL_WARNING, "store journal %s: %u lines are damaged and left out", f->path, odd);
	buf_free(&all);
	return 0;
}

/* --- Writing --------------------------------------------------------------------- */

static bool write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t put = write(fd, s.p, s.n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		s = span_from(s, (size_t)put);
	}
	return true;
}

static bool say(struct journalfile *f, bool written)
{
	if (!written && !f->said)
		log_msg(LOG_LEVEL_ERROR, "store journal %s: cannot be written: %s", f->path, strerror(errno));
	f->said = !written;
	return written;
}

static bool append(struct journalfile *f, struct span line)
{
	bool written = write_all(f->fd, line);

	say(f, written);
	/* Half a line would spoil the next one. */
	if (written)
		f->size += (off_t)line.n;
	else if (ftruncate(f->fd, f->size) != 0)
		say(f, false);
	return written;
}

bool journalfile_delta(struct journalfile *f, struct span key, const struct record *delta)
{
	char text[LINE_MOST];
	struct buf line = BUF_ON(text);

	add_delta(&line, key, delta);
	return append(f, buf_span(&line));
}

bool journalfile_forget(struct journalfile *f, struct span key)
{
	char text[LINE_MOST];
	struct buf line = BUF_ON(text);

	buf_adds(&line, "f ");
	buf_addspan(&line, key);
	buf_addc(&line, '\n');
	return append(f, buf_span(&line));
}

bool journalfile_mark(struct journalfile *f)
{
	return append(f, span_of("m\n")) && say(f, fdatasync(f->fd) == 0);
}

bool journalfile_large(const struct journalfile *f)
{
	return f->size > LARGE;
}

static int open_locked(const char *path, int flags, struct buf *why)
{
	int fd = open(path, flags | O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return buf_fail(why, "store journal %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return buf_fail(why, "store journal %s: is in use by another process", path);
}

static bool write_table(struct journalfile *f, struct later *table)
{
	char text[LINE_MOST];
	struct record *delta;
	struct span key;
	size_t at = 0;

	if (!append(f, span_of(title)))
		return false;
	while (later_walk(table, &at, &key, &delta)) {
		struct buf line = BUF_ON(text);
		add_delta(&line, key, delta);
		if (!append(f, buf_span(&line)))
			return false;
	}
	return true;
}

/* An empty table needs no new file; the others are whole before they take the name. */
bool journalfile_renew(struct journalfile *f, struct later *table)
{
	char temporary[sizeof f->path + 8], reason[700];
	struct buf why = BUF_ON(reason);
	struct journalfile next = *f;

	if (later_empty(table)) {
		if (!say(f, ftruncate(f->fd, 0) == 0))
			return false;
		f->size = 0;
		return append(f, span_of(title));
	}
	snprintf(temporary, sizeof temporary, "%s.new", f->path);
	next.fd = open_locked(temporary, O_TRUNC, &why);
	next.size = 0;
	if (next.fd < 0)
		return say(f, false);
	if (!write_table(&next, table) || fdatasync(next.fd) != 0 || rename(temporary, f->path) != 0) {
		say(f, false);
		close(next.fd);
		unlink(temporary);
		return false;
	}
	close(f->fd);
	*f = next;
	return true;
}

/* --- Opening ----------------------------------------------------------------------- */

struct journalfile *journalfile_open(const char *path, struct later *table, struct buf *why)
{
	struct journalfile *f = calloc(1, sizeof *f);

	if (!f || strlen(path) >= sizeof f->path) {
		buf_fail(why, f ? "store journal: the path is too long" : "store journal: out of memory");
		free(f);
		return NULL;
	}
	snprintf(f->path, sizeof f->path, "%s", path);
	f->fd = open_locked(path, 0, why);
	if (f->fd >= 0 && load(f, table, why) == 0 && journalfile_renew(f, table))
		return f;
	if (f->said)
		buf_fail(why, "store journal %s: cannot be written", path);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return NULL;
}

void journalfile_close(struct journalfile **f)
{
	if (!*f)
		return;
	close((*f)->fd);
	free(*f);
	*f = NULL;
}
