#include "engine/rates.h"

#include <stdbool.h>
#include <stdlib.h>

#define SETS 4096
#define WAYS 4

struct counter {
	uint64_t what;			/* 0: unused */
	int64_t since;			/* when this window began */
	int64_t last;			/* when the last one was counted */
	uint32_t here, before;		/* in this window and in the one before */
};

struct rates {
	struct counter sets[SETS][WAYS];
};

struct rates *rates_new(void)
{
	return calloc(1, sizeof(struct rates));
}

void rates_free(struct rates **r)
{
	free(*r);
	*r = NULL;
}

static uint64_t name_of(uint64_t what)
{
	return what ? what : 1;
}

/* The counter as it is at this time. */
static struct counter moved(struct counter c, int64_t now, int64_t window_s)
{
	int64_t past = now - c.since;

	if (past >= 0 && past < window_s)
		return c;
	/* A clock that was set back starts anew too. */
	bool next = past >= window_s && past < 2 * window_s;
	c.before = next ? c.here : 0;
	c.since = next ? c.since + window_s : now;
	c.here = 0;
	return c;
}

static uint32_t sum(const struct counter *c, int64_t now, int64_t window_s)
{
	int64_t left = window_s - (now - c->since);

	return c->here + (uint32_t)((uint64_t)c->before * (uint64_t)left / (uint64_t)window_s);
}

/* A clock that was set back makes nothing one with what is to come. */
static struct counter counted(struct counter c, int64_t now, int64_t window_s, int64_t apart_s)
{
	c = moved(c, now, window_s);
	if (now - c.last < apart_s && now >= c.last)
		return c;
	if (c.here < UINT32_MAX)
		c.here++;
	c.last = now;
	return c;
}

static const struct counter *find(const struct rates *r, uint64_t name)
{
	const struct counter *set = r->sets[name % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].what == name)
			return &set[i];
	return NULL;
}

uint32_t rates_count(struct rates *r, uint64_t what, int64_t now, int64_t window_s, int64_t apart_s)
{
	uint64_t name = name_of(what);
	struct counter *set = r->sets[name % SETS], *c = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].what == name) {
			c = &set[i];
			break;
		}
		if (set[i].what == 0 || (c->what && set[i].since < c->since))
			c = &set[i];
	}
	if (c->what != name)
		*c = (struct counter){ .what = name, .since = now };
	*c = counted(*c, now, window_s, apart_s);
	return sum(c, now, window_s);
}

uint32_t rates_would(const struct rates *r, uint64_t what, int64_t now, int64_t window_s, int64_t apart_s)
{
	const struct counter *found = find(r, name_of(what));
	struct counter c = counted(found ? *found : (struct counter){ .since = now }, now, window_s, apart_s);

	return sum(&c, now, window_s);
}

uint32_t rates_look(const struct rates *r, uint64_t what, int64_t now, int64_t window_s)
{
	const struct counter *found = find(r, name_of(what));

	if (!found)
		return 0;
	struct counter c = moved(*found, now, window_s);
	return sum(&c, now, window_s);
}
