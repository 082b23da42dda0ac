#include "store/valkey_slot.h"

#include "core/key.h"
#include "store/valkey_where.h"

#define POLYNOMIAL 0x1021u

static unsigned crc16(struct span s)
{
	unsigned crc = 0;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned)(unsigned char)s.p[i] << 8;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = ((crc << 1) ^ (crc & 0x8000 ? POLYNOMIAL : 0)) & 0xffff;
	}
	return crc;
}

/* An address may well contain braces. */
static struct span tag_of(struct span key)
{
	size_t open = span_find(key, '{');
	struct span inner = span_from(key, open + 1);
	size_t close = span_find(inner, '}');

	return open < key.n && close > 0 && close < inner.n ? span_head(inner, close) : key;
}

unsigned valkey_slot(struct span prefix, struct span key)
{
	char text[VALKEY_PREFIX_MAX + KEY_MAX + 1];
	struct buf whole = BUF_ON(text);

	buf_addspan(&whole, prefix);
	buf_addspan(&whole, key);
	return crc16(tag_of(buf_span(&whole))) % VALKEY_SLOTS;
}
