/* SQLgrey's tables: attempts that wait (connect), senders that passed from a client
 * (from_awl), and domains with several of them (domain_awl). A client is an address,
 * or the network of its mail servers: three octets, or four groups of IPv6. */
#include "import/import_format.h"
#include "import/table.h"

#define AWL_AGE_S (60 * IMPORT_DAY)	/* awl_age of sqlgrey.conf, unless it says otherwise */

enum { CONNECT, FROM_AWL, DOMAIN_AWL };

static const struct table tables[] = {
	[CONNECT] = { "connect", 5, false, false, { { "src", TABLE_TEXT }, { "sender_name", TABLE_TEXT },
		{ "sender_domain", TABLE_TEXT }, { "rcpt", TABLE_TEXT }, { "first_seen", TABLE_STAMP } } },
	[FROM_AWL] = { "from_awl", 5, false, false, { { "src", TABLE_TEXT }, { "sender_name", TABLE_TEXT },
		{ "sender_domain", TABLE_TEXT }, { "first_seen", TABLE_STAMP }, { "last_seen", TABLE_STAMP } } },
	[DOMAIN_AWL] = { "domain_awl", 4, false, false, { { "src", TABLE_TEXT }, { "sender_domain", TABLE_TEXT },
		{ "first_seen", TABLE_STAMP }, { "last_seen", TABLE_STAMP } } },
};

static bool read_client(struct span s, struct netprefix *out)
{
	char text[60];
	struct buf b = BUF_ON(text);

	s = span_trim(s);
	if (netprefix_parse(s, out))
		return true;
	buf_addspan(&b, s);
	buf_adds(&b, "::/64");
	return span_find(s, ':') < s.n && !b.over && netprefix_parse(buf_span(&b), out);
}

/* The null sender is "-undef-" twice. */
static struct span sender_of(struct buf *out, struct span name, struct span domain)
{
	if (span_eq(domain, span_of("-undef-")))
		return span_eq(name, domain) ? span_make("", 0) : name;
	buf_addspan(out, name);
	buf_addc(out, '@');
	buf_addspan(out, domain);
	return buf_span(out);
}

static void take_connect(struct import *in, const struct table_value *v, struct import_row *row)
{
	char text[IMPORT_ADDRESS_MAX + 2];
	struct buf sender = BUF_ON(text);

	row->kind = IMPORT_WAITING;
	row->sender = sender_of(&sender, v[1].text, v[2].text);
	row->recipient = import_address(v[3].text);
	row->first_seen = row->last_seen = v[4].time;
	row->blocked = 1;
	import_give(in, row);
}

static void take_known(struct import *in, struct import_row *row, struct span domain, int64_t first, int64_t last)
{
	char text[200];
	struct buf comment = BUF_ON(text);

	row->kind = IMPORT_TRUSTED;
	row->first_seen = row->passed_at = first;
	row->last_seen = last;
	row->passed = 1;
	if (import_single(&row->client)) {
		import_give(in, row);
		return;
	}
	buf_adds(&comment, "sqlgrey: ");
	buf_addsafe(&comment, domain, 120);
	import_give_network(in, &row->client, last + AWL_AGE_S, buf_str(&comment));
}

static void take_row(struct import *in, const struct table *t, const struct table_value *v)
{
	struct import_row row = { 0 };

	if (!read_client(v[0].text, &row.client))
		import_skip(in, "no address of a client");
	else if (t == &tables[CONNECT])
		take_connect(in, v, &row);
	else if (t == &tables[FROM_AWL])
		take_known(in, &row, v[2].text, v[3].time, v[4].time);
	else
		take_known(in, &row, v[1].text, v[2].time, v[3].time);
}

static int read_tables(struct import *in, const char *source, struct buf *why)
{
	return table_read(in, source, tables, sizeof tables / sizeof *tables, take_row, why);
}

const struct import_format import_sqlgrey = { "sqlgrey", "FILE|DSN|-", read_tables };
