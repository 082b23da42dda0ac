#include "store/driver.h"

#include "core/key.h"
#include "store/cache.h"
#include "store/census.h"
#include "store/journal.h"
#include "store/later.h"

#define CACHED_RECORDS 65536
#define BUSY_MS 20		/* until a driver that had no room is asked again */

struct store {
	struct store_options options;
	struct store_driver *driver;
	struct cache *cache;		/* NULL when others write too, unless options.cache_s */
	uint64_t changes;		/* own writes that what is being read may lack */
	struct later *later;
	struct journal *journal;	/* NULL: the driver is not one that goes and comes */
	struct loop_timer later_timer;
	struct census *census;
	struct store_stats counters;	/* only those that the wrapper keeps */
	bool closing;
};

#if STORE_VALKEY
#define BUILT_VALKEY &store_valkey_ops,
#else
#define BUILT_VALKEY
#endif

#if STORE_MARIADB
#define BUILT_MARIADB &store_mariadb_ops,
#else
#define BUILT_MARIADB
#endif

static const struct store_ops *const drivers[] = {
	&store_rocksdb_ops, &store_memory_ops, BUILT_VALKEY BUILT_MARIADB &store_failing_ops,
};

static const struct store_ops *find_driver(const char *name)
{
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}

/* --- Deltas that nobody waits for ------------------------------------------ */

static void hand_one(struct store *s, struct span key, const struct record *delta)
{
	s->driver->ops->merge_later(s->driver, key, delta);
	if (s->cache)
		cache_merge(s->cache, key, delta);
}

/* As much as there is room for. To a store that is away nothing is handed on; the
 * journal takes it, whose file outlives us. */
static void flush_later(struct store *s)
{
	struct record *delta;
	struct span key;
	size_t at = 0;
	bool ready = store_ready(s), away = !ready && s->journal && store_health(s);

	while ((ready || (away && journal_room(s->journal))) && later_walk(s->later, &at, &key, &delta)) {
		if (ready)
			hand_one(s, key, delta);
		else
			journal_keep(s->journal, key, delta, false);
		later_forget(s->later, key);
		ready = ready && store_ready(s);
	}
	at = 0;
	if (!later_walk(s->later, &at, &key, &delta))
		later_clear(s->later);
}

static void on_later_timer(struct loop_timer *t)
{
	struct store *s = t->arg;

	flush_later(s);
	if (!later_empty(s->later))
		loop_timer_set(t, store_health(s) ? s->options.later_ms : BUSY_MS);
}

static bool key_usable(struct span key)
{
	return key.n > 0 && key.n <= KEY_MAX && span_find(key, '\n') == key.n;
}

void store_merge_later(struct store *s, struct span key, const struct record *delta)
{
	if (s->closing || !key_usable(key)) {
		s->counters.later_dropped++;
		return;
	}
	bool first = later_empty(s->later);
	if (!later_add(s->later, key, delta)) {
		flush_later(s);
		if (!later_add(s->later, key, delta))
			store_unmerged(s, key, delta, false);
	}
	if (first)
		loop_timer_set(&s->later_timer, s->options.later_ms);
}

/* --- Open and close -------------------------------------------------------- */

static void free_store(struct store **store)
{
	census_free(&(*store)->census);
	journal_free(&(*store)->journal);
	later_free(&(*store)->later);
	cache_free(&(*store)->cache);
	free(*store);
	*store = NULL;
}

static const struct store_ops *need_driver(const char *name, struct buf *why)
{
	const struct store_ops *ops = find_driver(name);

	if (!ops)
		buf_fail(why, "there is no store driver \"%s\" in this build", name);
	return ops;
}

int store_init(const struct store_options *options, struct buf *why)
{
	const struct store_ops *ops = need_driver(options->driver, why);

	return !ops ? -1 : ops->init ? ops->init(options, why) : 0;
}

