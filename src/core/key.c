#include "core/key.h"

static const char null_part[] = "<>";

/* Longest sender or recipient in a key; of longer ones a hash stands for the rest. */
#define ADDRESS_PART 1040
#define ADDRESS_CUT 1000

static bool must_escape(char c)
{
	return ascii_control(c) || c == ' ' || c == '%';
}

static void add_part(struct buf *b, struct span part)
{
	static const char hex[] = "0123456789ABCDEF";

	if (part.n == 0)
		buf_adds(b, null_part);
	while (part.n) {
		size_t plain = 0;
		while (plain < part.n && !must_escape(part.p[plain]))
			plain++;
		buf_add(b, part.p, plain);
		part = span_from(part, plain);
		if (part.n == 0)
			break;
		unsigned char c = (unsigned char)part.p[0];
		char esc[3] = { '%', hex[c >> 4], hex[c & 15] };
		buf_add(b, esc, sizeof esc);
		part = span_from(part, 1);
	}
}

/* FNV-1a with a final mix. It is stored, so it stays as it is. */
static uint64_t stored_hash(struct span s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ (h >> 32);
}

static void add_address(struct buf *b, struct span address)
{
	char text[ADDRESS_PART + 1];
	struct buf part = BUF_ON(text);

	add_part(&part, address);
	if (!part.over) {
		buf_addspan(b, buf_span(&part));
		return;
	}
	buf_add(b, text, ADDRESS_CUT);
	buf_adds(b, "%~");
	buf_addu(b, stored_hash(address));
}

static bool finish(struct key *k, const struct buf *b)
{
	k->n = b->over ? 0 : b->n;
	return !b->over;
}

bool key_allowed(struct key *k, struct span identity)
{
	struct buf b = buf_on(k->text, sizeof k->text);

	buf_addc(&b, KEY_KIND_ALLOWED);
	buf_addc(&b, ' ');
	add_part(&b, identity);
	return finish(k, &b);
}

bool key_triplet(struct key *k, struct span identity, struct span sender, struct span recipient)
{
	struct buf b = buf_on(k->text, sizeof k->text);

	key_prefix(&b, KEY_KIND_TRIPLET, identity);
	add_address(&b, sender);
	buf_addc(&b, ' ');
	add_address(&b, recipient);
	return finish(k, &b);
}

bool key_written(struct key *k, struct span sender, struct span recipient)
{
	struct buf b = buf_on(k->text, sizeof k->text);

	buf_addc(&b, KEY_KIND_WRITTEN);
	buf_addc(&b, ' ');
	add_address(&b, sender);
	buf_addc(&b, ' ');
	add_address(&b, recipient);
	return finish(k, &b);
}

bool key_split(struct span key, struct key_parts *out)
{
	struct key_parts parts = { 0 };
	struct span kind;

	if (!span_cut(&key, ' ', &kind) || kind.n != 1)
		return false;
	parts.kind = kind.p[0];
	bool allowed = parts.kind == KEY_KIND_ALLOWED, triplet = parts.kind == KEY_KIND_TRIPLET;
	if (!allowed && !triplet && parts.kind != KEY_KIND_WRITTEN)
		return false;
	if ((allowed || triplet) && (!span_cut(&key, ' ', &parts.identity) || parts.identity.n == 0))
		return false;
	if (!allowed && (!span_cut(&key, ' ', &parts.sender) || !span_cut(&key, ' ', &parts.recipient)))
		return false;
	if (key.n)
		return false;
	*out = parts;
	return true;
}

static unsigned hex_value(char c)
{
	return ascii_digit(c) ? (unsigned)(c - '0') : (unsigned)(ascii_lower(c) - 'a') + 10;
}

void key_unescape(struct buf *out, struct span part)
{
	if (span_eq(part, span_of(null_part)))
		return;
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '%' && part.n - i > 2 && ascii_hex(part.p[i + 1]) &&
		    ascii_hex(part.p[i + 2])) {
			buf_addc(out, (char)(hex_value(part.p[i + 1]) << 4 | hex_value(part.p[i + 2])));
			i += 2;
		} else {
			buf_addc(out, part.p[i]);
		}
	}
}

void key_prefix(struct buf *out, char kind, struct span identity)
{
	buf_addc(out, kind);
	buf_addc(out, ' ');
	if (identity.n == 0)
		return;
	add_part(out, identity);
	buf_addc(out, ' ');
}
