#include "cli/heavy.h"

struct heavy {
	unsigned cap, count, slots;
	bool full;
	struct heavy_row *rows;		/* cap of them */
	uint32_t *table;		/* slots: index of a row and 1; 0: free */
};

struct heavy *heavy_new(unsigned names)
{
	struct heavy *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->cap = names;
	for (h->slots = 4; h->slots < 2 * names; h->slots *= 2)
		;
	h->rows = calloc(names, sizeof *h->rows);
	h->table = calloc(h->slots, sizeof *h->table);
	if (!h->rows || !h->table)
		heavy_free(&h);
	return h;
}

void heavy_free(struct heavy **h)
{
	if (*h) {
		free((*h)->rows);
		free((*h)->table);
	}
	free(*h);
	*h = NULL;
}

static unsigned find(const struct heavy *h, struct span name)
{
	unsigned at = (unsigned)span_hash(name, 0) & (h->slots - 1);

	while (h->table[at] && !span_eq(span_of(h->rows[h->table[at] - 1].name), name))
		at = (at + 1) & (h->slots - 1);
	return at;
}

static int by_weight(const void *a, const void *b)
{
	const struct heavy_row *x = a, *y = b;

	if (x->deferred != y->deferred)
		return x->deferred < y->deferred ? 1 : -1;
	if (x->passed != y->passed)
		return x->passed < y->passed ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void sort(struct heavy *h, unsigned keep)
{
	qsort(h->rows, h->count, sizeof *h->rows, by_weight);
	if (h->count > keep)
		h->count = keep;
	memset(h->table, 0, h->slots * sizeof *h->table);
	for (unsigned i = 0; i < h->count; i++)
		h->table[find(h, span_of(h->rows[i].name))] = i + 1;
}

static struct span cut(struct span name)
{
	size_t n = name.n;

	if (n <= HEAVY_NAME_MAX)
		return name;
	for (n = HEAVY_NAME_MAX; n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80; n--)
		;
	return span_head(name, n);
}

void heavy_add(struct heavy *h, struct span name, uint64_t deferred, uint64_t passed)
{
	name = cut(name);
	unsigned at = find(h, name);
	if (!h->table[at] && h->count == h->cap) {
		h->full = true;
		sort(h, h->cap / 2);
		at = find(h, name);
	}
	if (!h->table[at]) {
		struct heavy_row *new = &h->rows[h->count++];
		*new = (struct heavy_row){ 0 };
		memcpy(new->name, name.p, name.n);
		h->table[at] = h->count;
	}
	struct heavy_row *row = &h->rows[h->table[at] - 1];
	row->deferred += deferred;
	row->passed += passed;
}

unsigned heavy_top(struct heavy *h, unsigned most, const struct heavy_row **rows)
{
	sort(h, h->count);
	*rows = h->rows;
	return h->count < most ? h->count : most;
}

bool heavy_full(const struct heavy *h)
{
	return h->full;
}
