#include "learn/tally.h"

#define ROOM_FIRST ((size_t)1024)

static struct span key_of(const struct netaddr *a)
{
	return span_make((const char *)a->bytes, sizeof a->bytes);
}

static uint32_t *slot_of(const struct tally *t, const struct netaddr *client)
{
	size_t mask = t->slot_count - 1, i = span_hash(key_of(client), client->family) & mask;

	while (t->slots[i] && !netaddr_eq(&t->rows[t->slots[i] - 1].client, client))
		i = (i + 1) & mask;
	return &t->slots[i];
}

/* Slots are twice the rows, so that look-ups end soon; both are powers of two. */
static bool grow(struct tally *t)
{
	size_t room = t->room ? t->room * 2 : ROOM_FIRST;
	struct tally_row *rows = realloc(t->rows, room * sizeof *rows);

	if (rows)
		t->rows = rows;
	uint32_t *slots = rows ? calloc(room * 2, sizeof *slots) : NULL;
	if (!slots)
		return false;
	free(t->slots);
	t->slots = slots;
	t->room = room;
	t->slot_count = room * 2;
	for (size_t i = 0; i < t->count; i++)
		*slot_of(t, &t->rows[i].client) = (uint32_t)i + 1;
	return true;
}

static struct tally_row *row_of(struct tally *t, const struct netaddr *client)
{
	uint32_t *slot = t->slot_count ? slot_of(t, client) : NULL;

	if (slot && *slot)
		return &t->rows[*slot - 1];
	if (t->count == TALLY_MAX || (t->count == t->room && !grow(t))) {
		t->left_out++;
		return NULL;
	}
	t->rows[t->count] = (struct tally_row){ .client = *client };
	*slot_of(t, client) = (uint32_t)t->count + 1;
	return &t->rows[t->count++];
}

static void set_name(struct tally_row *row, struct span name)
{
	if (name.n == 0 || (row->name && span_eq(span_of(row->name), name)))
		return;
	free(row->name);
	row->name = strndup(name.p, name.n);
}

void tally_add(struct tally *t, const struct peer *p, bool good, int64_t at)
{
	struct tally_row *row = row_of(t, &p->client);

	if (!row)
		return;
	if (good && row->good < UINT32_MAX)
		row->good++;
	if (!good && row->bad < UINT32_MAX)
		row->bad++;
	if (at >= row->at)
		set_name(row, p->name);
	row->at = at > row->at ? at : row->at;
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].name);
	free(t->rows);
	free(t->slots);
	*t = (struct tally){ 0 };
}
