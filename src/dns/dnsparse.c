#include "dns/dnsparse.h"

#define HEADER 12
#define HOPS 16			/* aliases followed, and pointers in one name */
#define LABEL_MAX 63

enum {
	TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16,
	TYPE_AAAA = 28,
};
enum { CLASS_IN = 1 };
enum { FLAG_ANSWER = 0x8000, FLAG_AUTHORITATIVE = 0x0400, FLAG_CUT = 0x0200, CODE = 0x000f };
enum { NOERROR = 0, NXDOMAIN = 3 };

struct name {
	size_t n;
	bool odd;			/* not to be told from another in text */
	char text[DNS_NAME_MAX + 1];
};

struct reader {
	const unsigned char *p;
	size_t n, at;
};

/* A record as it stands in the message. */
struct raw {
	struct name owner;
	unsigned type, class;
	uint32_t ttl_s;
	size_t data, length;
};

unsigned dnsparse_type(enum dns_type type)
{
	switch (type) {
	case DNS_A: return TYPE_A;
	case DNS_AAAA: return TYPE_AAAA;
	case DNS_MX: return TYPE_MX;
	case DNS_PTR: return TYPE_PTR;
	case DNS_TXT: return TYPE_TXT;
	}
	return 0;
}

int dnsparse_name(struct span text, char *out)
{
	struct span rest, label;

	out[0] = '\0';
	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	if (text.n == 0 || text.n > DNS_NAME_MAX || span_find(text, '\0') < text.n || text.p[text.n - 1] == '.')
		return -1;
	rest = text;
	while (span_cut(&rest, '.', &label))
		if (label.n == 0 || label.n > LABEL_MAX)
			return -1;
	for (size_t i = 0; i < text.n; i++)
		out[i] = ascii_lower(text.p[i]);
	out[text.n] = '\0';
	return 0;
}

static unsigned u16(const struct reader *r, size_t at)
{
	return (unsigned)r->p[at] << 8 | r->p[at + 1];
}

static uint32_t u32(const struct reader *r, size_t at)
{
	return (uint32_t)u16(r, at) << 16 | u16(r, at + 2);
}

static int add_label(struct name *name, const unsigned char *bytes, size_t n)
{
	size_t dot = name->n > 0;

	if (name->n + dot + n > DNS_NAME_MAX)
		return -1;
	if (dot)
		name->text[name->n++] = '.';
	for (size_t i = 0; i < n; i++) {
		name->odd |= bytes[i] == '.' || bytes[i] == '\0';
		name->text[name->n++] = ascii_lower((char)bytes[i]);
	}
	return 0;
}

/* RFC 1035 section 4.1.4. *at moves behind the name. */
static int read_name(const struct reader *r, size_t *at, struct name *name)
{
	size_t here = *at, hops = 0;

	name->n = 0;
	name->odd = false;
	for (;;) {
		if (here >= r->n)
			return -1;
		unsigned length = r->p[here];
		if (length >= 0xc0) {
			if (here + 2 > r->n || hops == HOPS)
				return -1;
			if (hops++ == 0)
				*at = here + 2;
			here = u16(r, here) & 0x3fff;
		} else if (length > LABEL_MAX || here + 1 + length > r->n) {
			return -1;
		} else if (length == 0) {
			if (hops == 0)
				*at = here + 1;
			return 0;
		} else {
			if (add_label(name, r->p + here + 1, length))
				return -1;
			here += 1 + length;
		}
	}
}

