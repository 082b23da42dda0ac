#include "learn/textfile.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK ((unsigned)64 * 1024)

struct textfile {
	gzFile gz;
	size_t at, n;			/* what is left of the chunk */
	bool ended;
	struct buf line;
	char line_text[TEXTFILE_LINE_MAX + 1];
	char chunk[CHUNK];
};

struct textfile *textfile_open(const char *path, struct buf *why)
{
	struct textfile *f = calloc(1, sizeof *f);
	bool from_stdin = strcmp(path, "-") == 0;
	int fd = -1;

	if (!f) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	f->line = buf_on(f->line_text, sizeof f->line_text);
	if (from_stdin)
		fd = dup(STDIN_FILENO);
	errno = 0;
	f->gz = !from_stdin ? gzopen(path, "rb") : fd >= 0 ? gzdopen(fd, "rb") : NULL;
	if (f->gz && gzbuffer(f->gz, CHUNK) == 0)
		return f;
	buf_fail(why, "cannot be opened: %s", errno ? strerror(errno) : "out of memory");
	if (!f->gz && fd >= 0)
		close(fd);
	textfile_close(&f);
	return NULL;
}

void textfile_close(struct textfile **f)
{
	if (*f && (*f)->gz)
		gzclose((*f)->gz);
	free(*f);
	*f = NULL;
}

static int fill(struct textfile *f, struct buf *why)
{
	errno = 0;
	int n = gzread(f->gz, f->chunk, CHUNK), code = Z_OK;
	const char *text = gzerror(f->gz, &code);

	f->at = 0;
	f->n = n > 0 ? (size_t)n : 0;
	f->ended = n <= 0;
	if (n > 0)
		return 1;
	/* zlib tells of a file that was cut short only so, after the last byte. */
	if (code == Z_OK || code == Z_STREAM_END)
		return 0;
	return buf_fail(why, "%s", code == Z_BUF_ERROR ? "cut short" : errno ? strerror(errno) : text);
}

int textfile_line(struct textfile *f, struct span *line, struct buf *why)
{
	buf_clear(&f->line);
	for (;;) {
		struct span left = span_make(f->chunk + f->at, f->n - f->at);
		size_t end = span_find(left, '\n');
		buf_addspan(&f->line, span_head(left, end));
		f->at += end < left.n ? end + 1 : end;
		if (end < left.n)
			break;
		int more = f->ended ? 0 : fill(f, why);
		if (more < 0 || (more == 0 && f->line.n == 0))
			return more;
		if (more == 0)
			break;
	}
	*line = buf_span(&f->line);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return 1;
}

int textfile_part(struct textfile *f, struct span *part, struct buf *why)
{
	int more = f->at < f->n ? 1 : f->ended ? 0 : fill(f, why);

	*part = span_make(f->chunk + f->at, more > 0 ? f->n - f->at : 0);
	f->at = f->n;
	return more;
}

uint64_t textfile_offset(const struct textfile *f)
{
	z_off_t at = gzoffset(f->gz);

	return at > 0 ? (uint64_t)at : 0;
}

uint64_t textfile_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}
