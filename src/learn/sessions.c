#include "learn/sessions.h"

#define BUCKETS ((size_t)SESSIONS_MAX * 2)
#define NONE UINT32_MAX

struct sessions {
	uint32_t heads[BUCKETS];
	uint32_t newest, oldest, count;
	uint32_t spare;			/* free slots below count, linked by next */
	struct session slots[SESSIONS_MAX];
};

struct sessions *sessions_new(void)
{
	struct sessions *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	memset(s->heads, 0xff, sizeof s->heads);
	s->newest = s->oldest = s->spare = NONE;
	return s;
}

void sessions_free(struct sessions **s)
{
	free(*s);
	*s = NULL;
}

/* The kind and the key as they are stored; empty when that does not fit. */
static struct span full_key(char *out, char kind, struct span key)
{
	if (key.n == 0 || key.n >= SESSIONS_KEY_MAX)
		return span_make("", 0);
	out[0] = kind;
	memcpy(out + 1, key.p, key.n);
	return span_make(out, key.n + 1);
}

static uint32_t *head_of(struct sessions *s, struct span key)
{
	return &s->heads[span_hash(key, 0) % BUCKETS];
}

static struct session *lookup(struct sessions *s, struct span key)
{
	for (uint32_t i = *head_of(s, key); i != NONE; i = s->slots[i].next)
		if (span_eq(span_make(s->slots[i].key, s->slots[i].key_length), key))
			return &s->slots[i];
	return NULL;
}

struct session *sessions_find(struct sessions *s, char kind, struct span key)
{
	char text[SESSIONS_KEY_MAX + 1];
	struct span full = full_key(text, kind, key);

	return full.n ? lookup(s, full) : NULL;
}

void sessions_drop(struct sessions *s, struct session *gone)
{
	if (!gone)
		return;
	uint32_t index = (uint32_t)(gone - s->slots);
	uint32_t *link = head_of(s, span_make(gone->key, gone->key_length));

	while (*link != index)
		link = &s->slots[*link].next;
	*link = gone->next;
	if (gone->newer == NONE)
		s->newest = gone->older;
	else
		s->slots[gone->newer].older = gone->older;
	if (gone->older == NONE)
		s->oldest = gone->newer;
	else
		s->slots[gone->older].newer = gone->newer;
	gone->next = s->spare;
	s->spare = index;
}

static uint32_t free_slot(struct sessions *s)
{
	if (s->spare == NONE && s->count < SESSIONS_MAX)
		return s->count++;
	if (s->spare == NONE)
		sessions_drop(s, &s->slots[s->oldest]);
	uint32_t index = s->spare;
	s->spare = s->slots[index].next;
	return index;
}

struct session *sessions_open(struct sessions *s, char kind, struct span key)
{
	char text[SESSIONS_KEY_MAX + 1];
	struct span full = full_key(text, kind, key);

	if (full.n == 0)
		return NULL;
	sessions_drop(s, lookup(s, full));
	uint32_t index = free_slot(s), *head = head_of(s, full);
	struct session *new = &s->slots[index];
	*new = (struct session){ .next = *head, .newer = NONE, .older = s->newest, .key_length = (uint8_t)full.n };
	memcpy(new->key, full.p, full.n);
	*head = index;
	if (s->newest != NONE)
		s->slots[s->newest].newer = index;
	else
		s->oldest = index;
	s->newest = index;
	return new;
}

void session_set_peer(struct session *s, const struct peer *p)
{
	struct span name = span_head(p->name, sizeof s->name);

	s->client = p->client;
	if (name.n)
		memcpy(s->name, name.p, name.n);
	s->name_length = (uint8_t)name.n;
}

struct peer session_peer(const struct session *s)
{
	return (struct peer){ s->client, span_make(s->name, s->name_length) };
}
