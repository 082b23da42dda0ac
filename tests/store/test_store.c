/* The conformance suite: the same tests on every driver, then the wrapper's ways
 * with a driver that fails. */
#include "harness.h"

#include <unistd.h>

struct row {
	const char *driver;
	bool keeps;		/* what was stored is there after a reopen */
};

static const struct row drivers[] = {
	{ "memory", false },
	{ "rocksdb", true },
};

static void begin(struct harness *h, void **state)
{
	const struct row *row = *state;

	harness_begin(h, row->driver, NULL);
	harness_open(h);
}

static bool keeps(void **state)
{
	return ((const struct row *)*state)->keeps;
}

static void test_absent_and_present(void **state)
{
	struct record got, delta = { .first_seen = 5, .last_seen = 7, .expires = HARNESS_NOW + 9, .blocked = 1 };
	struct harness h;

	begin(&h, state);
	assert_false(harness_get(&h, "a nobody", &got));
	harness_merge(&h, "a somebody", delta);
	assert_true(harness_get(&h, "a somebody", &got));
	harness_assert_record(&got, &delta);
	assert_false(harness_get(&h, "a somebod", &got));
	assert_false(harness_get(&h, "a somebody ", &got));
	harness_end(&h);
}

static void mark(struct store_get *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	*(bool *)op->arg = true;
}

static void test_several_keys(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	bool done = false;
	struct store_get op = { .count = 3, .done = mark, .arg = &done };
	struct harness h;

	begin(&h, state);
	harness_merge(&h, "a two", delta);
	op.keys[0] = span_of("a one");
	op.keys[1] = span_of("a two");
	op.keys[2] = span_of("a three");
	done = store_get(h.store, &op) == STORE_DONE;
	while (!done)
		harness_turn(&h);
	assert_false(op.found[0]);
	assert_true(op.found[1]);
	assert_false(op.found[2]);
	harness_assert_record(&op.records[1], &delta);
	harness_end(&h);
}

static void test_generations(void **state)
{
	struct record old = { .generation = 3, .first_seen = 10, .passed_at = 11, .expires = 20, .passed = 5 };
	struct record new = { .generation = 4, .first_seen = 30, .expires = 40, .blocked = 1 };
	struct record got;
	struct harness h;

	begin(&h, state);
	harness_merge(&h, "a up", old);
	harness_merge(&h, "a up", new);
	assert_true(harness_get(&h, "a up", &got));
	harness_assert_record(&got, &new);
	harness_merge(&h, "a up", old);
	assert_true(harness_get(&h, "a up", &got));
	harness_assert_record(&got, &new);
	harness_end(&h);
}

/* --- Merging in any order -------------------------------------------------- */

#define DELTAS 12
#define KEYS 8
#define ROUNDS 25

static struct record random_delta(uint64_t *seed)
{
	struct record r = { .generation = (uint32_t)(harness_random(seed) % 3) };

	if (harness_random(seed) % 4)
		r.first_seen = 1 + (int64_t)(harness_random(seed) % 1000);
	r.last_seen = (int64_t)(harness_random(seed) % 5000);
	if (harness_random(seed) % 3 == 0)
		r.passed_at = 1 + (int64_t)(harness_random(seed) % 1000);
	r.expires = (int64_t)(harness_random(seed) % 100000);
	r.blocked = harness_random(seed) % 100;
	r.passed = harness_random(seed) % 100;
	return r;
}

struct pending { unsigned done; };

static void count_done(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	((struct pending *)op->arg)->done++;
}

/* Hands the deltas in this order to the store, in operations of 1 to 4, some of
 * them as deltas that nobody waits for. */
static void merge_batched(struct harness *h, struct store_delta *deltas, unsigned n, uint64_t *seed)
{
	struct store_merge ops[KEYS * DELTAS] = { 0 };
	struct pending p = { 0 };
	unsigned used = 0;

	for (unsigned i = 0; i < n; ) {
		if (harness_random(seed) % 5 == 0) {
			store_merge_later(h->store, deltas[i].key, &deltas[i].delta);
			i++;
			continue;
		}
		struct store_merge *op = &ops[used++];
		unsigned most = 1 + (unsigned)(harness_random(seed) % STORE_MERGE_MAX);
		*op = (struct store_merge){ .done = count_done, .arg = &p };
		while (op->count < most && i < n)
			op->deltas[op->count++] = deltas[i++];
		enum store_status status = store_merge(h->store, op);
		assert_int_not_equal(status, STORE_FAILED);
		p.done += status == STORE_DONE;
		if (harness_random(seed) % 3 == 0)
			harness_turn(h);
	}
	while (p.done < used)
		harness_turn(h);
}

