/* postgrey's databases:
 *   postgrey.db          "net/sender/recipient", in lower case, to "first,last[,host]"
 *   postgrey_clients.db  address to "count,last": so often one of its triplets passed
 * A triplet has passed when its last attempt came the delay after its first. */
#include "import/bdb.h"
#include "import/import_format.h"

#define DELAY_S 300	/* --delay, unless that says otherwise */

static bool is_hash(struct span key)
{
	size_t n = 0;

	while (n < key.n && ascii_hex(key.p[n]))
		n++;
	return n == 40 && key.n == 40;
}

/* A network is stored as its first address, without its length: --ipv4cidr=24 and
 * --ipv6cidr=64 unless told otherwise. With --lookup-by-host it is the client's own. */
static bool read_client(struct span s, struct netprefix *out)
{
	static const uint8_t zeros[8];
	struct netaddr a;

	if (!netaddr_parse(s, &a))
		return false;
	bool network = a.family == 4 ? a.bytes[3] == 0 : memcmp(a.bytes + 8, zeros, sizeof zeros) == 0;
	*out = netaddr_network(&a, !network ? 128 : a.family == 4 ? 24 : 64);
	return true;
}

/* A sender may have a '/', a recipient hardly ever. */
static bool split_key(struct span key, struct import_row *row)
{
	struct span client, rest = key;

	if (!span_cut(&rest, '/', &client) || !read_client(client, &row->client))
		return false;
	size_t at = span_rfind(rest, '/');
	if (at == rest.n)
		return false;
	row->sender = import_address(span_head(rest, at));
	row->recipient = import_address(span_from(rest, at + 1));
	return true;
}

static bool two_numbers(struct span value, int64_t *a, int64_t *b)
{
	struct span one, two;

	return span_cut(&value, ',', &one) && span_cut(&value, ',', &two) && import_int(one, a) && import_int(two, b) &&
	       *a >= 0 && *b >= 0;
}

static void take_triplet(void *arg, struct span key, struct span value)
{
	struct import *in = arg;
	struct import_row row = { .kind = IMPORT_WAITING };
	int64_t first, last;

	in->progress(in, key.n + value.n);
	if (is_hash(key)) {
		import_skip(in, "a hashed key (--privacy)");
		return;
	}
	if (!split_key(key, &row) || !two_numbers(value, &first, &last)) {
		import_skip(in, "not a record of postgrey");
		return;
	}
	row.first_seen = first;
	row.last_seen = last;
	if (last - first >= (in->delay_s ? in->delay_s : DELAY_S)) {
		row.kind = IMPORT_PASSED;
		row.passed_at = last;
		row.passed = 1;
	} else {
		row.blocked = 1;
	}
	import_give(in, &row);
}

/* postgrey lets such a client through from the fifth time on; greylagd, as RFC 6647
 * section 5.1 has it, from the first. */
static void take_client(void *arg, struct span key, struct span value)
{
	struct import *in = arg;
	struct import_row row = { .kind = IMPORT_TRUSTED };
	struct netaddr a;
	int64_t count, last;

	in->progress(in, key.n + value.n);
	if (is_hash(key)) {
		import_skip(in, "a hashed key (--privacy)");
		return;
	}
	if (!netaddr_parse(key, &a) || !two_numbers(value, &count, &last)) {
		import_skip(in, "not a client of postgrey");
		return;
	}
	row.client = netaddr_network(&a, 128);
	row.first_seen = row.last_seen = row.passed_at = last;
	row.passed = (uint64_t)count;
	import_give(in, &row);
}

static int read_environment(struct import *in, const char *folder, struct buf *why)
{
	struct bdb b;

	in->file = "postgrey.db";
	int found = bdb_open(&b, folder, why) == 0 ? bdb_read(&b, in->file, take_triplet, in, why) : -1;
	if (found == 0)
		found = buf_fail(why, "%s: there is no postgrey.db", folder);
	in->file = "postgrey_clients.db";
	if (found > 0 && bdb_read(&b, in->file, take_client, in, why) < 0)
		found = -1;
	bdb_close(&b);
	return found > 0 ? 0 : -1;
}

const struct import_format import_postgrey = { "postgrey", "DIR", read_environment };
