#include "replay/source.h"

#include "learn/textfile.h"
#include "replay/maillogline.h"

struct source {
	char *path;
	struct textfile *file;
	struct maillogline *log;	/* made at the first line that is none of a journal */
	uint64_t line, offset;
	bool waits;			/* `entry` has not been taken */
	struct entry entry;
};

struct sources {
	struct sources_options options;
	struct source **rows;
	size_t count;
	struct source *taken;		/* whose entry the caller looks at */
	uint64_t lines, bad, logged;
};

struct sources *sources_new(const struct sources_options *options)
{
	struct sources *s = calloc(1, sizeof *s);

	if (s)
		s->options = *options;
	return s;
}

static void free_one(struct source *f)
{
	textfile_close(&f->file);
	maillogline_free(&f->log);
	free(f->path);
	free(f);
}

void sources_free(struct sources **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->count; i++)
		free_one((*s)->rows[i]);
	free((*s)->rows);
	free(*s);
	*s = NULL;
}

static void say_bad(struct sources *s, const struct source *f, uint64_t line, const char *why)
{
	s->bad += line != 0;
	if (s->options.bad)
		s->options.bad(s->options.arg, f->path, line, why);
}

/* 1: a request, 0: none, -1 with why. */
static int read_line(struct sources *s, struct source *f, struct span line, struct buf *why)
{
	if (line.n && line.p[0] == '{')
		return entry_read(&f->entry, line, why) ? 1 : -1;
	if (span_trim(line).n == 0)
		return 0;
	if (!f->log && !(f->log = maillogline_new(s->options.now)))
		return buf_fail(why, "out of memory");
	int found = maillogline_read(f->log, line, &f->entry, why);
	s->logged += found == 1;
	return found;
}

/* Reads on to the next request of the file. */
static void advance(struct sources *s, struct source *f)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct span line;
	int more;

	f->waits = f->log && maillogline_next(f->log, &f->entry);
	s->logged += f->waits;
	while (!f->waits && (more = textfile_line(f->file, &line, &why)) != 0) {
		if (more < 0) {
			say_bad(s, f, 0, buf_str(&why));
			return;
		}
		f->line++;
		s->lines++;
		int found = read_line(s, f, line, &why);
		if (found < 0)
			say_bad(s, f, f->line, buf_str(&why));
		f->waits = found == 1;
	}
	f->offset = textfile_offset(f->file);
}

int sources_add(struct sources *s, const char *path, struct buf *why)
{
	struct source **rows = realloc(s->rows, (s->count + 1) * sizeof *rows);
	struct source *f = calloc(1, sizeof *f);

	if (rows)
		s->rows = rows;
	if (!rows || !f || !(f->path = strdup(path))) {
		free(f);
		return buf_fail(why, "out of memory");
	}
	f->file = textfile_open(path, why);
	if (!f->file) {
		free_one(f);
		return -1;
	}
	s->rows[s->count++] = f;
	advance(s, f);
	return 0;
}

struct entry *sources_next(struct sources *s)
{
	struct source *first = NULL;

	if (s->taken) {
		s->taken->waits = false;
		advance(s, s->taken);
	}
	for (size_t i = 0; i < s->count; i++) {
		struct source *f = s->rows[i];
		if (f->waits && (!first || f->entry.at < first->entry.at))
			first = f;
	}
	s->taken = first;
	return first ? &first->entry : NULL;
}

uint64_t sources_lines(const struct sources *s)
{
	return s->lines;
}

uint64_t sources_bad(const struct sources *s)
{
	return s->bad;
}

uint64_t sources_logged(const struct sources *s)
{
	return s->logged;
}

uint64_t sources_offset(const struct sources *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->count; i++)
		sum += s->rows[i]->offset;
	return sum;
}
