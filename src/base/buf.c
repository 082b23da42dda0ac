#include "base/buf.h"

#include <stdarg.h>

#define BUF_FIRST 256

struct buf buf_on(char *storage, size_t size)
{
	storage[0] = '\0';
	return (struct buf){ .p = storage, .cap = size, .max = size - 1 };
}

struct buf buf_heap(size_t max)
{
	return (struct buf){ .max = max, .heap = true };
}

void buf_free(struct buf *b)
{
	if (!b->heap)
		return;
	free(b->p);
	*b = buf_heap(b->max);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->over = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_drop(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	if (n > b->n)
		n = b->n;
	b->n -= n;
	if (b->n)
		memmove(b->p, b->p + n, b->n);
	if (b->p)
		b->p[b->n] = '\0';
}

bool buf_room(struct buf *b, size_t n)
{
	if (n > b->max - b->n)
		return false;
	if (b->n + n < b->cap)
		return true;
	if (!b->heap)
		return false;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	while (cap <= b->n + n)
		cap *= 2;
	char *p = realloc(b->p, cap);
	if (!p)
		return false;
	b->p = p;
	b->cap = cap;
	b->p[b->n] = '\0';
	return true;
}

const char *buf_str(const struct buf *b)
{
	return b->n ? b->p : "";
}

void buf_add_slow(struct buf *b, const void *bytes, size_t n)
{
	if (!buf_room(b, n)) {
		b->over = true;
		n = b->max - b->n;
		if (!buf_room(b, n))
			return;
	}
	if (n == 0)
		return;
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void buf_addspan(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void buf_addlower(struct buf *b, struct span s)
{
	size_t from = b->n;

	buf_addspan(b, s);
	for (size_t i = from; i < b->n; i++)
		b->p[i] = ascii_lower(b->p[i]);
}

void buf_addu(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	buf_add(b, digits + at, sizeof digits - at);
}

void buf_addi(struct buf *b, int64_t value)
{
	if (value < 0) {
		buf_addc(b, '-');
		buf_addu(b, (uint64_t)0 - (uint64_t)value);
	} else {
		buf_addu(b, (uint64_t)value);
	}
}

__attribute__((format(printf, 2, 0)))
static void buf_addv(struct buf *b, const char *format, va_list ap)
{
	char text[2048];
	int n = vsnprintf(text, sizeof text, format, ap);

	if (n < 0)
		return;
	if ((size_t)n >= sizeof text) {
		b->over = true;
		n = (int)sizeof text - 1;
	}
	buf_add(b, text, (size_t)n);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_addv(b, format, ap);
	va_end(ap);
}

/* Length of the valid UTF-8 sequence at s (RFC 3629), 0 when there is none. */
static size_t utf8_length(struct span s)
{
	const unsigned char *u = (const unsigned char *)s.p;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 :
		   u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	/* C1 controls, U+0080 to U+009F, steer some terminals. */
	if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0)
		return 0;
	return n;
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

void buf_addsafe(struct buf *b, struct span s, size_t most)
{
	static const char hex[] = "0123456789abcdef";
	bool cut = s.n > most;

	s = span_head(s, most);
	while (s.n) {
		size_t plain = 0;
		while (plain < s.n && is_plain(s.p[plain]))
			plain++;
		buf_add(b, s.p, plain);
		s = span_from(s, plain);
		if (s.n == 0)
			break;
		size_t n = (unsigned char)s.p[0] >= 0x80 ? utf8_length(s) : 0;
		if (n) {
			buf_add(b, s.p, n);
		} else {
			unsigned char c = (unsigned char)s.p[0];
			char esc[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
			buf_add(b, esc, sizeof esc);
			n = 1;
		}
		s = span_from(s, n);
	}
	if (cut)
		buf_adds(b, "...");
}

void buf_addshown(struct buf *b, struct span s, size_t most)
{
	bool cut = s.n > most;
	size_t n;

	for (s = span_head(s, most); s.n; s = span_from(s, n)) {
		for (n = 0; n < s.n && s.p[n] != '"' && s.p[n] != '\\'; n++)
			continue;
		buf_addsafe(b, span_head(s, n), n);
		if (n < s.n)
			buf_addc(b, s.p[n++]);
	}
	buf_adds(b, cut ? "..." : "");
}

void buf_addduration(struct buf *b, uint64_t seconds)
{
	static const struct { uint64_t seconds; char unit; } units[] = {
		{ 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (seconds < units[i].seconds)
			continue;
		buf_addu(b, seconds / units[i].seconds);
		buf_addc(b, units[i].unit);
		seconds %= units[i].seconds;
		any = true;
	}
	if (!any)
		buf_adds(b, "0s");
}

int buf_fail(struct buf *why, const char *format, ...)
{
	va_list ap;

	buf_clear(why);
	va_start(ap, format);
	buf_addv(why, format, ap);
	va_end(ap);
	return -1;
}
