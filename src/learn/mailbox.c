#include "learn/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "learn/received.h"
#include "learn/textfile.h"

#define LINES_A_CALL 4096

enum place { AT_START, IN_HEADER, IN_BODY };

struct state {
	struct mailbox_reader *reader;
	struct buf header;
	enum place place;
	bool mbox;
	bool after_empty;		/* the line before was empty */
};

static bool is_separator(struct span line)
{
	static const struct span from = SPAN("From ");

	return span_starts(line, from);
}

static void end_header(struct state *s)
{
	if (s->place == IN_HEADER)
		s->reader->message(s->reader, buf_span(&s->header));
	buf_clear(&s->header);
	s->place = IN_BODY;
}

static void take_line(struct state *s, struct span line)
{
	bool begins = s->place == AT_START || (s->mbox && s->after_empty);

	s->after_empty = line.n == 0;
	if (begins && is_separator(line)) {
		end_header(s);
		s->mbox = true;
		s->place = IN_HEADER;
		return;
	}
	if (s->place == AT_START && line.n)
		s->place = IN_HEADER;
	if (s->place != IN_HEADER)
		return;
	if (line.n == 0) {
		end_header(s);
		return;
	}
	buf_addspan(&s->header, line);
	buf_addc(&s->header, '\n');
}

static void tell_progress(struct mailbox_reader *r, const struct textfile *f, uint64_t *told)
{
	uint64_t at = textfile_offset(f);

	if (r->progress && at > *told)
		r->progress(r, at - *told);
	*told = at > *told ? at : *told;
}

static void read_file(struct mailbox_reader *r, const char *path)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct textfile *f = textfile_open(path, &why);
	struct state s = { .reader = r, .header = buf_heap(RECEIVED_HEADER_MAX) };
	struct span line;
	uint64_t told = 0;
	int more = f ? 1 : -1;

	for (unsigned n = 0; more > 0; n++) {
		more = textfile_line(f, &line, &why);
		if (more > 0)
			take_line(&s, line);
		if (more <= 0 || n % LINES_A_CALL == 0)
			tell_progress(r, f, &told);
	}
	end_header(&s);
	if (more < 0)
		r->trouble(r, path, buf_str(&why));
	buf_free(&s.header);
	textfile_close(&f);
}

/* --- Folders ------------------------------------------------------------------------ */

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool join(struct buf *out, const char *folder, const char *name)
{
	buf_clear(out);
	buf_adds(out, folder);
	buf_addc(out, '/');
	buf_adds(out, name);
	return !out->over;
}

/* Calls each with every file of the folder. Names with a dot in front are none of ours. */
static int walk(const char *folder, void (*each)(void *arg, const char *path), void *arg)
{
	DIR *d = opendir(folder);
	char text[4096];
	struct buf path = BUF_ON(text);
	const struct dirent *entry;

	if (!d)
		return -1;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && join(&path, folder, entry->d_name) && !is_folder(buf_str(&path)))
			each(arg, buf_str(&path));
	closedir(d);
	return 0;
}

/* The folders where messages lie: cur and new of a Maildir, or the folder itself. */
static void walk_messages(const char *path, void (*each)(void *arg, const char *path), void *arg,
			  void (*failed)(void *arg, const char *path, const char *why))
{
	static const char *const parts[] = { "cur", "new" };
	char text[4096];
	struct buf part = BUF_ON(text);
	bool maildir = false;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!join(&part, path, parts[i]) || !is_folder(buf_str(&part)))
			continue;
		maildir = true;
		if (walk(buf_str(&part), each, arg) != 0 && failed)
			failed(arg, buf_str(&part), strerror(errno));
	}
	if (!maildir && walk(path, each, arg) != 0 && failed)
		failed(arg, path, strerror(errno));
}

static void read_one(void *arg, const char *path)
{
	read_file(arg, path);
}

static void report(void *arg, const char *path, const char *why)
{
	struct mailbox_reader *r = arg;

	r->trouble(r, path, why);
}

static void add_size(void *arg, const char *path)
{
	*(uint64_t *)arg += textfile_size(path);
}

void mailbox_read(struct mailbox_reader *r, const char *path)
{
	if (is_folder(path))
		walk_messages(path, read_one, r, report);
	else
		read_file(r, path);
}

uint64_t mailbox_size(const char *path)
{
	uint64_t bytes = 0;

	if (is_folder(path))
		walk_messages(path, add_size, &bytes, NULL);
	else
		bytes = textfile_size(path);
	return bytes;
}