static void shuffle(struct store_delta *deltas, unsigned n, uint64_t *seed)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = (unsigned)(harness_random(seed) % i);
		struct store_delta keep = deltas[i - 1];
		deltas[i - 1] = deltas[j];
		deltas[j] = keep;
	}
}

static void test_any_order(void **state)
{
	struct store_delta deltas[KEYS * DELTAS];
	static struct record expected[ROUNDS][KEYS];
	static char names[ROUNDS][KEYS][32];
	struct record got;
	struct harness h;
	uint64_t seed = 20240607;

	begin(&h, state);
	store_trust_clock(h.store, false);
	memset(expected, 0, sizeof expected);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < KEYS * DELTAS; i++) {
			char *name = names[round][i % KEYS];
			snprintf(name, sizeof names[0][0], "a r%u k%u", round, i % KEYS);
			deltas[i] = (struct store_delta){ .key = span_of(name), .delta = random_delta(&seed) };
			record_merge(&expected[round][i % KEYS], &deltas[i].delta);
		}
		shuffle(deltas, KEYS * DELTAS, &seed);
		unsigned half = (unsigned)(harness_random(&seed) % (KEYS * DELTAS));
		merge_batched(&h, deltas, half, &seed);
		if (round % 5 == 0)
			store_maintain(h.store);
		merge_batched(&h, deltas + half, KEYS * DELTAS - half, &seed);
	}
	harness_turn_for(&h, 1200);
	for (unsigned i = 0; i < ROUNDS * KEYS; i++) {
		assert_true(harness_get(&h, names[i / KEYS][i % KEYS], &got));
		harness_assert_record(&got, &expected[i / KEYS][i % KEYS]);
	}
	harness_end(&h);
}

static void check_sum(void *arg, struct span key, const struct record *r)
{
	unsigned *sums = arg;

	(void)key;
	sums[0] += (unsigned)r->blocked;
	sums[1]++;
}

/* Nothing is counted twice or lost, whatever happens in between. */
static void test_counts_add_up(void **state)
{
	unsigned sums[2] = { 0 };
	struct harness_flood f;
	struct harness h;
	uint64_t seed = 99;
	char name[32];

	begin(&h, state);
	harness_flood_begin(&f, 6000);
	for (unsigned i = 0; i < 6000; i++) {
		struct record delta = harness_attempt(HARNESS_NOW);
		int n = snprintf(name, sizeof name, "a k%u", (unsigned)(harness_random(&seed) % 50));
		harness_flood_add(&h, &f, span_make(name, (size_t)n), &delta, false);
		if (i % 2000 == 1000)
			store_maintain(h.store);
	}
	harness_flood_end(&h, &f);
	harness_scan(&h, "a ", 7, check_sum, sums);
	assert_int_equal(sums[0], 6000);
	assert_int_equal(sums[1], 50);
	harness_end(&h);
}

/* --- Many keys, scans, removal --------------------------------------------- */

static void name_of(char out[32], unsigned i)
{
	snprintf(out, 32, "a key%05u", i);
}

static void fill(struct harness *h, unsigned from, unsigned to)
{
	struct harness_flood f;
	char name[32];

	harness_flood_begin(&f, to - from);
	for (unsigned i = from; i < to; i++) {
		struct record delta = harness_attempt(HARNESS_NOW);
		/* Not in the order of the keys. */
		unsigned k = from + (unsigned)((uint64_t)(i - from) * 7919 % (to - from));
		delta.blocked = k + 1;
		name_of(name, k);
		harness_flood_add(h, &f, span_of(name), &delta, true);
	}
	harness_flood_end(h, &f);
	assert_int_equal(f.failed, 0);
}

struct order { unsigned next, step; };

static void check_order(void *arg, struct span key, const struct record *r)
{
	struct order *o = arg;
	char name[32];

	name_of(name, o->next);
	assert_true(span_eq(key, span_of(name)));
	assert_int_equal(r->blocked, o->next + 1);
	o->next += o->step;
}

