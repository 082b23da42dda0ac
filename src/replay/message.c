#include "replay/message.h"

#define SLOTS_FIRST 65536

struct messages {
	struct message **slots;
	size_t slot_count, count;
	uint64_t made;
	struct message *oldest, *newest;
};

struct messages *messages_new(void)
{
	struct messages *t = calloc(1, sizeof *t);

	if (t && (t->slots = calloc(SLOTS_FIRST, sizeof(struct message *))))
		t->slot_count = SLOTS_FIRST;
	else
		messages_free(&t);
	return t;
}

static void free_one(struct message *m)
{
	free(m->copy);
	free(m);
}

void messages_free(struct messages **t)
{
	if (!*t)
		return;
	for (size_t i = 0; i < (*t)->slot_count; i++)
		for (struct message *m = (*t)->slots[i], *next; m; m = next) {
			next = m->next;
			free_one(m);
		}
	free((*t)->slots);
	free(*t);
	*t = NULL;
}

/* Without memory for more slots the chains grow longer. */
static void grow(struct messages *t)
{
	size_t count = t->slot_count * 2;
	struct message **slots = calloc(count, sizeof(struct message *));

	if (!slots)
		return;
	for (size_t i = 0; i < t->slot_count; i++)
		for (struct message *m = t->slots[i], *next; m; m = next) {
			next = m->next;
			m->next = slots[m->hash % count];
			slots[m->hash % count] = m;
		}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
}

static void link_newest(struct messages *t, struct message *m)
{
	m->older = t->newest;
	if (t->newest)
		t->newest->newer = m;
	else
		t->oldest = m;
	t->newest = m;
}

struct message *messages_find(const struct messages *t, uint64_t hash)
{
	struct message *m = t->slots[hash % t->slot_count];

	while (m && m->hash != hash)
		m = m->next;
	return m;
}

struct message *messages_get(struct messages *t, uint64_t hash, int64_t now)
{
	struct message *m = messages_find(t, hash);

	if (m || !(m = calloc(1, sizeof *m)))
		return m;
	if (t->count >= t->slot_count)
		grow(t);
	m->hash = hash;
	m->id = ++t->made;
	m->first_at = now;
	m->next = t->slots[hash % t->slot_count];
	t->slots[hash % t->slot_count] = m;
	t->count++;
	link_newest(t, m);
	return m;
}

struct message *messages_oldest(const struct messages *t)
{
	return t->oldest;
}

void messages_retire(struct messages *t, struct message *m)
{
	if (m->over)
		return;
	m->over = true;
	if (m->older)
		m->older->newer = m->newer;
	else
		t->oldest = m->newer;
	if (m->newer)
		m->newer->older = m->older;
	else
		t->newest = m->older;
}

void messages_drop(struct messages *t, struct message *m)
{
	struct message **at = &t->slots[m->hash % t->slot_count];

	messages_retire(t, m);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	t->count--;
	free_one(m);
}

size_t messages_count(const struct messages *t)
{
	return t->count;
}
