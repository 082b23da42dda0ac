#include "core/hostname.h"

#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63
#define RUNS_MAX 64

/* What a word says about the host. */
enum {
	SAYS_DYNAMIC = 1,	/* a line, a pool, a rented machine */
	SAYS_RENTED = 2,	/* the same, but only beside a full address */
	SAYS_MAIL = 4,		/* a mail server */
};

/* Where a word must stand. Only labels left of the organisation are searched.
 * A token is a run of letters and digits; digits in front of it do not count. */
enum where {
	AT_START,	/* the label is the word, or starts with it and a number: home, home-12 */
	AT_TOKEN,	/* a token is the word, or the word and a number: x-dsl-y, dsl12 */
	AT_HEAD,	/* a token starts with the word: dhcpclient */
	AT_PART,	/* anywhere in a label: outmail3 */
	AT_SERIAL,	/* the word and a serial number of the provider: vps-1a2b3c */
	AT_END,		/* the name ends so: domains that hold nothing but rented machines */
};

struct words {
	enum where where;
	unsigned says;
	const char *const *list;	/* ended by NULL */
};

/* These are nobody's name for a server ... */
static const char *const lines[] = {
	"dyn", "dynamic", "dynamicip", "dynip", "dynpool", "dyndsl", "dinamic", "dinamico",
	"dinamica", "dynamisch", "dynamique", "pool", "pools", "ppp", "pppox", "dsl", "dslb",
	"dslam", "ddsl", "sdsl", "hdsl", "xdsl", "rdsl", "cable", "cablemodem", "cablenet", "catv",
	"hfc", "docsis", "modem", "dial", "dialin", "dialog", "dip", "isdn", "cpe", "cust",
	"bbcustomer", "bband", "broadband", "hsd", "hsi", "resnet", "residential", "fttx", "ftth",
	"fttb", "fttc", "fttp", "gpon", "xpon", "wireless", "wifi", "wimax", "wlan", "hotspot",
	"mobile", "mobil", "movil", "3g", "4g", "5g", "lte", "gprs", "umts", "gsm", "apn", "nat",
	"nat64", "cgn", "cgnat", "lns", "bng", "ipngn", "ipbf", "ipbfp", "ipad", "ipoe", "kabel",
	"kabelnet", "telecable", "zivs", "einwahl", "aftr", "fwa", "starlink", NULL,
};
/* ... and these are ordinary words, so they count only where providers put them. */
static const char *const places[] = {
	"home", "user", "users", "client", "clients", "clienti", "cliente", "clientes", "customer",
	"customers", "kunde", "kunden", "res", "rev", "reverse", "retail", "fiber", "fibre",
	"fibra", "fios", "lightspeed", "abo", "abonent", "subs", "subscriber", "subscribers",
	"static", "broad", "in-addr", "unknown", "localhost", NULL,
};
static const char *const heads[] = {
	"dhcp", "pppoe", "adsl", "vdsl", "dialup", "unassigned", "unallocated", "unused", NULL,
};
static const char *const serials[] = {
	"vps", "vmi", "vm", "vds", "vserver", "kvm", NULL,
};
static const char *const rental[] = {
	".vps.ovh.net", ".vps.ovh.ca", ".vps.ovh.us", ".contaboserver.net", ".stratoserver.net",
	".onlinehome-server.info", ".onlinehome-server.com", ".clients.your-server.de",
	".members.linode.com", ".linodeusercontent.com", ".vultrusercontent.com", ".hstgr.cloud",
	".bc.googleusercontent.com", ".poneytelecom.eu", ".ip.secureserver.net",
	".compute.amazonaws.com", ".compute-1.amazonaws.com", NULL,
};
static const char *const rented[] = {
	"vps", "vds", "vm", "static", "client", "clients", "customer", "customers", "compute", NULL,
};
static const char *const mail_parts[] = {
	"mail", "smtp", NULL,
};
static const char *const mail_tokens[] = {
	"mx", "mxout", "mxin", "mta", "mtas", "mtaout", "omta", "pmta", "qmta", "imta", "vmta",
	"mout", "out", "outbound", "outgoing", "relay", "relays", "smarthost", "bounce", "bounces",
	"send", "sender", "senders", "sending", "sendout", "delivery", "postfix", "exim",
	"exchange", "mbox", "imap", "lists", "listserv", "notify", "notification", "notifications",
	"post", "poczta", NULL,
};

static const struct words words[] = {
	{ AT_TOKEN, SAYS_DYNAMIC, lines },
	{ AT_START, SAYS_DYNAMIC, places },
	{ AT_HEAD, SAYS_DYNAMIC, heads },
	{ AT_SERIAL, SAYS_DYNAMIC, serials },
	{ AT_END, SAYS_DYNAMIC, rental },
	{ AT_TOKEN, SAYS_RENTED, rented },
	{ AT_PART, SAYS_MAIL, mail_parts },
	{ AT_TOKEN, SAYS_MAIL, mail_tokens },
};
#define WORDS_ROWS (sizeof words / sizeof *words)

