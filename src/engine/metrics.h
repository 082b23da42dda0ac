/* Counters of what was decided and how long it took. Loop thread only. */
#ifndef GREYLAG_ENGINE_METRICS_H
#define GREYLAG_ENGINE_METRICS_H

#include "core/decide.h"
#include "core/historykey.h"

/* Latency histogram: bucket i counts answers that took less than 2^i microseconds. */
#define METRICS_LATENCY_BUCKETS 25

struct metrics {
	uint64_t requests;
	uint64_t reasons[VERDICT_COUNT][REASON_COUNT];
	uint64_t latency[METRICS_LATENCY_BUCKETS];
	uint64_t latency_us_total;
	uint64_t delays[HISTORY_BUCKETS];	/* first passes by what they had waited */
	uint64_t delayed_s_total;	/* seconds that mail waited which then passed */
	uint64_t delayed;		/* how many such first passes */
	int64_t behind_s;		/* furthest that a record's last sight was ahead of our clock, */
	int64_t behind_at;		/* seconds since 1970 when it was met */
};

void metrics_count(struct metrics *m, const struct decision *d, uint64_t took_ns);
/* Upper bound, in microseconds, of the bucket in which the given share (0..1)
 * of all answers is reached; 0 when there were none. */
uint64_t metrics_latency_us(const struct metrics *m, double share);

/* A record was met that somebody, here or at another exchanger, saw last at that time. */
void metrics_meet(struct metrics *m, int64_t last_seen, int64_t now);
/* How many seconds our clock is behind that of whoever wrote to the store, at least, by the
 * records met within the last hour; 0 when it is not known to be. */
int64_t metrics_behind_s(const struct metrics *m, int64_t now);

#endif
