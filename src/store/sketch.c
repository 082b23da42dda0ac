#include "store/sketch.h"

#define ROWS 2
#define COLUMNS 65536

struct sketch {
	uint64_t seed;
	uint32_t cells[ROWS][COLUMNS];
};

struct sketch *sketch_new(uint64_t seed)
{
	struct sketch *s = calloc(1, sizeof *s);

	if (s)
		s->seed = seed;
	return s;
}

void sketch_free(struct sketch **s)
{
	free(*s);
	*s = NULL;
}

void sketch_clear(struct sketch *s)
{
	memset(s->cells, 0, sizeof s->cells);
}

/* One hash gives both columns: its low and its high bits. */
static size_t column(uint64_t hash, unsigned row)
{
	return (hash >> (row * 32)) % COLUMNS;
}

static uint32_t moved(uint32_t count, int64_t n)
{
	int64_t sum = (int64_t)count + n;

	return sum < 0 ? 0 : sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

uint32_t sketch_add(struct sketch *s, struct span key, int64_t n)
{
	uint64_t hash = span_hash(key, s->seed);
	uint32_t least = UINT32_MAX;

	for (unsigned row = 0; row < ROWS; row++) {
		uint32_t *cell = &s->cells[row][column(hash, row)];
		*cell = moved(*cell, n);
		if (*cell < least)
			least = *cell;
	}
	return least;
}

uint32_t sketch_estimate(const struct sketch *s, struct span key)
{
	uint64_t hash = span_hash(key, s->seed);
	uint32_t least = UINT32_MAX;

	for (unsigned row = 0; row < ROWS; row++) {
		uint32_t count = s->cells[row][column(hash, row)];
		if (count < least)
			least = count;
	}
	return least;
}