/* Second-level labels under which countries register organisations. */
static const char country_second[] =
	"co com net org ac gov edu or ne go gob gouv ad gr ed lg mil nom gen ind firm ltd plc sch web info in id me";

/* The name in the forms the tests below want, lower case, without a final dot. */
struct view {
	char text[NAME_MAX_BYTES + 1];
	char flat_text[NAME_MAX_BYTES + 1];
	struct span name;
	struct span sub;	/* the part left of the organisation, without its dot */
	struct span flat;	/* sub without separators */
};

static bool is_name_byte(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
}

static bool is_alnum(char c)
{
	return ascii_alpha(c) || ascii_digit(c);
}

static bool all_of(struct span s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i]))
			return false;
	return true;
}

static bool listed(const char *list, struct span word)
{
	struct span rest = span_of(list), item;

	while (span_cut(&rest, ' ', &item))
		if (span_eq(item, word))
			return true;
	return false;
}

static struct span without_final_dot(struct span name)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

bool hostname_valid(struct span name)
{
	struct span rest = without_final_dot(name), label = { "", 0 };
	unsigned labels = 0;

	if (rest.n == 0 || rest.n > NAME_MAX_BYTES || rest.p[rest.n - 1] == '.')
		return false;
	while (span_cut(&rest, '.', &label)) {
		if (label.n == 0 || label.n > LABEL_MAX_BYTES || !all_of(label, is_name_byte))
			return false;
		labels++;
	}
	return labels >= 2 && !all_of(label, ascii_digit);
}

/* ---- the name taken apart ---- */

/* Where the label ends at `end` starts. */
static size_t label_start(struct span name, size_t end)
{
	while (end > 0 && name.p[end - 1] != '.')
		end--;
	return end;
}

/* The part in front of the organisation: the last two labels, or three under a
 * country's second-level label. This layer has no suffix list; erring by one
 * label here only moves one label out of the search. */
static struct span in_front_of_org(struct span name)
{
	size_t top = label_start(name, name.n);
	if (top == 0)
		return span_make(name.p, 0);
	size_t second = label_start(name, top - 1);
	if (second == 0)
		return span_make(name.p, 0);
	size_t org = second;
	struct span label = span_make(name.p + second, top - 1 - second);
	if (name.n - top == 2 && listed(country_second, label))
		org = label_start(name, second - 1);
	return span_head(name, org ? org - 1 : 0);
}

static bool view_open(struct view *v, struct span name)
{
	name = without_final_dot(name);
	if (name.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++)
		v->text[i] = ascii_lower(name.p[i]);
	v->name = span_make(v->text, name.n);
	v->sub = in_front_of_org(v->name);
	v->flat = span_make(v->flat_text, 0);
	for (size_t i = 0; i < v->sub.n; i++)
		if (is_alnum(v->sub.p[i]))
			v->flat_text[v->flat.n++] = v->sub.p[i];
	return v->sub.n > 0;
}

/* Takes the next run of letters and digits off *rest. */
static bool next_token(struct span *rest, struct span *token)
{
	size_t from = 0, to;

	while (from < rest->n && !is_alnum(rest->p[from]))
		from++;
	for (to = from; to < rest->n && is_alnum(rest->p[to]); to++)
		;
	*token = span_make(rest->p + from, to - from);
	*rest = span_from(*rest, to);
	return token->n > 0;
}

/* ---- words ---- */

static bool starts_label(struct span label, struct span word)
{
	if (!span_starts(label, word))
		return false;
	struct span rest = span_from(label, word.n);
	if (rest.n > 1 && rest.p[0] == '-')
		rest = span_from(rest, 1);
	return rest.n == 0 || ascii_digit(rest.p[0]);
}

/* The word, then nothing, a number, or the hex serial of a device (cpe00a0c5...). */
static bool is_word_and_number(struct span token, struct span word)
{
	if (!span_starts(token, word))
		return false;
	struct span rest = span_from(token, word.n);
	return rest.n == 0 || ascii_digit(rest.p[0]) || (rest.n >= 6 && all_of(rest, ascii_hex));
}

static bool is_serial(struct span s)
{
	bool digit = false;

	for (size_t i = 0; i < s.n; i++)
		digit |= ascii_digit(s.p[i]);
	return s.n >= 4 && digit && all_of(s, ascii_hex);
}

static bool has_serial(struct span label, struct span word)
{
	struct span rest = span_from(label, word.n), token;

	return span_starts(label, word) && next_token(&rest, &token) && is_serial(token);
}

typedef bool stands_fn(struct span s, struct span word);