static void test_ten_thousand(void **state)
{
	struct order o = { 0, 1 }, part = { 1200, 1 };
	struct store_stats stats;
	struct record got;
	struct harness h;
	char name[32];

	begin(&h, state);
	fill(&h, 0, 10000);
	for (unsigned i = 0; i < 10000; i++) {
		name_of(name, i);
		assert_true(harness_get(&h, name, &got));
		assert_int_equal(got.blocked, i + 1);
	}
	harness_merge(&h, "b other", harness_attempt(1));
	harness_merge(&h, "Z other", harness_attempt(1));
	assert_int_equal(harness_scan(&h, "a ", 333, check_order, &o), 10000);
	assert_int_equal(harness_scan(&h, "a key012", 1, check_order, &part), 100);
	assert_int_equal(harness_scan(&h, "", 1000, NULL, NULL), 10002);
	assert_int_equal(harness_scan(&h, "a key9999x", 10, NULL, NULL), 0);
	store_stats(h.store, &stats);
	assert_in_range(stats.records, 10002, 10002);
	assert_in_range(stats.gets, 10000, 10010);
	assert_in_range(stats.merges, 10002, 10002);
	assert_int_equal(stats.failures, 0);
	assert_true(stats.memory_bytes > 10000 * RECORD_SIZE);
	if (keeps(state)) {
		assert_true(stats.disk_bytes > 10000 * 10);
		assert_in_range(stats.syncs, 3, 10002);
	}
	harness_end(&h);
}

static void test_remove(void **state)
{
	struct order o = { 1, 2 };
	struct record got;
	struct harness h;
	struct buf keys = buf_heap(1 << 16);
	char name[32];

	begin(&h, state);
	fill(&h, 0, 100);
	for (unsigned i = 0; i < 100; i += 2) {
		name_of(name, i);
		buf_addf(&keys, "%s\n", name);
	}
	harness_remove(&h, buf_str(&keys));
	harness_remove(&h, "a never\n");
	assert_int_equal(harness_scan(&h, "a ", 9, check_order, &o), 50);
	/* Comes back from nothing, not from what it was. */
	harness_merge(&h, "a key00002", harness_attempt(HARNESS_NOW));
	assert_true(harness_get(&h, "a key00002", &got));
	assert_int_equal(got.blocked, 1);
	buf_free(&keys);
	harness_end(&h);
}

static void count_removed(struct store_remove *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	((struct pending *)op->arg)->done++;
}

static void test_remove_spares_passed(void **state)
{
	struct record pass = { .passed_at = HARNESS_NOW, .expires = HARNESS_NOW + 100, .passed = 1 }, got;
	struct pending p = { 0 };
	struct store_remove op = { .keys = span_of("t a b c\nt a b d\nt a b e\n"), .pending_only = true,
				   .done = count_removed, .arg = &p };
	struct store_merge last = { .count = 1, .deltas = { { span_of("t a b e"), pass, false } },
				    .done = count_done, .arg = &p };
	struct harness h;

	begin(&h, state);
	harness_merge(&h, "t a b c", harness_attempt(HARNESS_NOW));
	harness_merge(&h, "t a b d", harness_attempt(HARNESS_NOW));
	harness_merge(&h, "t a b d", pass);
	harness_merge(&h, "t a b e", harness_attempt(HARNESS_NOW));
	/* "e" passes in the same turn, before the removal is carried out. */
	p.done += store_merge(h.store, &last) == STORE_DONE;
	p.done += store_remove(h.store, &op) == STORE_DONE;
	while (p.done < 2)
		harness_turn(&h);
	assert_int_equal(op.removed, 1);
	assert_false(harness_get(&h, "t a b c", &got));
	assert_true(harness_get(&h, "t a b d", &got));
	assert_true(harness_get(&h, "t a b e", &got));
	assert_int_equal(got.passed_at, HARNESS_NOW);
	harness_end(&h);
}

