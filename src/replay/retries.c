#include "replay/retries.h"

static bool before(const struct retry *a, const struct retry *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct retry *a, struct retry *b)
{
	struct retry t = *a;

	*a = *b;
	*b = t;
}

bool retries_add(struct retries *q, int64_t at, const struct message *m, unsigned side)
{
	if (q->count == q->room) {
		size_t room = q->room ? q->room * 2 : 1024;
		struct retry *rows = realloc(q->rows, room * sizeof *rows);
		if (!rows)
			return false;
		q->rows = rows;
		q->room = room;
	}
	size_t i = q->count++;
	q->rows[i] = (struct retry){ at, q->added++, m->hash, m->id, side };
	for (; i && before(&q->rows[i], &q->rows[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&q->rows[i], &q->rows[(i - 1) / 2]);
	return true;
}

static void sink(struct retries *q)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < q->count; i = child) {
		if (child + 1 < q->count && before(&q->rows[child + 1], &q->rows[child]))
			child++;
		if (!before(&q->rows[child], &q->rows[i]))
			return;
		swap(&q->rows[child], &q->rows[i]);
	}
}

bool retries_take(struct retries *q, int64_t until, struct retry *out)
{
	if (q->count == 0 || q->rows[0].at > until)
		return false;
	*out = q->rows[0];
	q->rows[0] = q->rows[--q->count];
	sink(q);
	return true;
}

void retries_free(struct retries *q)
{
	free(q->rows);
	*q = (struct retries){ 0 };
}
