#include "lists/listfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct buf *out, struct buf *why)
{
	char bytes[16384];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return buf_fail(why, "%s", strerror(errno));
		buf_add(out, bytes, (size_t)n);
		if (out->over)
			return buf_fail(why, "larger than %zu bytes", out->max);
	}
	return 1;
}

int listfile_read(const char *path, struct buf *out, struct buf *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		buf_fail(why, "does not exist");
		return 0;
	}
	if (fd < 0)
		return buf_fail(why, "%s", strerror(errno));
	int result = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read_all(fd, out, why) :
		     buf_fail(why, "is no regular file");
	close(fd);
	return result;
}

/* Length of the /pattern/ or /pattern/i at the head of s: up to the first slash
 * behind which only a comment follows. 0 when there is none. */
static size_t pattern_length(struct span s)
{
	for (size_t i = 2; i < s.n; i++) {
		if (s.p[i] != '/' || s.p[i - 1] == '\\')
			continue;
		size_t end = i + 1 < s.n && ascii_lower(s.p[i + 1]) == 'i' ? i + 2 : i + 1;
		struct span rest = span_trim(span_from(s, end));
		if (rest.n == 0 || rest.p[0] == '#')
			return end;
	}
	return 0;
}

static struct span without_comment(struct span line)
{
	struct span s = span_trim(line);
	size_t n = s.n && s.p[0] == '/' ? pattern_length(s) : 0;

	return span_head(s, n ? n : span_find(s, '#'));
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
	static const struct span mark = SPAN("\xef\xbb\xbf");
	unsigned number = 0;
	struct span line;

	/* Some editors begin a file with a byte order mark. */
	if (span_starts(text, mark))
		text = span_from(text, mark.n);
	while (span_cut(&text, '\n', &line)) {
		number++;
		struct span entry = span_trim(without_comment(line));
		if (entry.n)
			fn(arg, number, entry, problem_of(entry));
	}
}
