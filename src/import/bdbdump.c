/* The text that db_dump writes. */
#include "import/bdb.h"

static int nibble(char c)
{
	return ascii_digit(c) ? c - '0' : ascii_hex(c) ? ascii_lower(c) - 'a' + 10 : -1;
}

static bool decode(struct buf *out, struct span hex)
{
	buf_clear(out);
	if (hex.n % 2)
		return false;
	for (size_t i = 0; i < hex.n; i += 2) {
		int high = nibble(hex.p[i]), low = nibble(hex.p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		buf_addc(out, (char)(high << 4 | low));
	}
	if (out->over)
		buf_clear(out);
	/* Some programs store the NUL at the end too. */
	while (out->n && out->p[out->n - 1] == '\0')
		out->n--;
	return true;
}

bool bdb_dump_line(struct bdb_dump *d, struct span line)
{
	if (!d->data) {
		d->data = span_eq(line, span_of("HEADER=END"));
		return true;
	}
	if (span_eq(line, span_of("DATA=END"))) {
		d->ended = true;
		return !d->has_key;
	}
	if (line.n == 0 || line.p[0] != ' ' || d->ended || !decode(d->has_key ? &d->value : &d->key, span_from(line, 1)))
		return false;
	if (d->has_key)
		d->pair(d->arg, buf_span(&d->key), buf_span(&d->value));
	d->has_key = !d->has_key;
	return true;
}
