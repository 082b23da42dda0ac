#include "engine/hopping.h"

#include <stdlib.h>

#define SETS 2048
#define WAYS 4

struct mail {
	uint64_t mail;			/* 0: unused */
	int64_t first;			/* when the first of them came */
	int64_t until;			/* held; 0: not */
	unsigned count;
	uint64_t who[HOPPING_SENDERS_MAX];
};

struct hopping {
	struct mail sets[SETS][WAYS];
};

struct hopping *hopping_new(void)
{
	return calloc(1, sizeof(struct hopping));
}

void hopping_free(struct hopping **h)
{
	free(*h);
	*h = NULL;
}

static uint64_t name_of(uint64_t mail)
{
	return mail ? mail : 1;
}

static struct mail *find_or_make(struct hopping *h, uint64_t name, int64_t now)
{
	struct mail *set = h->sets[name % SETS], *oldest = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].mail == name)
			return &set[i];
		if (set[i].mail == 0 || (oldest->mail && set[i].first < oldest->first))
			oldest = &set[i];
	}
	*oldest = (struct mail){ .mail = name, .first = now };
	return oldest;
}

int64_t hopping_look(const struct hopping *h, uint64_t mail, int64_t now)
{
	uint64_t name = name_of(mail);
	const struct mail *set = h->sets[name % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].mail == name && set[i].until > now)
			return set[i].until;
	return 0;
}

static void add(struct mail *m, uint64_t who)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->who[i] == who)
			return;
	if (m->count < HOPPING_SENDERS_MAX)
		m->who[m->count++] = who;
}

int64_t hopping_note(struct hopping *h, uint64_t mail, uint64_t who, int64_t now, unsigned senders,
		     int64_t span_s, int64_t hold_s)
{
	struct mail *m = find_or_make(h, name_of(mail), now);

	if (m->until > now)
		return m->until;
	if (m->until || now < m->first || now - m->first > span_s)
		*m = (struct mail){ .mail = m->mail, .first = now };
	add(m, who);
	if (m->count >= senders)
		m->until = now + hold_s;
	return m->until;
}
