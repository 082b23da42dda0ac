/* The tables of the qmail-spp plugin "greylisting" (M. Mausz): triplets with binary
 * addresses, and lists. All DATETIMEs are UTC. */
#include "import/import_format.h"
#include "import/table.h"

enum { IP, FROM, TO, BLOCK_EXPIRES, RECORD_EXPIRES, BLOCKED, PASSED, CREATED, UPDATED };
enum { LIST_IP, LIST_TO, LIST_BLOCK_EXPIRES, LIST_RECORD_EXPIRES, LIST_COMMENT };
enum { DATA, LISTS };

static const struct table tables[] = {
	[DATA] = { "greylisting_data", 9, false, true, {
		[IP] = { "relay_ip", TABLE_TEXT }, [FROM] = { "mail_from", TABLE_TEXT }, [TO] = { "rcpt_to", TABLE_TEXT },
		[BLOCK_EXPIRES] = { "block_expires", TABLE_DATETIME }, [RECORD_EXPIRES] = { "record_expires", TABLE_DATETIME },
		[BLOCKED] = { "blocked_count", TABLE_TEXT }, [PASSED] = { "passed_count", TABLE_TEXT },
		[CREATED] = { "create_time", TABLE_STAMP }, [UPDATED] = { "last_update", TABLE_STAMP } } },
	[LISTS] = { "greylisting_lists", 5, true, true, {
		[LIST_IP] = { "ipaddr", TABLE_TEXT }, [LIST_TO] = { "rcpt_to", TABLE_TEXT },
		[LIST_BLOCK_EXPIRES] = { "block_expires", TABLE_DATETIME },
		[LIST_RECORD_EXPIRES] = { "record_expires", TABLE_DATETIME }, [LIST_COMMENT] = { "comment", TABLE_TEXT } } },
};

/* The bytes of INET6_ATON; before version 0.5 the number of INET_ATON. A network is
 * written as its first address. */
static bool read_client(struct span s, struct netprefix *out)
{
	static const uint8_t zeros[8];
	struct netaddr a = { .family = s.n == 4 ? 4 : 6 };
	uint64_t number;

	if (s.n == 4 || s.n == 16) {
		memcpy(a.bytes, s.p, s.n);
		netaddr_unmap(&a);
	} else if (span_uint(s, UINT32_MAX, &number)) {
		a.family = 4;
		for (unsigned i = 0; i < 4; i++)
			a.bytes[i] = (uint8_t)(number >> (24 - 8 * i));
	} else if (!netaddr_parse(s, &a)) {
		return false;
	}
	bool network = a.family == 4 ? a.bytes[3] == 0 : memcmp(a.bytes + 8, zeros, sizeof zeros) == 0;
	*out = netaddr_network(&a, !network ? 128 : a.family == 4 ? 24 : 64);
	return true;
}

static uint64_t count_of(struct span s)
{
	uint64_t n = 0;

	span_uint(s, INT64_MAX, &n);
	return n;
}

static void take_data(struct import *in, const struct table_value *v)
{
	uint64_t passed = count_of(v[PASSED].text);
	struct import_row row = { .kind = passed ? IMPORT_PASSED : IMPORT_WAITING, .blocked = count_of(v[BLOCKED].text),
		.passed = passed, .sender = import_address(v[FROM].text), .recipient = import_address(v[TO].text),
		.first_seen = v[CREATED].time, .last_seen = v[UPDATED].time };

	if (!read_client(v[IP].text, &row.client)) {
		import_skip(in, "no address of a client");
		return;
	}
	if (row.last_seen < row.first_seen)
		row.last_seen = row.first_seen;
	if (passed) {
		row.passed_at = row.last_seen;
		row.expires = v[RECORD_EXPIRES].time;
	}
	import_give(in, &row);
}

/* The recipient of an entry is a domain. */
static void take_list(struct import *in, const struct table_value *v)
{
	bool white = v[LIST_BLOCK_EXPIRES].time <= in->now;
	int64_t end = white || v[LIST_RECORD_EXPIRES].time < v[LIST_BLOCK_EXPIRES].time ?
		v[LIST_RECORD_EXPIRES].time : v[LIST_BLOCK_EXPIRES].time;

	if (v[LIST_IP].null == v[LIST_TO].null) {
		import_skip(in, "several conditions at once: that is a rule of greylag.conf");
		return;
	}
	import_give(in, &(struct import_row){ .kind = IMPORT_ENTRY, .list = white ? "allow" : "block",
		.value_kind = v[LIST_TO].null ? "client" : "recipient",
		.value = span_trim(v[LIST_TO].null ? v[LIST_IP].text : v[LIST_TO].text),
		.expires = end < IMPORT_NEVER ? end : 0,
		.comment = v[LIST_COMMENT].text.n ? v[LIST_COMMENT].text : span_of("qmail-spp") });
}

static void take_row(struct import *in, const struct table *t, const struct table_value *v)
{
	bool data = t == &tables[DATA];

	if (v[data ? RECORD_EXPIRES : LIST_RECORD_EXPIRES].time <= in->now)
		import_skip(in, "over");
	else if (data)
		take_data(in, v);
	else
		take_list(in, v);
}

static int read_tables(struct import *in, const char *source, struct buf *why)
{
	return table_read(in, source, tables, sizeof tables / sizeof *tables, take_row, why);
}

const struct import_format import_qmail_spp = { "qmail-spp", "FILE|DSN|-", read_tables };