/* The first byte is compared here because nearly all words end there, and this
 * is the innermost loop of every request. */
static bool any_word(const struct words *row, struct span s, stands_fn *stands)
{
	for (const char *const *word = row->list; *word && s.n; word++)
		if (**word == s.p[0] && stands(s, span_of(*word)))
			return true;
	return false;
}

static bool any_token(const struct words *row, struct span label, stands_fn *stands)
{
	struct span rest = label, token;

	while (next_token(&rest, &token)) {
		struct span bare = token;
		while (bare.n && ascii_digit(bare.p[0]))
			bare = span_from(bare, 1);
		if (any_word(row, token, stands) || (bare.n < token.n && any_word(row, bare, stands)))
			return true;
	}
	return false;
}

static bool label_fits(const struct words *row, struct span label)
{
	switch (row->where) {
	case AT_START:
		return any_word(row, label, starts_label);
	case AT_TOKEN:
		return any_token(row, label, is_word_and_number);
	case AT_HEAD:
		return any_token(row, label, span_starts);
	case AT_SERIAL:
		return any_word(row, label, has_serial);
	case AT_PART:
		for (const char *const *word = row->list; *word; word++)
			if (span_has(label, span_of(*word)))
				return true;
		return false;
	case AT_END:
		return false;
	}
	return false;
}

static bool row_fits(const struct view *v, const struct words *row)
{
	struct span labels = v->sub, label;

	if (row->where == AT_END) {
		for (const char *const *word = row->list; *word; word++)
			if (span_ends(v->name, span_of(*word)))
				return true;
		return false;
	}
	while (span_cut(&labels, '.', &label))
		if (label_fits(row, label))
			return true;
	return false;
}

static unsigned words_say(const struct view *v)
{
	unsigned says = 0;

	for (size_t i = 0; i < WORDS_ROWS; i++)
		if (!(says & words[i].says) && row_fits(v, &words[i]))
			says |= words[i].says;
	return says;
}

/* ---- the client's address, one function per spelling ---- */

struct run {
	size_t from;
	size_t to;
	unsigned value;		/* over 255: no octet */
};

static size_t find_runs(struct span s, struct run runs[RUNS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < RUNS_MAX; i++) {
		if (!ascii_digit(s.p[i]))
			continue;
		struct run r = { .from = i };
		for (; i < s.n && ascii_digit(s.p[i]); i++)
			if (r.value < 1000)
				r.value = r.value * 10 + (unsigned)(s.p[i] - '0');
		r.to = i;
		if (r.to - r.from > 3)
			r.value = 1000;
		runs[n++] = r;
	}
	return n;
}

/* Do `count` runs spell the octets in this order, close to each other? The gap
 * may be a separator, a letter, or both (w86-199, 1x2x3x4, "-1.b2"). */
static bool runs_spell(const struct run *runs, const struct netaddr *client,
		       const unsigned char *order, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (runs[i].value != client->bytes[order[i]])
			return false;
		if (i && runs[i].from - runs[i - 1].to > 2)
			return false;
	}
	return true;
}

static bool carries_octets(const struct view *v, const struct netaddr *client)
{
	/* The third order is that of wanadoo.fr: -c-d.wa-b */
	static const unsigned char orders[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 2, 3, 0, 1 } };
	struct run runs[RUNS_MAX];
	size_t n = find_runs(v->sub, runs);

	for (size_t i = 0; i + 4 <= n; i++)
		for (size_t k = 0; k < sizeof orders / sizeof *orders; k++)
			if (runs_spell(runs + i, client, orders[k], 4))
				return true;
	return false;
}

/* Three neighbouring octets; single-digit ones alone are too common in racks and rows. */
static bool carries_three_octets(const struct view *v, const struct netaddr *client)
{
	static const unsigned char orders[][3] = { { 0, 1, 2 }, { 1, 2, 3 }, { 2, 1, 0 }, { 3, 2, 1 } };
	struct run runs[RUNS_MAX];
	size_t n = find_runs(v->sub, runs);

	for (size_t i = 0; i + 3 <= n; i++)
		for (size_t k = 0; k < sizeof orders / sizeof *orders; k++)
			if (runs_spell(runs + i, client, orders[k], 3) &&
			    (runs[i].value > 9 || runs[i + 1].value > 9 || runs[i + 2].value > 9))
				return true;
	return false;
}

static struct netaddr reversed(const struct netaddr *a)
{
	struct netaddr r = { .family = a->family };

	for (size_t i = 0; i < 4; i++)
		r.bytes[i] = a->bytes[3 - i];
	return r;
}

static void add_hex(struct buf *b, const uint8_t *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_addc(b, hex[bytes[i] >> 4]);
		buf_addc(b, hex[bytes[i] & 15]);
	}
}