static void test_odd_keys(void **state)
{
	char longest[KEY_MAX + 2], high[] = "a \xff\xfe\x80 \xc3\xa4", other[] = "a \xff\xfe\x80 \xc3\xa5";
	struct record delta = harness_attempt(HARNESS_NOW), got;
	bool found;
	struct harness h;

	begin(&h, state);
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "a ", 2);
	harness_merge(&h, high, delta);
	assert_true(harness_get(&h, high, &got));
	assert_false(harness_get(&h, other, &got));
	assert_int_equal(harness_try_merge(&h, span_make(longest, KEY_MAX), &delta, true), STORE_DONE);
	assert_int_equal(harness_try_get(&h, span_make(longest, KEY_MAX), &found, &got), STORE_DONE);
	assert_true(found);
	assert_int_equal(harness_try_get(&h, span_make(longest, KEY_MAX - 1), &found, &got), STORE_DONE);
	assert_false(found);
	assert_int_equal(harness_scan(&h, "a ", 1, NULL, NULL), 2);
	/* What the scan could not give back is refused. */
	assert_int_equal(harness_try_merge(&h, span_make(longest, KEY_MAX + 1), &delta, true), STORE_FAILED);
	assert_int_equal(harness_try_merge(&h, span_of("a b\nc"), &delta, true), STORE_FAILED);
	assert_int_equal(harness_try_merge(&h, span_of(""), &delta, true), STORE_FAILED);
	assert_int_equal(harness_scan(&h, "", 1000, NULL, NULL), 2);
	harness_end(&h);
}

/* --- Later, reopen, backup, expiry ----------------------------------------- */

static void test_merge_later(void **state)
{
	struct record delta = { .last_seen = 3, .expires = HARNESS_NOW + 5, .passed = 1 }, got;
	struct harness h;
	char name[32];

	begin(&h, state);
	for (unsigned i = 0; i < 1000; i++)
		store_merge_later(h.store, span_of("a busy"), &delta);
	assert_false(harness_get(&h, "a busy", &got));
	harness_turn_for(&h, 1300);
	assert_true(harness_get(&h, "a busy", &got));
	assert_int_equal(got.passed, 1000);
	/* More keys than the table holds: it is flushed when full. */
	for (unsigned i = 0; i < 10000; i++) {
		name_of(name, i);
		store_merge_later(h.store, span_of(name), &delta);
	}
	harness_turn_for(&h, 1300);
	assert_int_equal(harness_scan(&h, "a key", 1000, NULL, NULL), 10000);
	if (keeps(state)) {
		store_merge_later(h.store, span_of("a busy"), &delta);
		harness_reopen(&h);
		assert_true(harness_get(&h, "a busy", &got));
		assert_int_equal(got.passed, 1001);
	}
	harness_end(&h);
}

static void test_reopen(void **state)
{
	struct order o = { 0, 1 };
	struct harness h;

	if (!keeps(state))
		skip();
	begin(&h, state);
	fill(&h, 0, 3000);
	harness_reopen(&h);
	fill(&h, 3000, 4000);
	harness_reopen(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, check_order, &o), 4000);
	harness_end(&h);
}

static void test_close_completes(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct pending p = { 0 };
	struct store_merge ops[20] = { 0 };
	char names[20][32];
	struct harness h;

	begin(&h, state);
	for (unsigned i = 0; i < 20; i++) {
		name_of(names[i], i);
		ops[i] = (struct store_merge){ .count = 1, .done = count_done, .arg = &p };
		ops[i].deltas[0] = (struct store_delta){ span_of(names[i]), delta, true };
		p.done += store_merge(h.store, &ops[i]) == STORE_DONE;
	}
	harness_close(&h);
	assert_int_equal(p.done, 20);
	harness_open(&h);
	if (keeps(state))
		for (unsigned i = 0; i < 20; i++)
			assert_true(harness_get(&h, names[i], &got));
	harness_end(&h);
}

static void test_backup(void **state)
{
	struct order o = { 0, 1 };
	struct harness h;
	char copy[128];

	begin(&h, state);
	fill(&h, 0, 2000);
	snprintf(copy, sizeof copy, "%s/copy", h.base);
	if (!keeps(state)) {
		assert_int_equal(harness_backup(&h, copy), STORE_FAILED);
		assert_non_null(strstr(buf_str(&h.why), "nothing"));
		harness_end(&h);
		return;
	}
	assert_int_equal(harness_backup(&h, copy), STORE_DONE);
	assert_int_equal(harness_backup(&h, copy), STORE_FAILED);
	assert_non_null(strstr(buf_str(&h.why), "exists"));
	/* What comes afterwards is in the store only. */
	fill(&h, 2000, 2100);
	harness_close(&h);
	h.options.target = copy;
	harness_open(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, check_order, &o), 2000);
	harness_close(&h);
	h.options.target = h.target;
	harness_open(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 2100);
	harness_end(&h);
}

