#include "engine/metrics.h"

static const int64_t delay_bounds_s[METRICS_DELAY_BUCKETS] = {
	60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 0
};

int64_t metrics_delay_under_s(unsigned bucket)
{
	return bucket < METRICS_DELAY_BUCKETS ? delay_bounds_s[bucket] : 0;
}

static void count_delay(struct metrics *m, int64_t delayed_s)
{
	unsigned bucket = 0;

	while (delay_bounds_s[bucket] && delayed_s >= delay_bounds_s[bucket])
		bucket++;
	m->delays[bucket]++;
	m->delayed++;
	m->delayed_s_total += (uint64_t)delayed_s;
}

void metrics_count(struct metrics *m, const struct decision *d, uint64_t took_ns)
{
	unsigned bucket = 0;

	for (uint64_t us = took_ns / 1000; us && bucket < METRICS_LATENCY_BUCKETS - 1; us >>= 1)
		bucket++;
	m->requests++;
	m->latency[bucket]++;
	m->latency_us_total += took_ns / 1000;
	m->reasons[d->verdict][d->reason]++;
	if (d->reason == REASON_RETRIED)
		count_delay(m, d->delayed_s);
}

uint64_t metrics_latency_us(const struct metrics *m, double share)
{
	double wanted = share * (double)m->requests;
	uint64_t seen = 0;

	for (unsigned i = 0; m->requests && i < METRICS_LATENCY_BUCKETS; i++) {
		seen += m->latency[i];
		if ((double)seen >= wanted)
			return (uint64_t)1 << i;
	}
	return 0;
}
