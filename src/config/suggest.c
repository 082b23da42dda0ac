#include "config/suggest.h"

#define LONGEST 24

void suggest_begin(struct suggest *s, struct span word)
{
	*s = (struct suggest){ .word = word, .distance = UINT32_MAX };
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance, without regard to case; both at most LONGEST. */
static unsigned distance(struct span a, struct span b)
{
	unsigned rows[LONGEST + 1][LONGEST + 1];

	for (unsigned i = 0; i <= a.n; i++)
		rows[i][0] = i;
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++)
		for (size_t j = 1; j <= b.n; j++) {
			char x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);
			unsigned d = rows[i - 1][j - 1] + (x != y);
			d = least(d, least(rows[i - 1][j], rows[i][j - 1]) + 1);
			if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && y == ascii_lower(a.p[i - 2]))
				d = least(d, rows[i - 2][j - 2] + 1);
			rows[i][j] = d;
		}
	return rows[a.n][b.n];
}

void suggest_try(struct suggest *s, const char *keyword)
{
	struct span k = span_of(keyword);

	if (s->word.n < 3 || s->word.n > LONGEST || k.n < 3 || k.n > LONGEST)
		return;
	unsigned d = distance(s->word, k);
	if (d <= (k.n >= 6 ? 2 : 1) && d < s->distance) {
		s->distance = d;
		s->best = keyword;
	}
}

void suggest_add(struct buf *out, const struct suggest *s)
{
	if (s->best)
		buf_addf(out, "; did you mean %s?", s->best);
}
