#include "base/clock.h"

#include <time.h>

static int64_t system_wall(const struct clock *c)
{
	(void)c;
	return (int64_t)time(NULL);
}

static uint64_t system_mono(const struct clock *c)
{
	struct timespec ts;

	(void)c;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_NS_PER_S + (uint64_t)ts.tv_nsec;
}

const struct clock clock_system = { system_wall, system_mono };

static int64_t fake_wall(const struct clock *c)
{
	const struct clock_fake *f = (const struct clock_fake *)c;
	return __atomic_load_n(&f->now_s, __ATOMIC_RELAXED);
}

static uint64_t fake_mono(const struct clock *c)
{
	return (uint64_t)fake_wall(c) * CLOCK_NS_PER_S;
}

void clock_fake_init(struct clock_fake *f, int64_t now_s)
{
	f->clock = (struct clock){ fake_wall, fake_mono };
	f->now_s = now_s;
}

void clock_fake_set(struct clock_fake *f, int64_t now_s)
{
	__atomic_store_n(&f->now_s, now_s, __ATOMIC_RELAXED);
}
