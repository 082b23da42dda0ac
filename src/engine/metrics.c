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

#define HOUR 3600

void metrics_meet(struct metrics *m, int64_t last_seen, int64_t now)
{
	int64_t behind = last_seen - now;

	if (behind <= 0 || behind < metrics_behind_s(m, now))
		return;
	m->behind_s = behind;
	m->behind_at = now;
}

int64_t metrics_behind_s(const struct metrics *m, int64_t now)
{
	return now >= m->behind_at && now < m->behind_at + HOUR ? m->behind_s : 0;
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
