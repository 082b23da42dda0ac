#include "base/value.h"

struct unit {
	struct span word;
	uint64_t factor;
};

static int refuse(struct buf *why, struct span s, const char *wanted)
{
	buf_clear(why);
	buf_addc(why, '"');
	buf_addsafe(why, s, 60);
	buf_adds(why, "\" is not ");
	buf_adds(why, wanted);
	return -1;
}

/* Takes digits and a unit off the head of *s; 0 when they are not there or too large. */
static bool take_part(struct span *s, const struct unit *units, size_t count, uint64_t *total)
{
	size_t digits = 0, word = 0;
	uint64_t n;

	while (digits < s->n && ascii_digit(s->p[digits]))
		digits++;
	struct span rest = span_from(*s, digits);
	while (word < rest.n && ascii_alpha(rest.p[word]))
		word++;
	if (!span_uint(span_head(*s, digits), UINT64_MAX >> 24, &n))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!span_ieq(span_head(rest, word), units[i].word) || n > (UINT64_MAX >> 1) / units[i].factor)
			continue;
		*total += n * units[i].factor;
		*s = span_from(rest, word);
		return *total < UINT64_MAX >> 1;
	}
	return false;
}

static const struct unit times[] = {
	{ SPAN("ms"), 1 }, { SPAN("s"), 1000 }, { SPAN("m"), 60000 }, { SPAN("h"), 3600000 },
	{ SPAN("d"), 86400000 }, { SPAN("w"), 604800000 },
};

int value_duration_ms(struct span s, uint64_t *out, struct buf *why)
{
	struct span rest = s;
	uint64_t total = 0;

	if (span_eq(s, span_of("0"))) {
		*out = 0;
		return 0;
	}
	do
		if (!take_part(&rest, times, sizeof times / sizeof *times, &total))
			return refuse(why, s, "a duration such as 500ms, 60s, 15m, 48h or 36d");
	while (rest.n);
	*out = total;
	return 0;
}

static const struct unit sizes[] = {
	{ SPAN("B"), 1 }, { SPAN("K"), 1024 }, { SPAN("M"), 1 << 20 }, { SPAN("G"), 1 << 30 },
};

int value_size(struct span s, uint64_t *out, struct buf *why)
{
	struct span rest = s;
	uint64_t total = 0;

	if (span_eq(s, span_of("0"))) {
		*out = 0;
		return 0;
	}
	if (!take_part(&rest, sizes, sizeof sizes / sizeof *sizes, &total) || rest.n)
		return refuse(why, s, "a size such as 64K, 8M or 1G");
	*out = total;
	return 0;
}

int value_number(struct span s, uint64_t *out, struct buf *why)
{
	if (!span_uint(s, UINT64_MAX >> 1, out))
		return refuse(why, s, "a number");
	return 0;
}

int value_bool(struct span s, bool *out, struct buf *why)
{
	static const struct { struct span word; bool value; } words[] = {
		{ SPAN("yes"), true }, { SPAN("no"), false }, { SPAN("on"), true }, { SPAN("off"), false },
		{ SPAN("true"), true }, { SPAN("false"), false },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_ieq(s, words[i].word)) {
			*out = words[i].value;
			return 0;
		}
	return refuse(why, s, "yes or no");
}

void value_add_duration_ms(struct buf *b, uint64_t ms)
{
	if (ms >= 1000 || ms == 0)
		buf_addduration(b, ms / 1000);
	if (ms % 1000) {
		buf_addu(b, ms % 1000);
		buf_adds(b, "ms");
	}
}

void value_add_size(struct buf *b, uint64_t bytes)
{
	static const char units[] = "BKMG";
	unsigned unit = 0;

	while (unit < 3 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	buf_addu(b, bytes);
	buf_addc(b, units[unit]);
}
