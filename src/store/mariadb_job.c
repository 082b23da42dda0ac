#include "store/mariadb_job.h"

void mariadb_job_init(struct mariadb_job *j)
{
	j->keys = buf_heap(MARIADB_KEYS);
	j->prefix = buf_on(j->prefix_text, sizeof j->prefix_text);
	j->from = buf_on(j->from_text, sizeof j->from_text);
}

void mariadb_job_free(struct mariadb_job *j)
{
	buf_free(&j->keys);
}

void mariadb_job_begin(struct mariadb_job *j, enum mariadb_kind kind)
{
	j->kind = kind;
	j->next = NULL;
	j->seq = j->after = j->changed = 0;
	j->failed = j->unsure = j->again = j->more = j->figures = j->pending_only = false;
	atomic_store(&j->abandoned, false);
	j->gets = NULL;
	j->last = NULL;
	j->count = j->distinct = 0;
	buf_clear(&j->keys);
	buf_clear(&j->prefix);
	buf_clear(&j->from);
}

bool mariadb_job_room(struct mariadb_job *j, unsigned items, size_t bytes)
{
	return j->count + items <= MARIADB_ITEMS && buf_room(&j->keys, bytes);
}

void mariadb_job_add(struct mariadb_job *j, struct span key, const struct record *record)
{
	struct mariadb_item *item = &j->items[j->count++];
	unsigned char bytes[RECORD_SIZE];

	*item = (struct mariadb_item){ .at = j->keys.n, .key = { NULL, key.n } };
	buf_addspan(&j->keys, key);
	if (!record)
		return;
	record_encode(record, bytes);
	record_decode(span_make((const char *)bytes, sizeof bytes), &item->record);
}

void mariadb_job_seal(struct mariadb_job *j)
{
	for (unsigned i = 0; i < j->count; i++)
		j->items[i].key.p = j->keys.p + j->items[i].at;
}

/* Bytewise, the shorter first: as the server orders VARBINARY. */
static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_items(const void *a, const void *b)
{
	const struct mariadb_item *const *x = a, *const *y = b;

	return compare((*x)->key, (*y)->key);
}

void mariadb_job_order(struct mariadb_job *j, bool merge)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < j->count; i++)
		j->order[i] = &j->items[i];
	qsort(j->order, j->count, sizeof *j->order, compare_items);
	for (unsigned i = 0; i < j->count; i++) {
		if (merge && kept && span_eq(j->order[kept - 1]->key, j->order[i]->key))
			record_merge(&j->order[kept - 1]->record, &j->order[i]->record);
		else
			j->order[kept++] = j->order[i];
	}
	j->distinct = kept;
}

unsigned mariadb_job_find(const struct mariadb_job *j, struct span key, unsigned *first)
{
	unsigned low = 0, high = j->distinct, end;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (compare(j->order[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < j->distinct && span_eq(j->order[end]->key, key); end++)
		;
	*first = low;
	return end - low;
}

void mariadb_list_init(struct mariadb_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void mariadb_list_add(struct mariadb_list *l, struct mariadb_job *j)
{
	j->next = NULL;
	*l->end = j;
	l->end = &j->next;
}

void mariadb_list_cut(struct mariadb_list *l, struct mariadb_job **at)
{
	struct mariadb_job *j = *at;

	*at = j->next;
	if (l->end == &j->next)
		l->end = at;
	j->next = NULL;
}
