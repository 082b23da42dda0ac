#include "engine/history.h"

#define FLUSH_MS 60000
#define HOURS 24		/* for which counts can gather */

struct row {
	bool used;
	int64_t hour;
	uint64_t counts[HISTORY_COUNTERS];
};

struct history {
	const struct clock *clock;
	struct store *store;
	int64_t keep_s;
	struct row rows[HOURS];
	struct row *current;		/* the hour that was counted in last */
	struct loop_timer due;
	/* A round through all counters, some of them on their way: */
	bool running;
	unsigned row, counter;
	struct store_merge merge;
	struct key keys[STORE_MERGE_MAX];
	struct history_wait *waiting;	/* for the end of this round */
	struct history_wait *next;	/* for the end of the next one */
};

/* --- Counting --------------------------------------------------------------------------- */

/* When all are in use, the oldest hour is forgotten. */
static struct row *row_of(struct history *h, int64_t hour)
{
	struct row *best = &h->rows[0];

	for (unsigned i = 0; i < HOURS; i++) {
		struct row *r = &h->rows[i];
		if (r->used && r->hour == hour)
			return r;
		if (best->used && (!r->used || r->hour < best->hour))
			best = r;
	}
	*best = (struct row){ .used = true, .hour = hour };
	return best;
}

void history_keep(struct history *h, int64_t keep_s)
{
	h->keep_s = keep_s;
}

void history_count(struct history *h, int64_t now, const struct decision *d)
{
	int64_t hour = history_hour(now);

	if (h->keep_s == 0)
		return;
	if (!h->current || h->current->hour != hour || !h->current->used)
		h->current = row_of(h, hour);
	uint64_t *counts = h->current->counts;
	counts[history_verdict(d->verdict, d->reason)]++;
	if (d->reason != REASON_RETRIED)
		return;
	counts[HISTORY_DELAYS + history_bucket(d->delayed_s)]++;
	counts[HISTORY_DELAYED_S] += d->delayed_s > 0 ? (uint64_t)d->delayed_s : 0;
}

/* --- Writing ---------------------------------------------------------------------------- */

/* The next counter that has something, taken out of memory; false at the end. */
static bool take(struct history *h, struct key *k, struct record *delta)
{
	for (; h->row < HOURS; h->row++, h->counter = 0) {
		struct row *r = &h->rows[h->row];
		for (; r->used && h->counter < HISTORY_COUNTERS; h->counter++) {
			uint64_t n = r->counts[h->counter];
			if (n == 0 || !historykey(k, r->hour, h->counter))
				continue;
			r->counts[h->counter++] = 0;
			*delta = (struct record){ .first_seen = r->hour, .last_seen = r->hour, .passed_at = r->hour,
						  .expires = r->hour + h->keep_s, .passed = n };
			return true;
		}
	}
	return false;
}

/* Hours that are over and written make room. */
static void tidy(struct history *h)
{
	int64_t hour = history_hour(clock_wall(h->clock));

	for (unsigned i = 0; i < HOURS; i++) {
		struct row *r = &h->rows[i];
		bool empty = r->used && r->hour != hour;
		for (unsigned j = 0; empty && j < HISTORY_COUNTERS; j++)
			empty = r->counts[j] == 0;
		if (empty)
			r->used = false;
	}
}

static void begin_round(struct history *h)
{
	h->running = true;
	h->row = h->counter = 0;
	h->waiting = h->next;
	h->next = NULL;
}

/* Who asked meanwhile waits for a round of his own. */
static void end_round(struct history *h)
{
	struct history_wait *done = h->waiting;

	h->waiting = NULL;
	tidy(h);
	while (done) {
		struct history_wait *next = done->next;
		done->done(done);
		done = next;
	}
	if (h->next)
		begin_round(h);
	else
		h->running = false;
}

/* A store that is away or has no room gets nothing: what gathers here is not lost. */
static enum store_status merge_some(struct history *h)
{
	struct store_merge *m = &h->merge;

	m->count = 0;
	while (m->count < STORE_MERGE_MAX && store_ready(h->store) &&
	       take(h, &h->keys[m->count], &m->deltas[m->count].delta)) {
		m->deltas[m->count].key = key_span(&h->keys[m->count]);
		m->count++;
	}
	return m->count ? store_merge(h->store, m) : STORE_FAILED;
}

static void run(struct history *h)
{
	while (h->running) {
		enum store_status status = merge_some(h);
		if (status == STORE_PENDING)
			return;
		if (status == STORE_FAILED)
			end_round(h);
	}
}

static void on_merged(struct store_merge *op, enum store_status status)
{
	struct history *h = op->arg;

	if (status != STORE_DONE)
		end_round(h);
	run(h);
}

void history_flush(struct history *h, struct history_wait *w)
{
	w->next = h->next;
	h->next = w;
	if (h->running)
		return;
	begin_round(h);
	run(h);
}

static void on_due(struct loop_timer *t)
{
	struct history *h = t->arg;

	if (!h->running) {
		begin_round(h);
		run(h);
	}
	loop_timer_set(t, FLUSH_MS);
}

void history_stop(struct history *h)
{
	struct record delta;
	struct key k;

	loop_timer_cancel(&h->due);
	/* A round under way finds nothing more to take. */
	h->row = h->counter = 0;
	while (take(h, &k, &delta))
		store_merge_later(h->store, key_span(&k), &delta);
}

struct history *history_new(struct loop *loop, const struct clock *clock, struct store *store)
{
	struct history *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->clock = clock;
	h->store = store;
	h->merge = (struct store_merge){ .keep = true, .done = on_merged, .arg = h };
	loop_timer_init(&h->due, loop, on_due, h);
	loop_timer_set(&h->due, FLUSH_MS);
	return h;
}

void history_free(struct history **h)
{
	if (*h)
		loop_timer_cancel(&(*h)->due);
	free(*h);
	*h = NULL;
}
