#include "lists/listfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, struct buf *out, struct buf *why)
{
	char bytes[16384];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return buf_fail(why, "%s: %s", path, strerror(errno));
		buf_add(out, bytes, (size_t)n);
		if (out->over)
			return buf_fail(why, "%s: larger than %zu bytes", path, out->max);
	}
	return 1;
}

int listfile_read(const char *path, struct buf *out, struct buf *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		buf_fail(why, "%s: does not exist", path);
		return 0;
	}
	if (fd < 0)
		return buf_fail(why, "%s: %s", path, strerror(errno));
	int result = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read_all(fd, path, out, why) :
		     buf_fail(why, "%s: is no regular file", path);
	close(fd);
	return result;
}

/* In a line that is a /pattern/, '#' may be part of it: only one that stands
 * after blanks behind the last slash starts a comment. */
static struct span without_comment(struct span line)
{
	struct span start = span_trim(line);
	size_t from = 0;

	if (start.n && start.p[0] == '/') {
		size_t slash = span_rfind(line, '/');
		from = slash < line.n ? slash : 0;
		if ((size_t)(start.p - line.p) == from)
			from = 0;
	}
	size_t hash = span_find(span_from(line, from), '#');
	return span_head(line, from + hash);
}

static const char *problem_of(struct span entry)
{
	if (entry.n > LISTFILE_LINE_MAX)
		return "line too long";
	for (size_t i = 0; i < entry.n; i++)
		if (ascii_control(entry.p[i]) && entry.p[i] != '\t')
			return "control byte in the line";
	return NULL;
}

void listfile_parse(struct span text, listfile_fn *fn, void *arg)
{
	unsigned number = 0;
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		number++;
		struct span entry = span_trim(without_comment(line));
		if (entry.n)
			fn(arg, number, entry, problem_of(entry));
	}
}
