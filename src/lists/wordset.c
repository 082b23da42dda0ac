#include "lists/wordset.h"

struct slot {
	uint32_t at;		/* in text */
	uint16_t length;	/* 0: free */
	uint16_t flags;
	uint64_t hash;
};

struct wordset {
	struct slot *slots;
	size_t room, used;	/* room is a power of two, at most half of it used */
	char *text;
	size_t text_n, text_room;
};

struct wordset *wordset_new(void)
{
	struct wordset *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	set->room = 16;
	set->slots = calloc(set->room, sizeof *set->slots);
	if (!set->slots)
		wordset_free(&set);
	return set;
}

void wordset_free(struct wordset **set)
{
	if (*set) {
		free((*set)->slots);
		free((*set)->text);
	}
	free(*set);
	*set = NULL;
}

static struct slot *find(const struct wordset *set, struct span word, uint64_t hash)
{
	size_t i = hash & (set->room - 1);

	for (;; i = (i + 1) & (set->room - 1)) {
		struct slot *s = &set->slots[i];
		if (s->length == 0)
			return s;
		if (s->hash == hash && span_eq(span_make(set->text + s->at, s->length), word))
			return s;
	}
}

static bool grow(struct wordset *set)
{
	struct wordset bigger = *set;

	bigger.room *= 2;
	bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < set->room; i++) {
		const struct slot *s = &set->slots[i];
		if (s->length)
			*find(&bigger, span_make(set->text + s->at, s->length), s->hash) = *s;
	}
	free(set->slots);
	*set = bigger;
	return true;
}

static bool add_text(struct wordset *set, struct span word, uint32_t *at)
{
	if (set->text_n + word.n > set->text_room) {
		size_t room = (set->text_room + word.n) * 2;
		char *text = room < UINT32_MAX ? realloc(set->text, room) : NULL;
		if (!text)
			return false;
		set->text = text;
		set->text_room = room;
	}
	memcpy(set->text + set->text_n, word.p, word.n);
	*at = (uint32_t)set->text_n;
	set->text_n += word.n;
	return true;
}

bool wordset_add(struct wordset *set, struct span word, unsigned flags)
{
	char lower[WORDSET_LONGEST];
	struct slot new = { .length = (uint16_t)word.n, .flags = (uint16_t)flags };

	if (word.n == 0 || word.n > sizeof lower || (set->used * 2 >= set->room && !grow(set)))
		return false;
	for (size_t i = 0; i < word.n; i++)
		lower[i] = ascii_lower(word.p[i]);
	word = span_make(lower, word.n);
	new.hash = span_hash(word, 0);
	struct slot *s = find(set, word, new.hash);
	if (s->length) {
		s->flags = (uint16_t)(s->flags | flags);
		return true;
	}
	if (!add_text(set, word, &new.at))
		return false;
	*s = new;
	set->used++;
	return true;
}

unsigned wordset_find(const struct wordset *set, struct span word)
{
	if (set->used == 0 || word.n == 0 || word.n > WORDSET_LONGEST)
		return 0;
	return find(set, word, span_hash(word, 0))->flags;
}

size_t wordset_count(const struct wordset *set)
{
	return set->used;
}
