#include "engine/livingindex.h"

#include "lists/listvalue.h"

#define SLOTS_FIRST 1024
/* A client's value in the table: family, bits, address. */
#define CLIENT_BYTES 18

struct entry {
	struct entry *next;
	int64_t expires;
	uint32_t generation;
	uint32_t hash;
	uint32_t pass;			/* the last one that met it */
	uint16_t n;
	uint8_t list, kind;
	char value[];
};

struct list {
	char word[LIST_WORD_MAX];
	uint8_t n;			/* of word; 0: never used */
	size_t count[LIST_KINDS];
	uint32_t lengths[2][129];	/* prefixes of IPv4 and of IPv6 by their length */
};

struct livingindex {
	struct entry **slots;		/* a power of two */
	size_t room, used;
	size_t swept;			/* next slot to sweep */
	uint32_t pass, ended;		/* the pass under way or last begun; the last that ended */
	unsigned list_count;
	struct list *lists[LIVING_LISTS_MAX];
};

struct livingindex *livingindex_new(void)
{
	struct livingindex *ix = calloc(1, sizeof *ix);

	if (!ix)
		return NULL;
	ix->room = SLOTS_FIRST;
	ix->slots = calloc(ix->room, sizeof(struct entry *));
	if (!ix->slots)
		livingindex_free(&ix);
	return ix;
}

