/* The output of OpenBSD's spamdb(8), and of greydb:
 *   WHITE|IP|||FIRST|PASS|EXPIRE|BLOCKED|PASSED
 *   GREY|IP|HELO|FROM|TO|FIRST|PASS|EXPIRE|BLOCKED|PASSED
 *   TRAPPED|IP|EXPIRE
 *   SPAMTRAP|ADDRESS */
#include "import/import_format.h"

#define FIELDS 10

struct line {
	struct span field[FIELDS];
	unsigned count;
};

static const char not_one[] = "not a line of spamdb";

static bool times(struct import_row *row, const struct span *field)
{
	int64_t blocked, passed;

	if (!import_time(field[0], true, &row->first_seen) || !import_time(field[1], true, &row->passed_at) ||
	    !import_time(field[2], true, &row->expires) || !import_int(field[3], &blocked) || !import_int(field[4], &passed))
		return false;
	row->blocked = blocked > 0 ? (uint64_t)blocked : 0;
	row->passed = passed > 0 ? (uint64_t)passed : 0;
	return true;
}

/* spamd sets the end of a white address anew each time it sees it; when that was is
 * not written. */
static void take_white(struct import *in, const struct line *l)
{
	struct import_row row = { .kind = IMPORT_TRUSTED };

	if (l->count != 9 || !netprefix_parse(l->field[1], &row.client) || !times(&row, l->field + 4)) {
		import_skip(in, not_one);
		return;
	}
	row.last_seen = row.passed_at;
	if (!import_single(&row.client))
		import_give_network(in, &row.client, row.expires, "spamdb WHITE");
	else
		import_give(in, &row);
}

/* The end that spamd gives is some hours away; ours counts from the first attempt. */
static void take_grey(struct import *in, const struct line *l)
{
	struct import_row row = { .kind = IMPORT_WAITING };

	if (l->count != 10 || !netprefix_parse(l->field[1], &row.client) || !times(&row, l->field + 5)) {
		import_skip(in, not_one);
		return;
	}
	row.sender = import_address(l->field[3]);
	row.recipient = import_address(l->field[4]);
	row.last_seen = row.first_seen;
	row.passed_at = row.expires = 0;
	row.passed = 0;
	import_give(in, &row);
}

static void take_trapped(struct import *in, const struct line *l)
{
	struct import_row row = { .kind = IMPORT_ENTRY, .list = "block", .value_kind = "client", .value = l->field[1],
				  .comment = span_of("spamdb TRAPPED") };
	struct netprefix p;

	if (l->count != 3 || !netprefix_parse(l->field[1], &p) || !import_time(l->field[2], true, &row.expires) || row.expires == 0)
		import_skip(in, not_one);
	else
		import_give(in, &row);
}

static void take_spamtrap(struct import *in, const struct line *l)
{
	struct import_row row = { .kind = IMPORT_ENTRY, .list = "trap", .value_kind = "recipient",
				  .value = import_address(l->field[1]), .comment = span_of("spamdb SPAMTRAP") };

	if (l->count != 2 || row.value.n == 0 || span_find(row.value, '@') == row.value.n)
		import_skip(in, not_one);
	else
		import_give(in, &row);
}

static const struct { struct span word; void (*take)(struct import *in, const struct line *l); } kinds[] = {
	{ SPAN("WHITE"), take_white }, { SPAN("GREY"), take_grey }, { SPAN("TRAPPED"), take_trapped },
	{ SPAN("SPAMTRAP"), take_spamtrap },
};

static void take_line(struct import *in, void *arg, struct span text)
{
	struct line l = { .count = 0 };
	struct span rest = span_trim(text);

	(void)arg;
	if (rest.n == 0)
		return;
	/* span_cut does not tell of an empty last field, which none of the lines has. */
	while (l.count < FIELDS && span_cut(&rest, '|', &l.field[l.count]))
		l.count++;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && rest.n == 0; i++)
		if (span_eq(l.field[0], kinds[i].word)) {
			kinds[i].take(in, &l);
			return;
		}
	import_skip(in, not_one);
}

static int read_output(struct import *in, const char *source, struct buf *why)
{
	return import_lines(in, source, take_line, NULL, why);
}

const struct import_format import_spamdb = { "spamdb", "FILE|-", read_output };
