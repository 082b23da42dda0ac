#include "engine/metrics.h"

void metrics_count(struct metrics *m, const struct decision *d, uint64_t took_ns)
{
	unsigned bucket = 0;

	for (uint64_t us = took_ns / 1000; us && bucket < METRICS_LATENCY_BUCKETS - 1; us >>= 1)
		bucket++;
	m->requests++;
	m->latency[bucket]++;
	m->latency_us_total += took_ns / 1000;
	m->reasons[d->verdict][d->reason]++;
	if (d->reason == REASON_RETRIED) {
		m->delays[history_bucket(d->delayed_s)]++;
		m->delayed++;
		m->delayed_s_total += (uint64_t)d->delayed_s;
	}
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
