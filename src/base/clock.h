/* Time comes from a clock that the caller passes in, so that tests and replays
 * run on their own time. wall_s is seconds since 1970 (may be set back), mono_ns
 * nanoseconds that never go back. Both may be called from any thread. */
#ifndef GREYLAG_BASE_CLOCK_H
#define GREYLAG_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*wall_s)(const struct clock *c);
	uint64_t (*mono_ns)(const struct clock *c);
};

/* The machine's clocks, CLOCK_REALTIME and CLOCK_MONOTONIC. */
extern const struct clock clock_system;

/* A clock that stands where it was put; embed or cast through `clock`. */
struct clock_fake {
	struct clock clock;
	int64_t now_s;
};
void clock_fake_init(struct clock_fake *f, int64_t now_s);
/* May be called while other threads read; mono follows wall. */
void clock_fake_set(struct clock_fake *f, int64_t now_s);

static inline int64_t clock_wall(const struct clock *c) { return c->wall_s(c); }
static inline uint64_t clock_mono(const struct clock *c) { return c->mono_ns(c); }

#define CLOCK_NS_PER_S 1000000000u
#define CLOCK_NS_PER_MS 1000000u

#endif
