/* milter-greylist's dump (greylist.conf(5), dumpfile): fields between tabs,
 *   IP <FROM> <RCPT> EPOCH [AUTO] [# DATE]
 * EPOCH is when a retry would be accepted, and with AUTO when the record ends. */
#include "import/import_format.h"

#define DELAY_S 1800		/* `greylist` of greylist.conf, unless it says otherwise */
#define AUTOWHITE_S (30 * IMPORT_DAY)	/* the longest that is usual */

struct dump {
	int64_t since;		/* the file's own time */
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void give(struct import *in, const struct dump *d, struct import_row *row, int64_t epoch, struct span state)
{
	if (state.n == 0) {
		row->kind = IMPORT_WAITING;
		row->first_seen = row->last_seen = earlier(epoch - (in->delay_s ? in->delay_s : DELAY_S), d->since);
	} else if (span_ieq(state, span_of("AUTO"))) {
		/* When it began is not written; a dump must mean the same whenever it is read. */
		row->kind = IMPORT_PASSED;
		row->expires = epoch;
		row->first_seen = row->last_seen = row->passed_at = earlier(epoch - AUTOWHITE_S, d->since);
	} else {
		import_skip(in, "a tarpit's record");
		return;
	}
	import_give(in, row);
}

static void take_line(struct import *in, void *arg, struct span line)
{
	struct import_row row = { 0 };
	struct span ip, from, rcpt, epoch_text;
	int64_t epoch;

	line = span_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return;
	if (!span_cut(&line, '\t', &ip) || !span_cut(&line, '\t', &from) || !span_cut(&line, '\t', &rcpt) ||
	    !netprefix_parse(span_trim(ip), &row.client) || span_trim(from).n < 2 || span_trim(rcpt).n < 2) {
		import_skip(in, "not a line of milter-greylist's dump");
		return;
	}
	/* "EPOCH AUTO # DATE": a tarpit's seconds stand before its word. */
	line = span_trim(span_head(line, span_find(line, '#')));
	size_t n = 0;
	while (n < line.n && !ascii_blank(line.p[n]))
		n++;
	epoch_text = span_head(line, n);
	if (!import_time(epoch_text, true, &epoch)) {
		import_skip(in, "not a line of milter-greylist's dump");
		return;
	}
	row.sender = import_address(from);
	row.recipient = import_address(rcpt);
	give(in, arg, &row, epoch, span_trim(span_from(line, n)));
}

static int read_dump(struct import *in, const char *source, struct buf *why)
{
	struct dump d = { .since = import_file_time(in, source) };

	return import_lines(in, source, take_line, &d, why);
}

const struct import_format import_milter_greylist = { "milter-greylist", "FILE", read_dump };
