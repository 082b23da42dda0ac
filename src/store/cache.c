#include "store/cache.h"

#define WAYS 4
#define KEY_ROOM 119

struct entry {
	struct record record;
	uint64_t hash;			/* 0: empty */
	uint8_t length;
	char key[KEY_ROOM];
};

/* A set's entries stand in order of use, the latest first. */
struct cache {
	size_t sets;
	struct entry entries[];
};

struct cache *cache_new(unsigned entries)
{
	size_t sets = entries / WAYS ? entries / WAYS : 1;
	struct cache *c = calloc(1, sizeof *c + sets * WAYS * sizeof(struct entry));

	if (c)
		c->sets = sets;
	return c;
}

void cache_free(struct cache **c)
{
	free(*c);
	*c = NULL;
}

static struct entry *set_of(struct cache *c, struct span key, uint64_t *hash)
{
	*hash = span_hash(key, 0x6361636865u);
	if (*hash == 0)
		*hash = 1;
	return &c->entries[*hash % c->sets * WAYS];
}

static struct entry *find(struct entry *set, uint64_t hash, struct span key)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].hash == hash && span_eq(span_make(set[i].key, set[i].length), key))
			return &set[i];
	return NULL;
}

/* Makes e the first of its set. */
static struct entry *use(struct entry *set, struct entry *e)
{
	struct entry moved = *e;

	if (e == set)
		return set;
	memmove(set + 1, set, (size_t)(e - set) * sizeof *set);
	set[0] = moved;
	return set;
}

bool cache_get(struct cache *c, struct span key, struct record *out)
{
	uint64_t hash;
	struct entry *set = set_of(c, key, &hash), *e = find(set, hash, key);

	if (!e)
		return false;
	*out = e->record;
	return true;
}

void cache_put(struct cache *c, struct span key, const struct record *record)
{
	uint64_t hash;
	struct entry *set = set_of(c, key, &hash), *e = find(set, hash, key);

	if (key.n > KEY_ROOM)
		return;
	e = use(set, e ? e : &set[WAYS - 1]);
	e->hash = hash;
	e->record = *record;
	e->length = (uint8_t)key.n;
	memcpy(e->key, key.p, key.n);
}

void cache_merge(struct cache *c, struct span key, const struct record *delta)
{
	uint64_t hash;
	struct entry *set = set_of(c, key, &hash), *e = find(set, hash, key);

	if (e)
		record_merge(&e->record, delta);
}

void cache_drop(struct cache *c, struct span key)
{
	uint64_t hash;
	struct entry *set = set_of(c, key, &hash), *e = find(set, hash, key);

	if (e)
		e->hash = 0;
}
