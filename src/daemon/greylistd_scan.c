/* list and clear of greylistd's protocol: all records. */
#include <time.h>

#include "daemon/greylistd_command.h"
#include "daemon/recordscan.h"

#define ROWS_MAX 1000			/* of a list */
#define TEXT_MAX ((size_t)256 * 1024)	/* of each section of a list */

struct job {
	struct recordscan scan;		/* first: the scan is the job */
	struct greylistdconn *conn;
	unsigned lists;
	bool clear;
	int64_t now;
	unsigned rows;
	struct buf white, grey;		/* sections of a list */
};

static struct job *job_of(struct recordscan *s)
{
	return (struct job *)s;
}

static void add_section(struct buf *out, const char *title, const struct buf *rows)
{
	size_t width = strlen(title);

	if (rows->n == 0)
		return;
	buf_addf(out, "\n%s\n", title);
	while (width--)
		buf_addc(out, '=');
	buf_addf(out, "\n  %-20s %5s  %s\n", "Last Seen", "Count", "Data");
	buf_addspan(out, buf_span(rows));
}

static void end(struct recordscan *s, const char *error)
{
	struct job *j = job_of(s);
	struct greylistdconn *c = j->conn;
	struct buf *out = greylistdconn_out(c);

	add_section(out, "Whitelist data:", &j->white);
	add_section(out, "Greylist data:", &j->grey);
	if (j->clear)
		buf_adds(out, "data cleared");
	buf_free(&j->white);
	buf_free(&j->grey);
	free(j);
	if (error)
		greylistdconn_fail(c, error);
	else
		greylistdconn_end(c);
}

static void add_row(struct job *j, struct span key, const struct record *r)
{
	struct buf *out = record_pending(r) ? &j->grey : &j->white;
	unsigned long long attempts = r->blocked + r->passed;
	char date[40] = "";
	time_t seen = (time_t)r->last_seen;
	struct tm tm;

	if (record_expired(r, j->now))
		return;
	if (localtime_r(&seen, &tm))
		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
	buf_addf(out, "  %-20s %5llu  ", date, attempts);
	/* Without the word that says what kind of record it is. */
	buf_addsafe(out, span_from(key, 2), KEY_MAX);
	buf_addc(out, '\n');
	j->rows++;
}

static bool is_full(const struct job *j)
{
	return !j->clear && (j->rows >= ROWS_MAX || j->white.n + j->grey.n > TEXT_MAX);
}

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = job_of(s);
	struct key_parts parts;

	/* Living lists, the history and marks are no data of greylistd's. */
	if (!key_split(key, &parts))
		return false;
	if (is_full(j) || !(j->lists & (record_pending(r) ? GREYLISTD_GREY : GREYLISTD_WHITE)))
		return false;
	if (!j->clear)
		add_row(j, key, r);
	return j->clear;
}

static enum recordscan_next next_page(struct recordscan *s)
{
	struct job *j = job_of(s);

	greylistdconn_touch(j->conn);
	return greylistdconn_gone(j->conn) || is_full(j) ? RECORDSCAN_STOP : RECORDSCAN_GO;
}

static void start(struct greylistdconn *c, unsigned lists, bool clear)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j) {
		greylistdconn_fail(c, "out of memory");
		return;
	}
	j->scan = (struct recordscan){ .store = greylistdconn_server(c)->store, .row = take_row, .next = next_page,
				       .done = end };
	j->conn = c;
	j->clear = clear;
	j->lists = lists ? lists : GREYLISTD_WHITE | GREYLISTD_GREY;
	j->now = clock_wall(greylistdconn_server(c)->clock);
	j->white = buf_heap(TEXT_MAX + 4 * KEY_MAX + 200);
	j->grey = buf_heap(TEXT_MAX + 4 * KEY_MAX + 200);
	recordscan_start(&j->scan);
}

void greylistd_list(struct greylistdconn *c, const struct greylistd_command *command)
{
	start(c, command->lists, false);
}

void greylistd_clear(struct greylistdconn *c, const struct greylistd_command *command)
{
	if (command->lists & GREYLISTD_BLACK)
		greylistdconn_fail(c, "what is blocked stands in greylag.conf");
	else
		start(c, command->lists, true);
}