/* 088198001002 */
static bool carries_padded(const struct view *v, const struct netaddr *a)
{
	char text[16];
	struct buf b = buf_on(text, sizeof text);

	for (size_t i = 0; i < 4; i++) {
		buf_addc(&b, (char)('0' + a->bytes[i] / 100));
		buf_addc(&b, (char)('0' + a->bytes[i] / 10 % 10));
		buf_addc(&b, (char)('0' + a->bytes[i] % 10));
	}
	return span_has(v->flat, buf_span(&b));
}

/* 58c60102 */
static bool carries_hex(const struct view *v, const struct netaddr *a)
{
	char text[16];
	struct buf b = buf_on(text, sizeof text);

	add_hex(&b, a->bytes, 4);
	return span_has(v->flat, buf_span(&b));
}

static bool has_run(const struct view *v, struct span digits)
{
	struct run runs[RUNS_MAX];
	size_t n = find_runs(v->sub, runs);

	for (size_t i = 0; i < n; i++)
		if (span_eq(span_make(v->sub.p + runs[i].from, runs[i].to - runs[i].from), digits))
			return true;
	return false;
}

/* 1489371394, or 8819812 where it is long enough to be no accident */
static bool carries_number(const struct view *v, const struct netaddr *a)
{
	char text[24];
	struct buf b = buf_on(text, sizeof text);
	uint64_t value = 0;

	for (size_t i = 0; i < 4; i++)
		value = value << 8 | a->bytes[i];
	buf_addu(&b, value);
	if (b.n >= 8 && has_run(v, buf_span(&b)))
		return true;
	buf_clear(&b);
	for (size_t i = 0; i < 4; i++)
		buf_addu(&b, a->bytes[i]);
	return b.n >= 7 && has_run(v, buf_span(&b));
}

static bool carries_ipv4(const struct view *v, const struct netaddr *client)
{
	struct netaddr back = reversed(client);

	return carries_octets(v, client) || carries_padded(v, client) || carries_padded(v, &back) ||
	       carries_hex(v, client) || carries_hex(v, &back) ||
	       carries_number(v, client) || carries_number(v, &back);
}

/* One half of the address as 16 nibbles, forwards or backwards. A half that is
 * nearly all zeros says nothing. */
static bool carries_half(const struct view *v, const uint8_t *half)
{
	char text[20], back[16];
	struct buf b = buf_on(text, sizeof text);
	unsigned significant = 0;

	add_hex(&b, half, 8);
	for (size_t i = 0; i < 16; i++) {
		back[i] = text[15 - i];
		significant += text[i] != '0';
	}
	return significant >= 3 &&
	       (span_has(v->flat, buf_span(&b)) || span_has(v->flat, span_make(back, 16)));
}

/* Value of a group of one to four hex digits; 0x10000 when it is none. */
static unsigned group_value(struct span token)
{
	unsigned value = 0;

	if (token.n == 0 || token.n > 4 || !all_of(token, ascii_hex))
		return 0x10000;
	for (size_t i = 0; i < token.n; i++)
		value = value << 4 | (unsigned)(ascii_digit(token.p[i]) ? token.p[i] - '0' :
						token.p[i] - 'a' + 10);
	return value;
}

/* Three neighbouring groups, unpadded, one of them of three digits or more. */
static bool groups_spell(const unsigned *values, const uint8_t *bytes)
{
	bool long_one = false;

	for (size_t i = 0; i < 3; i++) {
		if (values[i] != ((unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1]))
			return false;
		long_one |= values[i] > 0xff;
	}
	return long_one;
}

static bool carries_groups(const struct view *v, const uint8_t *bytes)
{
	struct span rest = v->sub, token;
	unsigned values[RUNS_MAX];
	size_t n = 0;

	while (n < RUNS_MAX && next_token(&rest, &token))
		values[n++] = group_value(token);
	for (size_t i = 0; i + 3 <= n; i++)
		for (size_t group = 0; group + 3 <= 8; group++)
			if (groups_spell(values + i, bytes + 2 * group))
				return true;
	return false;
}

static bool carries_ipv6(const struct view *v, const struct netaddr *client)
{
	return carries_half(v, client->bytes) || carries_half(v, client->bytes + 8) ||
	       carries_groups(v, client->bytes);
}

bool hostname_dynamic(struct span name, const struct netaddr *client)
{
	struct view v;

	if (!view_open(&v, name))
		return false;
	unsigned says = words_say(&v);
	bool mail = says & SAYS_MAIL;
	if (client->family == 4 ? carries_ipv4(&v, client) :
	    client->family == 6 && carries_ipv6(&v, client))
		return !mail || (says & (SAYS_DYNAMIC | SAYS_RENTED));
	if (mail)
		return false;
	return (says & SAYS_DYNAMIC) || (client->family == 4 && carries_three_octets(&v, client));
}
