/* relaydelay's one table. AUTO rows are triplets. Rows that people made (MANUAL) have
 * NULL for what does not matter; they let through when their block is over, and hold
 * off for good while it lasts. */
#include "import/import_format.h"
#include "import/table.h"

enum { IP, FROM, TO, BLOCK_EXPIRES, RECORD_EXPIRES, BLOCKED, PASSED, ORIGIN, CREATED, UPDATED };

static const struct table table = { "relaytofrom", 10, false, false, {
	[IP] = { "relay_ip", TABLE_TEXT }, [FROM] = { "mail_from", TABLE_TEXT }, [TO] = { "rcpt_to", TABLE_TEXT },
	[BLOCK_EXPIRES] = { "block_expires", TABLE_DATETIME }, [RECORD_EXPIRES] = { "record_expires", TABLE_DATETIME },
	[BLOCKED] = { "blocked_count", TABLE_TEXT }, [PASSED] = { "passed_count", TABLE_TEXT },
	[ORIGIN] = { "origin_type", TABLE_TEXT }, [CREATED] = { "create_time", TABLE_DATETIME },
	[UPDATED] = { "last_update", TABLE_STAMP } } };

static uint64_t count_of(struct span s)
{
	uint64_t n = 0;

	span_uint(s, INT64_MAX, &n);
	return n;
}

/* Of a record that waits the end is left to us: relaydelay keeps it for hours only. */
static void take_triplet(struct import *in, const struct table_value *v, bool passed)
{
	struct import_row row = { .kind = passed ? IMPORT_PASSED : IMPORT_WAITING };

	if (!netprefix_parse(v[IP].text, &row.client)) {
		import_skip(in, "no address of a client");
		return;
	}
	row.sender = import_address(v[FROM].text);
	row.recipient = import_address(v[TO].text);
	row.first_seen = v[CREATED].time;
	row.last_seen = v[UPDATED].time > v[CREATED].time ? v[UPDATED].time : v[CREATED].time;
	row.blocked = count_of(v[BLOCKED].text);
	if (passed) {
		row.passed_at = row.last_seen;
		row.expires = v[RECORD_EXPIRES].time;
		row.passed = count_of(v[PASSED].text);
	}
	import_give(in, &row);
}

static void take_manual(struct import *in, const struct table_value *v)
{
	bool white = v[BLOCK_EXPIRES].time <= in->now;
	unsigned words = (v[IP].null ? 0u : 1u) + (v[FROM].null ? 0u : 1u) + (v[TO].null ? 0u : 1u);
	int64_t end = white || v[RECORD_EXPIRES].time < v[BLOCK_EXPIRES].time ? v[RECORD_EXPIRES].time : v[BLOCK_EXPIRES].time;
	struct import_row row = { .kind = IMPORT_ENTRY, .list = white ? "allow" : "block", .comment = span_of("relaydelay"),
				  .expires = end < IMPORT_NEVER ? end : 0 };

	if (words == 3 && white) {
		take_triplet(in, v, true);
		return;
	}
	if (words != 1) {
		import_skip(in, "several conditions at once: that is a rule of greylag.conf");
		return;
	}
	row.value_kind = !v[IP].null ? "client" : !v[FROM].null ? "sender" : "recipient";
	row.value = !v[IP].null ? span_trim(v[IP].text) : import_address(!v[FROM].null ? v[FROM].text : v[TO].text);
	if (white && !v[FROM].null)
		import_skip(in, "a sender that is let through: anybody can write that");
	else
		import_give(in, &row);
}

static void take_row(struct import *in, const struct table *t, const struct table_value *v)
{
	(void)t;
	if (v[RECORD_EXPIRES].time <= in->now)
		import_skip(in, "over");
	else if (span_ieq(v[ORIGIN].text, span_of("MANUAL")) || v[IP].null || v[FROM].null || v[TO].null)
		take_manual(in, v);
	else
		take_triplet(in, v, count_of(v[PASSED].text) > 0);
}

static int read_table(struct import *in, const char *source, struct buf *why)
{
	return table_read(in, source, &table, 1, take_row, why);
}

const struct import_format import_relaydelay = { "relaydelay", "FILE|DSN|-", read_table };
