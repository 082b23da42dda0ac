#include "store/cache.h"

#define WAYS 4
#define KEY_ROOM 111

struct entry {
	struct record record;
	uint64_t until_ns;
	uint8_t length;
	char key[KEY_ROOM];
};

/* Hashes stand apart from what they belong to: most looks touch one line of
 * memory. A full set gives up the entry after the last one given up that was not
 * used since. */
struct set {
	uint64_t hashes[WAYS];		/* 0: empty */
	uint8_t used;			/* a bit an entry */
	uint8_t next;			/* the next to be given up, if not used */
};

struct cache {
	size_t count;
	struct set *sets;
	struct entry *entries;		/* WAYS a set */
};

struct cache *cache_new(unsigned entries)
{
	struct cache *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->count = entries / WAYS ? entries / WAYS : 1;
	c->sets = calloc(c->count, sizeof *c->sets);
	c->entries = calloc(c->count * WAYS, sizeof *c->entries);
	if (!c->sets || !c->entries) {
		cache_free(&c);
		return NULL;
	}
	return c;
}

void cache_free(struct cache **c)
{
	if (*c) {
		free((*c)->sets);
		free((*c)->entries);
	}
	free(*c);
	*c = NULL;
}
/* A key's place: its set, its hash, and its entry's index there, or WAYS. */
struct place {
	struct set *set;
	struct entry *entries;
	uint64_t hash;
	unsigned way;
};

static struct place find(struct cache *c, struct span key)
{
	uint64_t hash = span_hash(key, 0x6361636865u) | 1;
	size_t at = hash / 2 % c->count;
	struct place p = { &c->sets[at], &c->entries[at * WAYS], hash, 0 };

	for (; p.way < WAYS; p.way++) {
		const struct entry *e = &p.entries[p.way];
		if (p.set->hashes[p.way] == hash && span_eq(span_make(e->key, e->length), key))
			break;
	}
	return p;
}

static unsigned give_up(struct set *s)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (s->hashes[i] == 0)
			return i;
	while (s->used & 1u << s->next) {
		s->used = (uint8_t)(s->used & ~(1u << s->next));
		s->next = (uint8_t)((s->next + 1) % WAYS);
	}
	unsigned way = s->next;
	s->next = (uint8_t)((s->next + 1) % WAYS);
	return way;
}

bool cache_get(struct cache *c, struct span key, uint64_t now_ns, struct record *out)
{
	struct place p = find(c, key);

	if (p.way == WAYS || p.entries[p.way].until_ns <= now_ns)
		return false;
	p.set->used = (uint8_t)(p.set->used | 1u << p.way);
	*out = p.entries[p.way].record;
	return true;
}

void cache_put(struct cache *c, struct span key, const struct record *record, uint64_t until_ns)
{
	struct place p = find(c, key);

	if (key.n > KEY_ROOM)
		return;
	if (p.way == WAYS)
		p.way = give_up(p.set);
	struct entry *e = &p.entries[p.way];
	p.set->hashes[p.way] = p.hash;
	e->record = *record;
	e->until_ns = until_ns;
	e->length = (uint8_t)key.n;
	memcpy(e->key, key.p, key.n);
}

void cache_merge(struct cache *c, struct span key, const struct record *delta)
{
	struct place p = find(c, key);

	if (p.way < WAYS)
		record_merge(&p.entries[p.way].record, delta);
}

void cache_drop(struct cache *c, struct span key)
{
	struct place p = find(c, key);

	if (p.way < WAYS)
		p.set->hashes[p.way] = 0;
}
