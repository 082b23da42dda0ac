#include "store/journal.h"

#include "base/log.h"
#include "core/key.h"
#include "store/journalfile.h"
#include "store/later.h"

#define RETRY_MS 1000
#define FLIGHTS 64		/* merges at once */
#define FAILURES 16		/* and nothing else, end a round */
#define ROUNDS_IN_VAIN 3	/* after so many what never works is given up */

struct flight {
	struct journal *journal;
	struct store_merge op;
	struct key key;
	bool busy;
};

struct journal {
	struct store *store;
	struct later *table;
	struct journalfile *file;	/* NULL: none */
	struct loop_timer due;
	bool stopped;
	bool unmarked;			/* the file has deltas after its last mark */
	bool full;			/* the log says so */
	size_t at;			/* where the round is in the table */
	bool sending;			/* a round is under way */
	unsigned flying;
	unsigned merged_round, failed_round;
	bool others_work;		/* since the round before this one ended */
	unsigned in_vain;		/* rounds in a row */
	bool alone;			/* this round sends one at a time */
	uint64_t left;			/* to be sent in it at most */
	uint64_t waiting, merged, dropped;
	struct flight flights[FLIGHTS];
};

void journal_void_counts(struct record *delta)
{
	delta->blocked = delta->passed = 0;
	delta->strikes = 0;
}

/* --- Keeping -------------------------------------------------------------------- */

static void drop(struct journal *j)
{
	j->dropped++;
	if (!j->full)
		log_msg(LOG_LEVEL_ERROR, "store: the journal is full; what cannot be stored is lost");
	j->full = true;
}

static void keep(struct journal *j, struct span key, const struct record *delta)
{
	bool news = !later_find(j->table, key);

	if (!later_add(j->table, key, delta)) {
		drop(j);
		return;
	}
	j->waiting += news;
	if (!j->file)
		return;
	j->unmarked = true;
	if (journalfile_large(j->file))
		(void)journalfile_renew(j->file, j->table);
	else
		(void)journalfile_delta(j->file, key, delta);
}

void journal_keep(struct journal *j, struct span key, const struct record *delta, bool maybe)
{
	struct record times = *delta;

	if (maybe)
		journal_void_counts(&times);
	if (!j->waiting && !j->stopped)
		loop_timer_set(&j->due, RETRY_MS);
	keep(j, key, &times);
}

bool journal_room(const struct journal *j)
{
	return later_room(j->table);
}

const struct record *journal_find(const struct journal *j, struct span key)
{
	return j->waiting ? later_find(j->table, key) : NULL;
}

void journal_forget(struct journal *j, struct span key)
{
	if (!journal_find(j, key))
		return;
	later_forget(j->table, key);
	j->waiting--;
	if (j->file)
		(void)journalfile_forget(j->file, key);
}

void journal_works(struct journal *j)
{
	j->others_work = true;
}

/* --- Merging ---------------------------------------------------------------------- */

static void pump(struct journal *j);

static void empty(struct journal *j)
{
	later_clear(j->table);
	j->waiting = 0;
	j->full = false;
	j->in_vain = 0;
	j->alone = false;
	if (j->file)
		(void)journalfile_renew(j->file, j->table);
	j->unmarked = false;
}

/* The store takes other merges and never these: something odd is at their keys. A driver
 * may store together what comes together, and one odd key then fails all; so after a
 * round in vain each is sent alone, and only those that fail so are given up. */
static bool give_up(struct journal *j)
{
	bool odd = j->failed_round && !j->merged_round && j->others_work;

	j->in_vain = odd ? j->in_vain + 1 : 0;
	j->others_work = false;
	return j->in_vain == ROUNDS_IN_VAIN;
}

/* An odd key may stop the store for a while; what comes behind it is sent then. */
static bool halfway(const struct journal *j)
{
	return j->alone && j->left && j->waiting;
}

static void end_round(struct journal *j)
{
	j->sending = false;
	if (halfway(j)) {
		if (!j->stopped)
			loop_timer_set(&j->due, RETRY_MS);
		return;
	}
	if (j->merged_round)
		log_msg(LOG_LEVEL_NOTICE, "store: merged %u records of the journal, %llu wait", j->merged_round,
			(unsigned long long)j->waiting);
	if (j->waiting && give_up(j)) {
		log_msg(LOG_LEVEL_ERROR, "store: %llu records of the journal cannot be merged and are given up",
			(unsigned long long)j->waiting);
		j->dropped += j->waiting;
		j->waiting = 0;
	}
	if (j->waiting == 0)
		empty(j);
	else if (!j->stopped)
		loop_timer_set(&j->due, RETRY_MS);
}

