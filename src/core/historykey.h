/* Store keys of the hourly history: how often what was decided, and how long mail waited.
 *
 *   h 2026112113 defer new      so many verdicts of this kind in the hour (UTC)
 *   h 2026112113 delay 300      so many first passes waited less than 300 s, and not
 *                               less than the bound before; "more": longer than all bounds
 *   h 2026112113 delay total    the seconds that they waited together
 *
 * The count is the record's `passed`, which adds up whoever wrote it; the times are the
 * hour's, expires its end, passed_at never 0, so that nothing takes it for a triplet that
 * waits. In key order the hours follow each other. Pure. */
#ifndef GREYLAG_CORE_HISTORYKEY_H
#define GREYLAG_CORE_HISTORYKEY_H

#include "core/key.h"
#include "core/reason.h"

#define HISTORYKEY_PREFIX "h "
#define HISTORY_HOUR_S 3600
#define HISTORY_END INT64_C(253402300800)	/* the year 10000, for which there are no keys */

/* A counter's number, in this process only: the verdicts by reason, the delays, their sum. */
#define HISTORY_BUCKETS 12
#define HISTORY_DELAYS (VERDICT_COUNT * REASON_COUNT)
#define HISTORY_DELAYED_S (HISTORY_DELAYS + HISTORY_BUCKETS)
#define HISTORY_COUNTERS (HISTORY_DELAYED_S + 1)

static inline unsigned history_verdict(enum verdict v, enum reason r)
{
	return (unsigned)v * REASON_COUNT + (unsigned)r;
}

/* 0..HISTORY_BUCKETS - 1. */
unsigned history_bucket(int64_t delayed_s);
/* The bound of a bucket, in seconds; 0: it has none, being the last. */
int64_t history_under(unsigned bucket);

/* The beginning of the hour, seconds since 1970; what lies outside the years that a key
 * can tell is moved into them. */
int64_t history_hour(int64_t t);

/* False, k->n = 0, when there is no such counter. */
bool historykey(struct key *k, int64_t t, unsigned counter);
/* What the keys of the hour of t begin with, a blank at the end: they come after it in key order. */
void historykey_hour(struct buf *out, int64_t t);
/* False for a key of another form, also of a counter that this version does not know. */
bool historykey_split(struct span key, int64_t *hour, unsigned *counter);

#endif