void livingindex_free(struct livingindex **index)
{
	struct livingindex *ix = *index;

	if (!ix)
		return;
	for (size_t i = 0; ix->slots && i < ix->room; i++)
		for (struct entry *e = ix->slots[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	for (unsigned i = 0; i < ix->list_count; i++)
		free(ix->lists[i]);
	free(ix->slots);
	free(ix);
	*index = NULL;
}

/* --- Lists -------------------------------------------------------------------- */

static bool is_list(const struct list *l, struct span word)
{
	return span_eq(span_make(l->word, l->n), word);
}

/* Its number, or list_count. */
static unsigned find_list(const struct livingindex *ix, struct span word)
{
	unsigned i = 0;

	while (i < ix->list_count && !is_list(ix->lists[i], word))
		i++;
	return i;
}

static size_t list_entries(const struct list *l)
{
	size_t sum = 0;

	for (unsigned kind = 0; kind < LIST_KINDS; kind++)
		sum += l->count[kind];
	return sum;
}

/* A list that has become empty gives its place to a new one. */
static unsigned reuse_list(const struct livingindex *ix)
{
	unsigned i = 0;

	while (i < ix->list_count && list_entries(ix->lists[i]))
		i++;
	return i;
}

/* 1, 0 when there are too many, -1. */
static int make_list(struct livingindex *ix, struct span word, unsigned *number)
{
	*number = find_list(ix, word);
	if (*number < ix->list_count)
		return 1;
	*number = reuse_list(ix);
	if (*number == LIVING_LISTS_MAX || word.n == 0 || word.n > LIST_WORD_MAX)
		return 0;
	if (*number == ix->list_count) {
		ix->lists[*number] = calloc(1, sizeof(struct list));
		if (!ix->lists[*number])
			return -1;
		ix->list_count++;
	}
	struct list *l = ix->lists[*number];
	memcpy(l->word, word.p, word.n);
	l->n = (uint8_t)word.n;
	return 1;
}

/* --- The table ------------------------------------------------------------------ */

static uint32_t hash_of(unsigned list, enum list_kind kind, struct span value)
{
	uint64_t h = span_hash(value, (uint64_t)list << 8 | (uint64_t)kind);

	return (uint32_t)(h ^ h >> 32);
}

static struct entry *find(const struct livingindex *ix, unsigned list, enum list_kind kind, struct span value,
			  uint32_t hash)
{
	struct entry *e = ix->slots[hash & (ix->room - 1)];

	while (e && !(e->hash == hash && e->list == list && e->kind == kind &&
		      span_eq(span_make(e->value, e->n), value)))
		e = e->next;
	return e;
}

/* Without memory for more slots the chains only grow longer. */
static void grow(struct livingindex *ix)
{
	size_t room = ix->room * 2;
	struct entry **slots = calloc(room, sizeof *slots);

	if (!slots)
		return;
	for (size_t i = 0; i < ix->room; i++)
		for (struct entry *e = ix->slots[i], *next; e; e = next) {
			struct entry **slot = &slots[e->hash & (room - 1)];
			next = e->next;
			e->next = *slot;
			*slot = e;
		}
	free(ix->slots);
	ix->slots = slots;
	ix->room = room;
	ix->swept = 0;
}

static void count(struct livingindex *ix, const struct entry *e, bool in)
{
	struct list *l = ix->lists[e->list];
	size_t one = in ? 1 : (size_t)-1;

	ix->used += one;
	l->count[e->kind] += one;
	if (e->kind == LIST_CLIENT)
		l->lengths[e->value[0] == 6][(uint8_t)e->value[1]] += (uint32_t)one;
}

static bool is_dead(const struct livingindex *ix, const struct entry *e)
{
	return e->pass < ix->ended;
}

static void merge(struct livingindex *ix, struct entry *e, uint32_t generation, int64_t expires)
{
	if (is_dead(ix, e) || generation > e->generation) {
		e->generation = generation;
		e->expires = expires;
	} else if (generation == e->generation && expires > e->expires) {
		e->expires = expires;
	}
	e->pass = ix->pass;
}

static struct span client_value(char out[CLIENT_BYTES], const struct netprefix *p)
{
	size_t width = netaddr_width(&p->addr) / 8;

	out[0] = (char)p->addr.family;
	out[1] = (char)p->bits;
	memcpy(out + 2, p->addr.bytes, width);
	return span_make(out, 2 + width);
}

size_t livingindex_room(const struct livingindex *ix, struct span list)
{
	if (find_list(ix, list) == ix->list_count && reuse_list(ix) == LIVING_LISTS_MAX)
		return 0;
	return ix->used < LIVING_ENTRIES_MAX ? LIVING_ENTRIES_MAX - ix->used : 0;
}

int livingindex_put(struct livingindex *ix, struct span list, enum list_kind kind, struct span value,
		    uint32_t generation, int64_t expires)
{
	char bytes[CLIENT_BYTES];
	struct netprefix p;
	unsigned number;
	int made = make_list(ix, list, &number);

	if (made != 1 || value.n == 0 || value.n > LIST_VALUE_MAX ||
	    (kind == LIST_CLIENT && !netprefix_parse(value, &p)))
		return made < 0 ? -1 : 0;
	if (kind == LIST_CLIENT)
		value = client_value(bytes, &p);
	uint32_t hash = hash_of(number, kind, value);
	struct entry *e = find(ix, number, kind, value, hash);
	if (e) {
		merge(ix, e, generation, expires);
		return 1;
	}
	if (ix->used >= LIVING_ENTRIES_MAX)
		return 0;
	if (ix->used >= ix->room)
		grow(ix);
	e = malloc(sizeof *e + value.n);
	if (!e)
		return -1;
	struct entry **slot = &ix->slots[hash & (ix->room - 1)];
	*e = (struct entry){ .next = *slot, .expires = expires, .generation = generation, .hash = hash,
			     .pass = ix->pass, .n = (uint16_t)value.n, .list = (uint8_t)number, .kind = (uint8_t)kind };
	memcpy(e->value, value.p, value.n);
	*slot = e;
	count(ix, e, true);
	return 1;
}

/* --- Looking up ------------------------------------------------------------------ */

struct search {
	const struct livingindex *ix;
	unsigned list;
	enum list_kind kind;
	int64_t now;
	const struct entry *found;
};

static bool try_value(void *arg, struct span value)
{
	struct search *s = arg;
	const struct entry *e = find(s->ix, s->list, s->kind, value, hash_of(s->list, s->kind, value));

	if (!e || e->expires <= s->now || is_dead(s->ix, e))
		return false;
	s->found = e;
	return true;
}

/* The longest prefix first. */
static bool try_client(struct search *s, const struct netaddr *client)
{
	const uint32_t *lengths = s->ix->lists[s->list]->lengths[client->family == 6];
	char bytes[CLIENT_BYTES];

	for (unsigned bits = netaddr_width(client) + 1; bits-- > 0;) {
		if (lengths[bits] == 0)
			continue;
		struct netprefix p = netaddr_network(client, bits);
		if (try_value(s, client_value(bytes, &p)))
			return true;
	}
	return false;
}

static bool try_kind(struct search *s, const struct request *r)
{
	switch (s->kind) {
	case LIST_CLIENT: return r->client.family && try_client(s, &r->client);
	case LIST_NAME: return listvalue_of_name(r->client_name, try_value, s);
	case LIST_SENDER: return r->has_sender && listvalue_of_address(r->sender, try_value, s);
	case LIST_RECIPIENT: return r->recipient.n && listvalue_of_address(r->recipient, try_value, s);
	case LIST_PAIR: return listvalue_of_pair(r->recipient, address_domain(r->sender), try_value, s) ||
			       listvalue_of_pair(r->recipient, r->client_name, try_value, s);
	case LIST_DOMAIN: break;
	}
	return false;
}

static void fill_hit(struct living_hit *hit, const struct entry *e)
{
	struct buf b = BUF_ON(hit->value);
	struct netprefix p = { .addr.family = (uint8_t)e->value[0] };

	hit->kind = (enum list_kind)e->kind;
	hit->expires = e->expires;
	if (e->kind != LIST_CLIENT) {
		buf_addspan(&b, span_head(span_make(e->value, e->n), LIVING_HIT_TEXT));
		return;
	}
	p.bits = (uint8_t)e->value[1];
	memcpy(p.addr.bytes, e->value + 2, e->n - 2u);
	listvalue_add_client(&b, &p);
}

bool livingindex_match(const struct livingindex *ix, struct span list, const struct request *r, int64_t now,
		       struct living_hit *hit)
{
	struct search s = { .ix = ix, .list = find_list(ix, list), .now = now };

	if (s.list == ix->list_count)
		return false;
	for (unsigned kind = 0; kind < LIST_KINDS; kind++) {
		s.kind = (enum list_kind)kind;
		if (ix->lists[s.list]->count[kind] == 0 || !try_kind(&s, r))
			continue;
		if (hit)
			fill_hit(hit, s.found);
		return true;
	}
	return false;
}

bool livingindex_empty(const struct livingindex *ix, struct span list)
{
	unsigned number = find_list(ix, list);

	return number == ix->list_count || list_entries(ix->lists[number]) == 0;
}

size_t livingindex_count(const struct livingindex *ix)
{
	return ix->used;
}

int64_t livingindex_until(const struct livingindex *ix, struct span list, enum list_kind kind, struct span value,
			  int64_t now)
{
	struct search s = { .ix = ix, .list = find_list(ix, list), .kind = kind, .now = now };

	return s.list < ix->list_count && try_value(&s, value) ? s.found->expires : 0;
}

static bool has_kind(const struct livingindex *ix, enum list_kind kind)
{
	for (unsigned i = 0; i < ix->list_count; i++)
		if (ix->lists[i]->count[kind])
			return true;
	return false;
}

bool livingindex_walk(const struct livingindex *ix, enum list_kind kind, size_t *at, size_t most, int64_t now,
		      livingindex_fn *fn, void *arg)
{
	size_t end = has_kind(ix, kind) ? ix->room : 0;

	for (; most && *at < end; most--, ++*at)
		for (const struct entry *e = ix->slots[*at]; e; e = e->next) {
			const struct list *l = ix->lists[e->list];
			if (e->kind == kind && e->expires > now && !is_dead(ix, e))
				fn(arg, span_make(l->word, l->n), span_make(e->value, e->n));
		}
	if (*at < end)
		return false;
	*at = 0;
	return true;
}

/* --- Passes and sweeping ----------------------------------------------------------- */

void livingindex_pass_begin(struct livingindex *ix)
{
	ix->pass++;
}

void livingindex_pass_end(struct livingindex *ix)
{
	ix->ended = ix->pass;
}

void livingindex_sweep(struct livingindex *ix, size_t most, int64_t now)
{
	bool during_pass = ix->pass != ix->ended;

	if (ix->used == 0)
		return;
	for (size_t i = 0; i < most && i < ix->room; i++) {
		struct entry **at = &ix->slots[ix->swept++ & (ix->room - 1)];
		while (*at) {
			struct entry *e = *at;
			if (!is_dead(ix, e) && (during_pass || e->expires > now)) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			count(ix, e, false);
			free(e);
		}
	}
}