static void land(struct flight *f, enum store_status status, bool maybe)
{
	struct journal *j = f->journal;
	struct record *delta = &f->op.deltas[0].delta;

	f->busy = false;
	j->flying--;
	if (status == STORE_DONE) {
		j->merged++;
		j->merged_round++;
		return;
	}
	j->failed_round++;
	if (maybe)
		journal_void_counts(delta);
	keep(j, key_span(&f->key), delta);
}

static void on_merged(struct store_merge *op, enum store_status status)
{
	struct flight *f = op->arg;

	land(f, status, !op->unmerged);
	pump(f->journal);
}

/* False: it fails at once, and the rest of the round would, too. */
static bool send_one(struct journal *j, struct flight *f, struct span key, const struct record *delta)
{
	memcpy(f->key.text, key.p, key.n);
	f->key.n = key.n;
	f->busy = true;
	f->journal = j;
	f->op = (struct store_merge){ .count = 1, .done = on_merged, .arg = f };
	f->op.deltas[0] = (struct store_delta){ key_span(&f->key), *delta, delta->first_seen != 0 };
	later_forget(j->table, key);
	j->waiting--;
	j->flying++;
	enum store_status status = store_merge(j->store, &f->op);
	if (status != STORE_PENDING)
		land(f, status, false);
	return status != STORE_FAILED;
}

static struct flight *free_flight(struct journal *j)
{
	for (unsigned i = 0; i < (j->alone ? 1 : FLIGHTS); i++)
		if (!j->flights[i].busy)
			return &j->flights[i];
	return NULL;
}

static bool in_vain(const struct journal *j)
{
	return !store_ready(j->store) || (!j->alone && j->failed_round >= FAILURES && !j->merged_round);
}

static void pump(struct journal *j)
{
	struct record *delta;
	struct flight *f;
	struct span key;

	while (!j->stopped && !in_vain(j) && (f = free_flight(j))) {
		if (j->left == 0 || !later_walk(j->table, &j->at, &key, &delta)) {
			j->left = 0;
			break;
		}
		j->left--;
		if (!send_one(j, f, key, delta))
			break;
	}
	if (j->flying == 0 && j->sending)
		end_round(j);
}

/* Without the mark a crash would let counts be merged twice. */
static void mark(struct journal *j)
{
	struct record *delta;
	struct span key;
	size_t at = 0;

	if (!j->file || !j->unmarked)
		return;
	j->unmarked = false;
	if (journalfile_mark(j->file))
		return;
	while (later_walk(j->table, &at, &key, &delta))
		journal_void_counts(delta);
}

static void begin_round(struct journal *j)
{
	j->alone = j->in_vain > 0;
	j->left = j->waiting;
	j->at = 0;
	j->merged_round = j->failed_round = 0;
}

static void on_due(struct loop_timer *t)
{
	struct journal *j = (struct journal *)t->arg;

	if (j->sending || j->waiting == 0 || j->stopped)
		return;
	if (!store_ready(j->store)) {
		loop_timer_set(t, RETRY_MS);
		return;
	}
	mark(j);
	j->sending = true;
	if (!halfway(j))
		begin_round(j);
	pump(j);
}

/* --- Outside ------------------------------------------------------------------------- */

static void count_loaded(struct journal *j)
{
	struct record *delta;
	struct span key;
	size_t at = 0;

	while (later_walk(j->table, &at, &key, &delta))
		j->waiting++;
	if (j->waiting)
		log_msg(LOG_LEVEL_NOTICE, "store: %llu records wait in the journal", (unsigned long long)j->waiting);
}

struct journal *journal_new(struct store *store, const struct store_options *options, struct buf *why)
{
	struct journal *j = calloc(1, sizeof *j);
	bool filed = options->journal && options->journal[0];

	if (!j || !(j->table = later_new())) {
		journal_free(&j);
		buf_fail(why, "store journal: out of memory");
		return NULL;
	}
	j->store = store;
	loop_timer_init(&j->due, options->loop, on_due, j);
	if (filed && !(j->file = journalfile_open(options->journal, j->table, why))) {
		journal_free(&j);
		return NULL;
	}
	count_loaded(j);
	j->unmarked = j->waiting > 0;
	if (j->waiting)
		loop_timer_set(&j->due, RETRY_MS);
	return j;
}

void journal_stop(struct journal *j)
{
	j->stopped = true;
	loop_timer_cancel(&j->due);
}

void journal_free(struct journal **journal)
{
	struct journal *j = *journal;

	if (!j)
		return;
	if (j->waiting && !j->file)
		log_msg(LOG_LEVEL_WARNING, "store: %llu records that could not be stored are lost; `store journal FILE` would keep them",
			(unsigned long long)j->waiting);
	journalfile_close(&j->file);
	later_free(&j->table);
	free(j);
	*journal = NULL;
}

void journal_stats(const struct journal *j, struct store_stats *out)
{
	out->journal_waiting = j->waiting + j->flying;
	out->journal_merged = j->merged;
	out->journal_dropped = j->dropped;
}
