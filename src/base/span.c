#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/span.h"

bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool span_starts(struct span s, struct span head)
{
	return s.n >= head.n && span_eq(span_head(s, head.n), head);
}

bool span_has(struct span s, struct span part)
{
	return part.n == 0 || (s.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

bool span_ends(struct span s, struct span tail)
{
	return s.n >= tail.n && span_eq(span_from(s, s.n - tail.n), tail);
}

bool span_istarts(struct span s, struct span head)
{
	return s.n >= head.n && span_ieq(span_head(s, head.n), head);
}

bool span_iends(struct span s, struct span tail)
{
	return s.n >= tail.n && span_ieq(span_from(s, s.n - tail.n), tail);
}

size_t span_find(struct span s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
	return hit ? (size_t)(hit - s.p) : s.n;
}

size_t span_rfind(struct span s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return s.n;
}

struct span span_from(struct span s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return from ? span_make(s.p + from, s.n - from) : s;
}

struct span span_head(struct span s, size_t n)
{
	return span_make(s.p, n < s.n ? n : s.n);
}

static bool is_trimmed(char c)
{
	return ascii_blank(c) || c == '\r' || c == '\n';
}

struct span span_unwrap(struct span s, char open, char close)
{
	bool wrapped = s.n >= 2 && s.p[0] == open && s.p[s.n - 1] == close;

	return wrapped ? span_make(s.p + 1, s.n - 2) : s;
}

struct span span_trim(struct span s)
{
	while (s.n && is_trimmed(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_trimmed(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool span_cut(struct span *rest, char sep, struct span *head)
{
	if (rest->n == 0)
		return false;
	size_t at = span_find(*rest, sep);
	*head = span_head(*rest, at);
	*rest = span_from(*rest, at + 1);
	return true;
}

bool span_uint(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_digit(s.p[i]))
			return false;
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

uint64_t span_hash(struct span s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}
