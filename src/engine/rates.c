#include "engine/rates.h"

#include <stdbool.h>
#include <stdlib.h>

#define SETS 4096
#define WAYS 4

struct counter {
	uint64_t what;			/* 0: unused */
	int64_t since;			/* when this window began */
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

uint32_t rates_count(struct rates *r, uint64_t what, int64_t now, int64_t window_s)
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
	*c = moved(*c, now, window_s);
	if (c->here < UINT32_MAX)
		c->here++;
	return sum(c, now, window_s);
}

uint32_t rates_look(const struct rates *r, uint64_t what, int64_t now, int64_t window_s)
{
	uint64_t name = name_of(what);
	const struct counter *set = r->sets[name % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].what == name) {
			struct counter c = moved(set[i], now, window_s);
			return sum(&c, now, window_s);
		}
	return 0;
}
