/* list and clear of greylistd's protocol: a scan of the store, page by page. */
#include <time.h>

#include "core/key.h"
#include "daemon/greylistd_command.h"

#define PAGE 500
#define ROWS_MAX 1000			/* of a list */
#define TEXT_MAX ((size_t)256 * 1024)	/* of each section of a list */

struct job {
	struct greylistdconn *conn;
	unsigned lists;
	bool clear;
	int64_t now;
	unsigned rows;
	struct buf white, grey;		/* sections of a list */
	struct store_scan scan;
	struct store_remove remove;
	struct buf doomed;		/* keys of this page to forget, each ended by '\n' */
	struct record records[PAGE];
	char from[KEY_MAX + 1];
};

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

static void finish(struct job *j, const char *error)
{
	struct greylistdconn *c = j->conn;
	struct buf *out = greylistdconn_out(c);

	add_section(out, "Whitelist data:", &j->white);
	add_section(out, "Greylist data:", &j->grey);
	if (j->clear)
		buf_adds(out, "data cleared");
	buf_free(&j->white);
	buf_free(&j->grey);
	buf_free(&j->scan.keys);
	buf_free(&j->doomed);
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

static void take_page(struct job *j)
{
	struct span rest = buf_span(&j->scan.keys), key;

	buf_clear(&j->doomed);
	greylistdconn_touch(j->conn);
	for (unsigned i = 0; !is_full(j) && span_cut(&rest, '\n', &key); i++) {
		const struct record *r = &j->records[i];
		if (!(j->lists & (record_pending(r) ? GREYLISTD_GREY : GREYLISTD_WHITE)))
			continue;
		if (!j->clear) {
			add_row(j, key, r);
			continue;
		}
		buf_addspan(&j->doomed, key);
		buf_addc(&j->doomed, '\n');
	}
}

static void next_page(struct job *j);

static void on_removed(struct store_remove *op, enum store_status status)
{
	struct job *j = op->arg;

	if (status != STORE_DONE)
		finish(j, "the store could not forget all of them");
	else if (!j->scan.more)
		finish(j, NULL);
	else
		next_page(j);
}

/* True when the next page may be read at once. */
static bool after_page(struct job *j)
{
	take_page(j);
	if (j->doomed.n) {
		j->remove = (struct store_remove){ .keys = buf_span(&j->doomed), .done = on_removed, .arg = j };
		enum store_status status = store_remove(greylistdconn_server(j->conn)->store, &j->remove);
		if (status == STORE_PENDING)
			return false;
		if (status == STORE_FAILED) {
			finish(j, "the store could not forget all of them");
			return false;
		}
	}
	if (!j->scan.more || is_full(j)) {
		finish(j, NULL);
		return false;
	}
	return true;
}

static void on_page(struct store_scan *op, enum store_status status)
{
	struct job *j = op->arg;

	if (status != STORE_DONE)
		finish(j, "the store could not be read");
	else if (after_page(j))
		next_page(j);
}

static void next_page(struct job *j)
{
	enum store_status status;

	do {
		if (greylistdconn_gone(j->conn)) {
			finish(j, NULL);
			return;
		}
		status = store_scan(greylistdconn_server(j->conn)->store, &j->scan);
		if (status == STORE_PENDING)
			return;
		if (status == STORE_FAILED) {
			finish(j, "the store could not be read");
			return;
		}
	} while (after_page(j));
}

static void start(struct greylistdconn *c, unsigned lists, bool clear)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j) {
		greylistdconn_fail(c, "out of memory");
		return;
	}
	j->conn = c;
	j->clear = clear;
	j->lists = lists ? lists : GREYLISTD_WHITE | GREYLISTD_GREY;
	j->now = clock_wall(greylistdconn_server(c)->clock);
	j->white = buf_heap(TEXT_MAX + 4 * KEY_MAX + 200);
	j->grey = buf_heap(TEXT_MAX + 4 * KEY_MAX + 200);
	j->doomed = buf_heap(PAGE * (KEY_MAX + 1));
	j->scan = (struct store_scan){ .from = buf_on(j->from, sizeof j->from), .limit = PAGE, .records = j->records,
				       .keys = buf_heap(PAGE * (KEY_MAX + 1)), .done = on_page, .arg = j };
	next_page(j);
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