struct store *store_open(const struct store_options *options, struct buf *why)
{
	const struct store_ops *ops = need_driver(options->driver, why);
	struct store *s = ops ? calloc(1, sizeof *s) : NULL;

	if (!ops)
		return NULL;
	if (!s || !(s->later = later_new())) {
		free(s);
		buf_fail(why, "store: out of memory");
		return NULL;
	}
	s->options = *options;
	s->census = census_new(s, &s->options, why);
	s->driver = s->census ? ops->open(s, &s->options, why) : NULL;
	if (!s->driver) {
		if (s->census)
			census_stop(s->census);
		free_store(&s);
		return NULL;
	}
	if (!store_shared(s))
		s->options.cache_s = 0;
	if (ops->settled || s->options.cache_s)
		s->cache = cache_new(CACHED_RECORDS);
	s->options.cache_s = s->cache ? s->options.cache_s : 0;
	loop_timer_init(&s->later_timer, options->loop, on_later_timer, s);
	if (ops->journalled && !(s->journal = journal_new(s, &s->options, why)))
		store_close(&s);
	return s;
}

bool store_close(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return true;
	flush_later(s);
	if (s->journal)
		journal_stop(s->journal);
	s->closing = true;
	loop_timer_cancel(&s->later_timer);
	census_stop(s->census);
	bool ended = s->driver->ops->close(s->driver);
	free_store(store);
	return ended;
}

/* --- Get and merge --------------------------------------------------------- */

static enum store_status count_failure(struct store *s, enum store_status status)
{
	if (status == STORE_FAILED)
		s->counters.failures++;
	return status;
}

/* Nothing but that a client may pass is believed while others may say something else.
 * Expired records are the driver's: it may have removed them. */
static bool believable(const struct store *s, struct span key, const struct record *r, int64_t now)
{
	return !record_expired(r, now) &&
	       (!s->options.cache_s || (key.p[0] == KEY_KIND_ALLOWED && !record_pending(r) && !record_held(r, now)));
}

static bool get_cached(const struct store *s, struct store_get *op)
{
	uint64_t mono = s->options.cache_s ? clock_mono(s->options.clock) : 0;
	int64_t now = clock_wall(s->options.clock);

	for (unsigned i = 0; i < op->count; i++)
		if (!s->cache || !cache_get(s->cache, op->keys[i], mono, &op->records[i]) ||
		    !believable(s, op->keys[i], &op->records[i], now))
			return false;
	for (unsigned i = 0; i < op->count; i++)
		op->found[i] = true;
	return true;
}

static void put_cached(struct store *s, const struct store_get *op)
{
	if (!s->cache || s->options.cache_s || !s->driver->ops->settled(s->driver))
		return;
	for (unsigned i = 0; i < op->count; i++)
		if (op->found[i])
			cache_put(s->cache, op->keys[i], &op->records[i], CACHE_FOREVER);
}

/* Of a shared store: it is as old as the question. */
static void put_shared(struct store *s, const struct store_get *op)
{
	uint64_t until = op->started_ns + s->options.cache_s * (uint64_t)CLOCK_NS_PER_S;
	int64_t now = clock_wall(s->options.clock);

	if (!s->options.cache_s || op->changes != s->changes)
		return;
	for (unsigned i = 0; i < op->count; i++)
		if (op->found[i] && believable(s, op->keys[i], &op->records[i], now))
			cache_put(s->cache, op->keys[i], &op->records[i], until);
}

/* We are about to change it, or have done so: neither what is known nor what is being
 * read can be believed. */
static void disbelieve(struct store *s, struct span key)
{
	if (!s->cache || key.n == 0 || key.p[0] != KEY_KIND_ALLOWED)
		return;
	s->changes++;
	cache_drop(s->cache, key);
}

static void disbelieve_all(struct store *s, const struct store_merge *op)
{
	for (unsigned i = 0; s->options.cache_s && i < op->count; i++)
		disbelieve(s, op->deltas[i].key);
}

/* What has been gathered but not handed on belongs to the record all the same, and
 * what the journal keeps is the record, if there is none. */