static void test_expiry(void **state)
{
	struct record old = harness_attempt(HARNESS_NOW - 1000000), got;
	struct record kept = { .last_seen = 1, .expires = HARNESS_NOW + 1000000, .passed = 1 };
	struct harness h;

	begin(&h, state);
	harness_merge(&h, "t old a b", old);
	harness_merge(&h, "t old a b", (struct record){ .blocked = 1 });
	harness_merge(&h, "t renewed a b", old);
	harness_merge(&h, "t renewed a b", kept);
	assert_true(harness_get(&h, "t old a b", &got));
	store_trust_clock(h.store, false);
	store_maintain(h.store);
	assert_true(harness_get(&h, "t old a b", &got));
	store_trust_clock(h.store, true);
	/* Expired, but not for a whole day. */
	clock_fake_set(&h.clock, old.expires + STORE_GRACE_S - 1);
	store_maintain(h.store);
	assert_true(harness_get(&h, "t old a b", &got));
	clock_fake_set(&h.clock, HARNESS_NOW);
	store_maintain(h.store);
	assert_false(harness_get(&h, "t old a b", &got));
	assert_true(harness_get(&h, "t renewed a b", &got));
	assert_int_equal(got.blocked, 1);
	assert_int_equal(got.passed, 1);
	harness_end(&h);
}

/* --- Caps ------------------------------------------------------------------ */

struct tally { unsigned pending, retried, passed; };

static void tally_row(void *arg, struct span key, const struct record *r)
{
	struct tally *t = arg;

	(void)key;
	if (!record_pending(r))
		t->passed++;
	else if (r->blocked > 1)
		t->retried++;
	else
		t->pending++;
}

static struct tally count(struct harness *h, const char *prefix)
{
	struct tally t = { 0 };

	harness_scan(h, prefix, 1000, tally_row, &t);
	return t;
}

/* `each` triplets of every identity from first to last, seen a minute apart. */
static void flood(struct harness *h, const char *name, unsigned identities, unsigned first, unsigned count_each)
{
	struct harness_flood f;
	char identity[64];
	struct key k;

	harness_flood_begin(&f, identities * count_each);
	for (unsigned i = first; i < first + count_each; i++)
		for (unsigned j = 0; j < identities; j++) {
			struct record r = harness_attempt(HARNESS_NOW - 3600 + (int64_t)(i % 60) * 60);
			snprintf(identity, sizeof identity, "%s%u.example", name, j);
			harness_triplet(&k, identity, i);
			harness_flood_add(h, &f, key_span(&k), &r, true);
		}
	harness_flood_end(h, &f);
	assert_int_equal(f.failed, 0);
}

static void pass_and_retry(struct harness *h, const char *identity, unsigned first, unsigned passed, unsigned retried)
{
	struct record old = harness_attempt(HARNESS_NOW - 86400), again = { .last_seen = HARNESS_NOW, .blocked = 1 };
	struct record pass = { .passed_at = HARNESS_NOW, .expires = HARNESS_NOW + 999, .passed = 1 };
	struct harness_flood f;
	struct key k;

	harness_flood_begin(&f, 2 * (passed + retried));
	for (unsigned i = first; i < first + passed + retried; i++) {
		harness_triplet(&k, identity, i);
		harness_flood_add(h, &f, key_span(&k), &old, true);
		harness_flood_add(h, &f, key_span(&k), i < first + passed ? &pass : &again, false);
	}
	harness_flood_end(h, &f);
}

static void test_cap_identity(void **state)
{
	const struct row *row = *state;
	struct store_stats stats;
	struct harness h;

	harness_begin(&h, row->driver, NULL);
	h.options.cap_identity = 1000;
	harness_open(&h);
	pass_and_retry(&h, "bad0.example", 0, 60, 40);
	flood(&h, "good", 3, 0, 200);
	flood(&h, "bad", 1, 1000, 5000);
	harness_wait_census(&h);
	struct tally bad = count(&h, "t bad0.example "), good = count(&h, "t good");
	assert_int_equal(bad.passed, 60);
	assert_int_equal(bad.retried, 40);
	assert_in_range(bad.pending + bad.retried, 700, 1300);
	assert_int_equal(good.pending, 600);
	store_stats(h.store, &stats);
	assert_int_equal(stats.evicted, 5040 - bad.pending - bad.retried);
	assert_true(stats.pending_records >= 600 + bad.pending + bad.retried);
	store_census(h.store);
	harness_wait_census(&h);
	store_stats(h.store, &stats);
	assert_int_equal(stats.pending_records, 600 + bad.pending + bad.retried);
	if (keeps(state)) {
		harness_reopen(&h);
		store_census(h.store);
		harness_wait_census(&h);
		flood(&h, "bad", 1, 10000, 5000);
		harness_wait_census(&h);
		bad = count(&h, "t bad0.example ");
		assert_int_equal(bad.passed, 60);
		assert_int_equal(bad.retried, 40);
		assert_in_range(bad.pending + bad.retried, 700, 1300);
		assert_int_equal(count(&h, "t good").pending, 600);
	}
	harness_end(&h);
}