static bool same_name(const struct name *a, const struct name *b)
{
	return !a->odd && !b->odd && a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static int read_record(struct reader *r, struct raw *out)
{
	if (read_name(r, &r->at, &out->owner) || r->n - r->at < 10)
		return -1;
	out->type = u16(r, r->at);
	out->class = u16(r, r->at + 2);
	out->ttl_s = u32(r, r->at + 4);
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0;		/* RFC 2181 section 8 */
	out->length = u16(r, r->at + 8);
	out->data = r->at + 10;
	if (r->n - out->data < out->length)
		return -1;
	r->at = out->data + out->length;
	return 0;
}

static void shorten(struct dns_answer *a, uint32_t ttl_s)
{
	if (ttl_s < a->ttl_s)
		a->ttl_s = ttl_s;
}

/* The record's only name, or the one behind a number (MX), filling it to the end. */
static int name_data(const struct reader *r, const struct raw *raw, size_t skip, struct name *name)
{
	size_t at = raw->data + skip;

	if (raw->length < skip || read_name(r, &at, name))
		return -1;
	return at == raw->data + raw->length ? 0 : -1;
}

/* Character strings put together (RFC 1035 section 3.3.14, RFC 7208 section 3.3). */
static int text_data(const struct reader *r, const struct raw *raw, struct buf *out)
{
	size_t at = raw->data, end = raw->data + raw->length;

	while (at < end) {
		size_t n = r->p[at++];
		if (n > end - at)
			return -1;
		buf_add(out, r->p + at, n);
		at += n;
	}
	return raw->length ? 0 : -1;
}

static int address_data(const struct reader *r, const struct raw *raw, struct netaddr *out)
{
	uint8_t family = raw->type == TYPE_A ? 4 : 6;

	if (raw->length != (family == 4 ? 4 : 16))
		return -1;
	out->family = family;
	memcpy(out->bytes, r->p + raw->data, raw->length);
	return 0;
}

/* -1: makes no sense. A name that text cannot carry is no error: the record is left out. */
static int take(struct dnsparse *p, const struct reader *r, const struct raw *raw)
{
	struct dns_record *record = &p->records[p->answer.count];
	size_t from = p->text.n;
	struct name name = { 0 };

	*record = (struct dns_record){ 0 };
	if (raw->type == TYPE_A || raw->type == TYPE_AAAA) {
		if (address_data(r, raw, &record->address))
			return -1;
	} else if (raw->type == TYPE_TXT) {
		if (text_data(r, raw, &p->text))
			return -1;
	} else {
		if (name_data(r, raw, raw->type == TYPE_MX ? 2 : 0, &name))
			return -1;
		if (name.odd)
			return 0;
		if (raw->type == TYPE_MX)
			record->preference = u16(r, raw->data);
		buf_add(&p->text, name.text, name.n);
	}
	record->text = span_make(p->storage + from, p->text.n - from);
	shorten(&p->answer, raw->ttl_s);
	p->answer.count++;
	return 0;
}

/* Where the aliases of the answer section lead from *name. Records come in any order,
 * so each step looks at all of them. 1: an alias was followed. */
static int follow(const struct reader *from, unsigned records, struct name *name, struct dns_answer *answer)
{
	struct reader r = *from;
	struct raw raw;

	for (unsigned i = 0; i < records; i++) {
		if (read_record(&r, &raw))
			return -1;
		if (raw.type != TYPE_CNAME || raw.class != CLASS_IN || !same_name(&raw.owner, name))
			continue;
		if (name_data(&r, &raw, 0, name))
			return -1;
		shorten(answer, raw.ttl_s);
		return 1;
	}
	return 0;
}

static int collect(struct dnsparse *p, struct reader *r, unsigned records, unsigned type, const struct name *name)
{
	struct raw raw;

	for (unsigned i = 0; i < records; i++) {
		if (read_record(r, &raw))
			return -1;
		if (raw.type != type || raw.class != CLASS_IN || !same_name(&raw.owner, name))
			continue;
		if (p->answer.count < DNSPARSE_RECORDS && take(p, r, &raw))
			return -1;
	}
	return 0;
}

/* The time to live of "there is none" (RFC 2308 section 5), and whether the server only
 * points to others, which is no answer. */
static int authority(struct reader *r, unsigned records, uint32_t *ttl_s, bool *soa, bool *ns)
{
	struct name skipped;
	struct raw raw;

	*soa = *ns = false;
	*ttl_s = 0;
	for (unsigned i = 0; i < records; i++) {
		if (read_record(r, &raw))
			return -1;
		*ns |= raw.type == TYPE_NS;
		if (raw.type != TYPE_SOA || *soa)
			continue;
		size_t at = raw.data;
		/* MNAME, RNAME, five numbers, of which the last is the minimum. */
		for (unsigned names = 0; names < 2; names++)
			if (read_name(r, &at, &skipped))
				return -1;
		if (raw.data + raw.length != at + 20)
			return -1;
		uint32_t minimum = u32(r, at + 16);
		*ttl_s = raw.ttl_s < minimum ? raw.ttl_s : minimum;
		*soa = true;
	}
	return 0;
}

/* Nothing of the type: for which reason, and for how long. */
static enum dns_status absent(struct dnsparse *p, struct reader *r, unsigned flags, unsigned records)
{
	uint32_t ttl_s;
	bool soa, ns;

	if (authority(r, records, &ttl_s, &soa, &ns))
		return DNS_FAILED;
	p->answer.exists = (flags & CODE) == NOERROR;
	if (p->answer.exists && ns && !soa && !(flags & FLAG_AUTHORITATIVE))
		return DNS_FAILED;
	p->answer.ttl_s = p->answer.ttl_s < ttl_s ? p->answer.ttl_s : ttl_s;
	return DNS_NONE;
}

static enum dns_status read_message(struct dnsparse *p, struct reader *r, unsigned type, struct span asked)
{
	struct name name = { .n = asked.n }, question;
	int followed = 1;

	if (r->n < HEADER || asked.n > DNS_NAME_MAX)
		return DNS_FAILED;
	memcpy(name.text, asked.p, asked.n);
	unsigned flags = u16(r, 2), code = flags & CODE, answers = u16(r, 6);
	if (!(flags & FLAG_ANSWER) || flags & FLAG_CUT || (code != NOERROR && code != NXDOMAIN) || u16(r, 4) != 1)
		return DNS_FAILED;
	r->at = HEADER;
	if (read_name(r, &r->at, &question) || !same_name(&question, &name) || r->n - r->at < 4 || u16(r, r->at) != type)
		return DNS_FAILED;
	r->at += 4;
	for (unsigned hops = 0; followed == 1; hops++)
		followed = hops > HOPS ? -1 : follow(r, answers, &name, &p->answer);
	if (followed < 0 || collect(p, r, answers, type, &name))
		return DNS_FAILED;
	return p->answer.count ? DNS_FOUND : absent(p, r, flags, u16(r, 8));
}

void dnsparse_message(struct dnsparse *p, struct span message, enum dns_type type, struct span name)
{
	struct reader r = { .p = (const unsigned char *)message.p, .n = message.n };

	p->text = buf_on(p->storage, sizeof p->storage);
	p->answer = (struct dns_answer){ .ttl_s = UINT32_MAX, .records = p->records };
	p->answer.status = read_message(p, &r, dnsparse_type(type), name);
	if (p->answer.status != DNS_FOUND)
		p->answer.count = 0;
	if (p->answer.status == DNS_FAILED) {
		p->answer.ttl_s = 0;
		p->answer.exists = false;
	}
}
