#include "store/later.h"

#include "core/key.h"

#define SLOTS 65536		/* a power of two */
#define USED_MAX (SLOTS / 2)
#define ARENA_BYTES ((size_t)4 * 1024 * 1024)

struct slot {
	uint32_t key_at;
	uint32_t key_n;		/* 0: free */
	struct record delta;
	bool forgotten;		/* not handed on; a slot in use cannot be freed alone */
};

struct later {
	unsigned used;
	size_t arena_n;
	struct slot slots[SLOTS];
	char arena[ARENA_BYTES];
};

struct later *later_new(void)
{
	return calloc(1, sizeof(struct later));
}

void later_free(struct later **l)
{
	free(*l);
	*l = NULL;
}

static struct span slot_key(const struct later *l, const struct slot *slot)
{
	return span_make(l->arena + slot->key_at, slot->key_n);
}

/* Index of the key's slot, or of the free one where it belongs. */
static size_t find(const struct later *l, struct span key)
{
	size_t at = span_hash(key, 0) % SLOTS;

	while (l->slots[at].key_n && !span_eq(slot_key(l, &l->slots[at]), key))
		at = (at + 1) % SLOTS;
	return at;
}

const struct record *later_find(const struct later *l, struct span key)
{
	const struct slot *slot = &l->slots[find(l, key)];

	return l->used && slot->key_n && !slot->forgotten ? &slot->delta : NULL;
}

void later_forget(struct later *l, struct span key)
{
	struct slot *slot = &l->slots[find(l, key)];

	if (!slot->key_n)
		return;
	slot->delta = (struct record){ 0 };
	slot->forgotten = true;
}

bool later_add(struct later *l, struct span key, const struct record *delta)
{
	struct slot *slot = &l->slots[find(l, key)];

	if (slot->key_n) {
		record_merge(&slot->delta, delta);
		slot->forgotten = false;
		return true;
	}
	if (l->used == USED_MAX || key.n > ARENA_BYTES - l->arena_n)
		return false;
	memcpy(l->arena + l->arena_n, key.p, key.n);
	*slot = (struct slot){ (uint32_t)l->arena_n, (uint32_t)key.n, *delta, false };
	l->arena_n += key.n;
	l->used++;
	return true;
}

bool later_room(const struct later *l)
{
	return l->used < USED_MAX && ARENA_BYTES - l->arena_n >= KEY_MAX;
}

bool later_empty(const struct later *l)
{
	return l->used == 0;
}

bool later_walk(struct later *l, size_t *at, struct span *key, struct record **delta)
{
	for (; l->used && *at < SLOTS; ++*at) {
		struct slot *slot = &l->slots[*at];
		if (!slot->key_n || slot->forgotten)
			continue;
		*key = slot_key(l, slot);
		*delta = &slot->delta;
		++*at;
		return true;
	}
	return false;
}

void later_clear(struct later *l)
{
	for (size_t i = 0; l->used && i < SLOTS; i++)
		l->slots[i].key_n = 0;
	l->used = 0;
	l->arena_n = 0;
}