static void test_cap_total(void **state)
{
	const struct row *row = *state;
	struct store_stats stats;
	struct harness h;

	harness_begin(&h, row->driver, NULL);
	h.options.cap_total = 2000;
	harness_open(&h);
	pass_and_retry(&h, "old.example", 0, 50, 50);
	flood(&h, "many", 1000, 0, 10);
	harness_wait_census(&h);
	struct tally t = count(&h, "t ");
	assert_int_equal(t.passed, 50);
	assert_int_equal(t.retried, 50);
	assert_in_range(t.pending + t.retried, 1500, 2600);
	store_stats(h.store, &stats);
	assert_int_equal(stats.evicted, 10050 - t.pending - t.retried);
	assert_true(stats.pending_records >= t.pending + t.retried);
	harness_end(&h);
}

/* A store that is already over its cap is thinned out by the census at the start;
 * of records that were never retried the oldest go. */
static void oldest(void *arg, struct span key, const struct record *r)
{
	int64_t *least = arg;

	(void)key;
	if (r->first_seen < *least)
		*least = r->first_seen;
}

static void test_cap_after_restart(void **state)
{
	const struct row *row = *state;
	int64_t least = INT64_MAX;
	struct harness h;

	if (!row->keeps)
		skip();
	harness_begin(&h, row->driver, NULL);
	harness_open(&h);
	flood(&h, "many", 100, 0, 60);
	harness_close(&h);
	h.options.cap_total = 3000;
	harness_open(&h);
	/* Not asked for: the store does it by itself. */
	harness_turn_for(&h, 1200);
	harness_wait_census(&h);
	assert_int_equal(count(&h, "t ").pending, 2700);
	harness_scan(&h, "t ", 1000, oldest, &least);
	assert_in_range(least, HARNESS_NOW - 3600 + 30 * 60, HARNESS_NOW - 3600 + 33 * 60);
	harness_end(&h);
}

static void test_no_cap(void **state)
{
	struct harness h;

	begin(&h, state);
	flood(&h, "bad", 1, 0, 3000);
	store_census(h.store);
	harness_wait_census(&h);
	assert_int_equal(count(&h, "t ").pending, 3000);
	harness_end(&h);
}

/* --- A driver that fails --------------------------------------------------- */

static void begin_failing(struct harness *h, const char *target)
{
	harness_begin(h, "failing", target);
	harness_open(h);
}

static void test_fail(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct store_stats stats;
	struct harness h;
	bool found;

	(void)state;
	begin_failing(&h, "fail");
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_FAILED);
	assert_int_equal(harness_backup(&h, "/nonexistent"), STORE_FAILED);
	assert_non_null(store_health(h.store));
	store_stats(h.store, &stats);
	assert_in_range(stats.failures, 3, 5);
	harness_end(&h);
}

static void test_fail_some(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct harness h;
	bool found;

	(void)state;
	begin_failing(&h, "fail-merge");
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_DONE);
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_FAILED);
	harness_end(&h);
	begin_failing(&h, "fail-after 2");
	assert_null(store_health(h.store));
	assert_int_equal(harness_try_merge(&h, span_of("a b"), &delta, true), STORE_DONE);
	assert_true(harness_get(&h, "a b", &got));
	assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	assert_non_null(store_health(h.store));
	harness_end(&h);
	begin_failing(&h, "slow 200");
	uint64_t before = harness_now_ms();
	assert_false(harness_get(&h, "a b", &got));
	assert_in_range(harness_now_ms() - before, 150, 2000);
	harness_end(&h);
}

struct hung { unsigned gets, merges; };

