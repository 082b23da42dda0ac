#include "dns/dnscache.h"

#include "base/clock.h"

#define ENTRY_BYTES 1024	/* on average: a list's answer takes 200, a long TXT record several thousand */

struct dnscache {
	struct dnscache_entry **table;
	size_t mask;
	unsigned count, most;
	size_t bytes, bytes_most;
	struct dnscache_entry *newest, *oldest;
};

struct dnscache *dnscache_new(unsigned entries)
{
	struct dnscache *c = calloc(1, sizeof *c);
	size_t size = 16;

	if (!c)
		return NULL;
	while (size < entries)
		size *= 2;
	c->table = calloc(size, sizeof *c->table);
	if (!c->table) {
		free(c);
		return NULL;
	}
	c->mask = size - 1;
	c->most = entries;
	c->bytes_most = (size_t)entries * ENTRY_BYTES;
	return c;
}

static void entry_free(struct dnscache_entry *e)
{
	free(e->block);
	free(e);
}

static void unlink_age(struct dnscache *c, struct dnscache_entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_newest(struct dnscache *c, struct dnscache_entry *e)
{
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

void dnscache_drop(struct dnscache *c, struct dnscache_entry *e)
{
	struct dnscache_entry **at = &c->table[e->hash & c->mask];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	unlink_age(c, e);
	c->count--;
	c->bytes -= e->bytes;
	e->listed = false;
	if (!e->holds)
		entry_free(e);
}

/* What is being asked stays, so the cache may be over its measure by the questions
 * in flight; the resolver bounds those. */
static void make_room(struct dnscache *c, const struct dnscache_entry *keep)
{
	struct dnscache_entry *e = c->oldest;

	while (e && (c->count > c->most || c->bytes > c->bytes_most)) {
		struct dnscache_entry *next = e->newer;
		if (!e->asking && e != keep)
			dnscache_drop(c, e);
		e = next;
	}
}

void dnscache_free(struct dnscache **c)
{
	if (!*c)
		return;
	while ((*c)->oldest) {
		(*c)->oldest->holds = 0;
		dnscache_drop(*c, (*c)->oldest);
	}
	free((*c)->table);
	free(*c);
	*c = NULL;
}

static uint64_t hash_of(enum dns_type type, struct span name)
{
	return span_hash(name, (uint64_t)type);
}

struct dnscache_entry *dnscache_find(const struct dnscache *c, enum dns_type type, struct span name)
{
	uint64_t hash = hash_of(type, name);
	struct dnscache_entry *e = c->table[hash & c->mask];

	while (e && (e->hash != hash || e->type != type || !span_eq(span_make(e->name, e->length), name)))
		e = e->chain;
	return e;
}

static struct dnscache_entry *entry_new(struct dnscache *c, enum dns_type type, struct span name)
{
	size_t size = sizeof(struct dnscache_entry) + name.n + 1;
	struct dnscache_entry *e = calloc(1, size);

	if (!e)
		return NULL;
	e->type = type;
	e->hash = hash_of(type, name);
	e->bytes = size;
	e->length = name.n;
	memcpy(e->name, name.p, name.n);
	e->listed = true;
	e->chain = c->table[e->hash & c->mask];
	c->table[e->hash & c->mask] = e;
	link_newest(c, e);
	c->count++;
	c->bytes += size;
	make_room(c, e);
	return e;
}

struct dnscache_entry *dnscache_get(struct dnscache *c, enum dns_type type, struct span name)
{
	struct dnscache_entry *e = dnscache_find(c, type, name);

	if (!e)
		return entry_new(c, type, name);
	unlink_age(c, e);
	link_newest(c, e);
	return e;
}

/* One block: the records, then their texts. */
static void *copy(const struct dns_answer *answer, size_t size)
{
	char *block = malloc(size);
	if (!block)
		return NULL;
	struct dns_record *records = (struct dns_record *)(void *)block;
	char *text = block + answer->count * sizeof *records;
	for (unsigned i = 0; i < answer->count; i++) {
		records[i] = answer->records[i];
		records[i].text.p = text;
		if (records[i].text.n)
			memcpy(text, answer->records[i].text.p, records[i].text.n);
		text += records[i].text.n;
	}
	return block;
}

void dnscache_put(struct dnscache *c, struct dnscache_entry *e, const struct dns_answer *answer, uint64_t now_ns,
		  uint32_t ttl_s)
{
	size_t size = answer->count * sizeof *answer->records, old = e->bytes;
	void *block = NULL;

	for (unsigned i = 0; i < answer->count; i++)
		size += answer->records[i].text.n;
	if (answer->count)
		block = copy(answer, size);
	free(e->block);
	e->block = block;
	e->answer = *answer;
	e->answer.records = block;
	if (answer->count && !block)
		e->answer = (struct dns_answer){ .status = DNS_FAILED };
	e->since_ns = now_ns;
	e->until_ns = now_ns + (uint64_t)ttl_s * CLOCK_NS_PER_S;
	e->bytes = sizeof *e + e->length + 1 + (block ? size : 0);
	c->bytes += e->bytes - old;
	make_room(c, e);
}

void dnscache_hold(struct dnscache_entry *e)
{
	e->holds++;
}

void dnscache_release(struct dnscache_entry *e)
{
	if (--e->holds == 0 && !e->listed)
		entry_free(e);
}
