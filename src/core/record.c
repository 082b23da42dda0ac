#include "core/record.h"

#define TIME_MAX ((uint64_t)1 << 40)
#define COUNT_MAX ((uint64_t)1 << 48)
#define STRIKES_MAX ((uint32_t)1 << 16)

const char *hold_word(enum hold hold)
{
	switch (hold) {
	case HOLD_NONE: return "";
	case HOLD_HASTY: return "hasty";
	case HOLD_HOPPING: return "hopping";
	case HOLD_UNWELCOME: return "unwelcome";
	case HOLD_MISBEHAVED: return "misbehaved";
	case HOLD_SPAM: return "spam";
	case HOLD_HAMMERING: return "hammering";
	case HOLD_TRAP: return "trap";
	}
	return "";
}

static int64_t earliest(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return a < b ? a : b;
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Saturates, so that a sum of sums stays the same in any order. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return a + b < COUNT_MAX - 1 ? a + b : COUNT_MAX - 1;
}

static void merge_hold(struct record *into, const struct record *delta)
{
	bool later = delta->held_until > into->held_until ||
		     (delta->held_until == into->held_until && delta->held_for > into->held_for);
	uint32_t strikes = into->strikes + delta->strikes;

	if (later) {
		into->held_until = delta->held_until;
		into->held_for = delta->held_for;
	}
	into->strikes = strikes < STRIKES_MAX - 1 ? strikes : STRIKES_MAX - 1;
}

void record_merge(struct record *into, const struct record *delta)
{
	if (delta->generation < into->generation)
		return;
	if (delta->generation > into->generation) {
		*into = *delta;
		return;
	}
	into->first_seen = earliest(into->first_seen, delta->first_seen);
	into->last_seen = latest(into->last_seen, delta->last_seen);
	into->passed_at = earliest(into->passed_at, delta->passed_at);
	into->expires = latest(into->expires, delta->expires);
	into->blocked = sum(into->blocked, delta->blocked);
	into->passed = sum(into->passed, delta->passed);
	merge_hold(into, delta);
}

static unsigned char *put(unsigned char *p, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*p++ = (unsigned char)(value >> (8 * i));
	return p;
}

static const unsigned char *take(const unsigned char *p, uint64_t *value, unsigned bytes)
{
	*value = 0;
	for (unsigned i = 0; i < bytes; i++)
		*value |= (uint64_t)*p++ << (8 * i);
	return p;
}

static unsigned char *put_time(unsigned char *p, int64_t t)
{
	uint64_t value = t < 0 ? 0 : (uint64_t)t;
	return put(p, value < TIME_MAX ? value : TIME_MAX - 1, 5);
}

static unsigned char *put_count(unsigned char *p, uint64_t n)
{
	return put(p, n < COUNT_MAX ? n : COUNT_MAX - 1, 6);
}

static const unsigned char *take_time(const unsigned char *p, int64_t *t)
{
	uint64_t value;

	p = take(p, &value, 5);
	*t = (int64_t)value;
	return p;
}

void record_encode(const struct record *r, unsigned char out[RECORD_SIZE])
{
	unsigned char *p = put(out, RECORD_VERSION, 1);

	p = put(p, r->generation, 4);
	p = put_time(p, r->first_seen);
	p = put_time(p, r->last_seen);
	p = put_time(p, r->passed_at);
	p = put_time(p, r->expires);
	p = put_count(p, r->blocked);
	p = put_count(p, r->passed);
	p = put_time(p, r->held_until);
	p = put(p, r->held_for, 1);
	put(p, r->strikes < STRIKES_MAX ? r->strikes : STRIKES_MAX - 1, 2);
}

bool record_decode(struct span bytes, struct record *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	uint64_t generation, held_for = 0, strikes = 0;

	if (bytes.n == 0 || bytes.n != (p[0] == 1 ? RECORD_SIZE_1 : RECORD_SIZE) || p[0] < 1 || p[0] > RECORD_VERSION)
		return false;
	bool has_hold = p[0] > 1;
	*out = (struct record){ 0 };
	p = take(p + 1, &generation, 4);
	out->generation = (uint32_t)generation;
	p = take_time(p, &out->first_seen);
	p = take_time(p, &out->last_seen);
	p = take_time(p, &out->passed_at);
	p = take_time(p, &out->expires);
	p = take(p, &out->blocked, 6);
	p = take(p, &out->passed, 6);
	if (has_hold) {
		p = take_time(p, &out->held_until);
		p = take(p, &held_for, 1);
		take(p, &strikes, 2);
	}
	out->held_for = (uint8_t)(held_for < HOLD_COUNT ? held_for : HOLD_COUNT - 1);
	out->strikes = (uint32_t)strikes;
	return true;
}