static void hung_get(struct store_get *op, enum store_status status)
{
	assert_int_equal(status, STORE_FAILED);
	((struct hung *)op->arg)->gets++;
}

static void hung_merge(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_FAILED);
	((struct hung *)op->arg)->merges++;
}

static void test_hang(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	struct hung hung = { 0 };
	struct store_get get = { .count = 1, .keys = { span_of("a b") }, .done = hung_get, .arg = &hung };
	struct store_merge merge = { .count = 1, .deltas = { { span_of("a b"), delta, true } }, .done = hung_merge, .arg = &hung };
	struct harness h;

	(void)state;
	begin_failing(&h, "hang");
	assert_int_equal(store_get(h.store, &get), STORE_PENDING);
	assert_int_equal(store_merge(h.store, &merge), STORE_PENDING);
	/* The census is pending too by then. */
	harness_turn_for(&h, 1200);
	assert_int_equal(hung.gets + hung.merges, 0);
	uint64_t before = harness_now_ms();
	harness_close(&h);
	assert_true(harness_now_ms() - before < 1000);
	assert_int_equal(hung.gets, 1);
	assert_int_equal(hung.merges, 1);
	harness_end(&h);
}

static void test_later_survives_failure(void **state)
{
	struct record delta = { .last_seen = 3, .expires = HARNESS_NOW + 5, .passed = 1 }, got;
	struct store_stats stats;
	struct harness h;
	bool found;
	char name[32];

	(void)state;
	begin_failing(&h, "fail-first 2");
	for (unsigned i = 0; i < 2; i++) {
		store_merge_later(h.store, span_of("a b"), &delta);
		harness_turn_for(&h, 1100);
		assert_int_equal(harness_try_get(&h, span_of("a b"), &found, &got), STORE_FAILED);
	}
	harness_turn_for(&h, 1100);
	assert_true(harness_get(&h, "a b", &got));
	assert_int_equal(got.passed, 2);
	store_stats(h.store, &stats);
	assert_int_equal(stats.later_dropped, 0);
	harness_end(&h);

	begin_failing(&h, "fail");
	for (unsigned i = 0; i < 5000; i++) {
		name_of(name, i);
		store_merge_later(h.store, span_of(name), &delta);
	}
	store_stats(h.store, &stats);
	assert_in_range(stats.later_dropped, 1, 3000);
	harness_end(&h);
}

static void test_bad_driver(void **state)
{
	struct harness h;

	(void)state;
	harness_begin(&h, "postgres", "x");
	assert_false(harness_try_open(&h));
	assert_non_null(strstr(buf_str(&h.why), "postgres"));
	h.options.driver = "failing";
	h.options.target = "fail-often";
	assert_false(harness_try_open(&h));
	h.options.target = "fail-after";
	assert_false(harness_try_open(&h));
	h.options.target = "fail-open";
	assert_false(harness_try_open(&h));
	harness_end(&h);
}

/* --- The table ------------------------------------------------------------- */

#define TEST(f) { #f, f, NULL, NULL, NULL }

static const struct CMUnitTest conformance[] = {
	TEST(test_absent_and_present), TEST(test_several_keys), TEST(test_generations),
	TEST(test_any_order), TEST(test_counts_add_up), TEST(test_ten_thousand), TEST(test_remove),
	TEST(test_remove_spares_passed), TEST(test_odd_keys), TEST(test_merge_later), TEST(test_reopen),
	TEST(test_close_completes), TEST(test_backup), TEST(test_expiry), TEST(test_cap_identity),
	TEST(test_cap_total), TEST(test_cap_after_restart), TEST(test_no_cap),
};
#define CONFORMANCE (sizeof conformance / sizeof *conformance)

static int run_conformance(const struct row *row)
{
	struct CMUnitTest tests[CONFORMANCE];

	for (size_t i = 0; i < CONFORMANCE; i++) {
		tests[i] = conformance[i];
		tests[i].initial_state = (void *)row;
	}
	return cmocka_run_group_tests_name(row->driver, tests, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest failing[] = {
		cmocka_unit_test(test_fail), cmocka_unit_test(test_fail_some), cmocka_unit_test(test_hang),
		cmocka_unit_test(test_later_survives_failure), cmocka_unit_test(test_bad_driver),
	};
	int failed = cmocka_run_group_tests_name("failing", failing, NULL, NULL);

	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		failed += run_conformance(&drivers[i]);
	return failed;
}