static void add_later(const struct store *s, struct store_get *op)
{
	for (unsigned i = 0; i < op->count; i++) {
		const struct record *kept = s->journal ? journal_find(s->journal, op->keys[i]) : NULL;
		if (kept && !op->found[i])
			op->records[i] = (struct record){ 0 };
		if (kept) {
			record_merge(&op->records[i], kept);
			op->found[i] = true;
		}
		const struct record *delta = op->found[i] ? later_find(s->later, op->keys[i]) : NULL;
		if (delta)
			record_merge(&op->records[i], delta);
	}
}

enum store_status store_get(struct store *s, struct store_get *op)
{
	bool usable = !s->closing && op->count <= STORE_GET_MAX;

	for (unsigned i = 0; usable && i < op->count; i++)
		usable = key_usable(op->keys[i]);
	s->counters.gets++;
	if (!usable)
		return count_failure(s, STORE_FAILED);
	op->next = NULL;
	if (get_cached(s, op)) {
		add_later(s, op);
		return STORE_DONE;
	}
	enum store_status status = s->driver->ops->get(s->driver, op);
	if (status == STORE_PENDING) {
		s->counters.gets_slow++;
		op->started_ns = clock_mono(s->options.clock);
		op->changes = s->changes;
	} else if (status == STORE_DONE) {
		put_cached(s, op);
		add_later(s, op);
	}
	return count_failure(s, status);
}

void store_done_get(struct store *s, struct store_get *op, enum store_status status)
{
	s->counters.gets_slow_ns += clock_mono(s->options.clock) - op->started_ns;
	count_failure(s, status);
	if (status == STORE_DONE) {
		put_shared(s, op);
		add_later(s, op);
	}
	op->done(op, status);
}

/* A record read while its delta was being written may hold it or not. */
static void note_deltas(struct store *s, const struct store_merge *op)
{
	if (s->journal && op->keep)
		journal_works(s->journal);
	for (unsigned i = 0; i < op->count; i++) {
		census_note(s->census, &op->deltas[i]);
		if (s->cache)
			cache_drop(s->cache, op->deltas[i].key);
	}
}

static void keep_deltas(struct store *s, const struct store_merge *op)
{
	for (unsigned i = 0; s->journal && op->keep && i < op->count; i++)
		journal_keep(s->journal, op->deltas[i].key, &op->deltas[i].delta, !op->unmerged);
}

void store_unmerged(struct store *s, struct span key, const struct record *delta, bool maybe)
{
	if (s->journal)
		journal_keep(s->journal, key, delta, maybe);
	else
		s->counters.later_dropped++;
}

enum store_status store_merge(struct store *s, struct store_merge *op)
{
	bool usable = !s->closing && op->count <= STORE_MERGE_MAX;

	for (unsigned i = 0; usable && i < op->count; i++)
		usable = key_usable(op->deltas[i].key);
	s->counters.merges++;
	op->unmerged = !usable;
	if (!usable)
		return count_failure(s, STORE_FAILED);
	op->next = NULL;
	op->started_ns = clock_mono(s->options.clock);
	disbelieve_all(s, op);
	enum store_status status = s->driver->ops->merge(s->driver, op);
	op->unmerged = status == STORE_FAILED;
	if (status == STORE_DONE)
		note_deltas(s, op);
	else if (status == STORE_FAILED)
		keep_deltas(s, op);
	return count_failure(s, status);
}

void store_done_merge(struct store *s, struct store_merge *op, enum store_status status)
{
	s->counters.merges_ns += clock_mono(s->options.clock) - op->started_ns;
	disbelieve_all(s, op);
	if (status == STORE_DONE)
		note_deltas(s, op);
	else
		keep_deltas(s, op);
	count_failure(s, status);
	op->done(op, status);
}

bool store_text(char *to, size_t size, const char *option)
{
	size_t n = option ? strlen(option) : 0;

	if (n >= size)
		return false;
	memcpy(to, option ? option : "", n);
	to[n] = '\0';
	return true;
}

bool store_ready(const struct store *s)
{
	return s->driver->ops->ready(s->driver);
}

bool store_shared(const struct store *s)
{
	const struct store_ops *ops = s->driver->ops;

	return ops != &store_rocksdb_ops && ops != &store_memory_ops && ops != &store_failing_ops;
}

/* --- The rest -------------------------------------------------------------- */

enum store_status store_scan(struct store *s, struct store_scan *op)
{
	op->count = 0;
	op->more = false;
	op->next = NULL;
	buf_clear(&op->keys);
	if (s->closing || op->limit < 1 || op->limit > STORE_SCAN_MAX || op->prefix.n > KEY_MAX ||
	    op->from.n > KEY_MAX || op->from.max < KEY_MAX)
		return count_failure(s, STORE_FAILED);
	return count_failure(s, s->driver->ops->scan(s->driver, op));
}

bool store_scan_add(struct store_scan *op, struct span key, const struct record *record)
{
	if (op->count == op->limit || !buf_room(&op->keys, key.n + 1))
		return false;
	buf_addspan(&op->keys, key);
	buf_addc(&op->keys, '\n');
	op->records[op->count++] = *record;
	return true;
}

void store_done_scan(struct store *s, struct store_scan *op, enum store_status status)
{
	count_failure(s, status);
	op->done(op, status);
}

/* A renewal that was gathered before would bring the record back: without its
 * first attempt, so that the next one passed at once. */
static void forget_later(struct store *s, const struct store_remove *op)
{
	struct span rest = op->keys, key;

	while (!op->pending_only && span_cut(&rest, '\n', &key)) {
		later_forget(s->later, key);
		if (s->journal)
			journal_forget(s->journal, key);
		if (s->options.cache_s)
			disbelieve(s, key);
	}
}

enum store_status store_remove(struct store *s, struct store_remove *op)
{
	op->removed = 0;
	op->next = NULL;
	if (s->closing)
		return count_failure(s, STORE_FAILED);
	forget_later(s, op);
	return count_failure(s, s->driver->ops->remove(s->driver, op));
}

void store_done_remove(struct store *s, struct store_remove *op, enum store_status status)
{
	struct span rest = op->keys, key;

	count_failure(s, status);
	/* Also what came while the record was still to be found. */
	forget_later(s, op);
	while (s->cache && span_cut(&rest, '\n', &key))
		cache_drop(s->cache, key);
	op->done(op, status);
}

enum store_status store_backup(struct store *s, struct store_backup *op)
{
	if (s->closing) {
		buf_fail(op->why, "the store is being closed");
		return count_failure(s, STORE_FAILED);
	}
	return count_failure(s, s->driver->ops->backup(s->driver, op));
}

void store_done_backup(struct store *s, struct store_backup *op, enum store_status status)
{
	count_failure(s, status);
	op->done(op, status);
}

void store_turn(void *store)
{
	struct store *s = store;

	s->driver->ops->turn(s->driver);
}

const char *store_health(const struct store *s)
{
	return s->driver->ops->health(s->driver);
}

void store_stats(const struct store *s, struct store_stats *out)
{
	*out = s->counters;
	out->pending_records = census_pending(s->census);
	out->evicted = census_evicted(s->census);
	if (s->journal)
		journal_stats(s->journal, out);
	s->driver->ops->stats(s->driver, out);
}

void store_trust_clock(struct store *s, bool trusted)
{
	s->driver->ops->trust_clock(s->driver, trusted);
}

void store_maintain(struct store *s)
{
	s->driver->ops->maintain(s->driver);
	s->driver->ops->maintain(s->driver);
}

uint32_t store_waiting(const struct store *s, struct span triplet)
{
	return census_waiting(s->census, triplet);
}

void store_census(struct store *s)
{
	census_start(s->census);
}

bool store_census_busy(const struct store *s)
{
	return census_busy(s->census);
}
