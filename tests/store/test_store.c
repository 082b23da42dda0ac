/* The conformance suite: the same tests on every driver. Caps are in test_store_caps.c. */
#include "harness.h"

#include <unistd.h>

static void begin(struct harness *h, void **state)
{
	const struct harness_driver *row = *state;

	harness_begin(h, row->name, NULL);
	harness_open(h);
}

static bool keeps(void **state)
{
	return ((const struct harness_driver *)*state)->keeps;
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
	if (harness_random(seed) % 3 == 0)
		r.held_until = (int64_t)(harness_random(seed) % 1000);
	r.held_for = (uint8_t)(harness_random(seed) % HOLD_COUNT);
	r.strikes = (uint32_t)(harness_random(seed) % 30000);
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
	harness_merge(&h, "b other", harness_attempt(HARNESS_NOW));
	harness_merge(&h, "Z other", harness_attempt(HARNESS_NOW));
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
	if (((const struct harness_driver *)*state)->files) {
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

/* What was gathered for a record goes with it, and does not bring it back. */
static void test_remove_takes_what_gathered(void **state)
{
	struct record renewal = { .last_seen = HARNESS_NOW, .expires = HARNESS_NOW + 100, .passed = 1 }, got;
	struct harness h;

	begin(&h, state);
	harness_merge(&h, "t a b c", harness_attempt(HARNESS_NOW));
	store_merge_later(h.store, span_of("t a b c"), &renewal);
	store_merge_later(h.store, span_of("t a b d"), &renewal);
	harness_remove(&h, "t a b c\n");
	harness_turn_for(&h, 1300);
	harness_wait_counts(&h, "t a b d", 1, &got);
	assert_false(harness_get(&h, "t a b c", &got));
	store_merge_later(h.store, span_of("t a b c"), &renewal);
	harness_wait_counts(&h, "t a b c", 1, &got);
	assert_int_equal(got.passed, 1);
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
	uint64_t began = harness_now_ms();
	for (unsigned i = 0; i < 1000; i++)
		store_merge_later(h.store, span_of("a busy"), &delta);
	bool soon = harness_get(&h, "a busy", &got);
	assert_true(!soon || harness_now_ms() - began >= h.options.later_ms);
	harness_wait_counts(&h, "a busy", 1, &got);
	assert_int_equal(got.passed, 1000);
	/* More keys than the table holds: it is flushed when full. */
	for (unsigned i = 0; i < 30000; i++) {
		name_of(name, i);
		store_merge_later(h.store, span_of(name), &delta);
	}
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	do
		harness_turn_for(&h, 300);
	while (harness_scan(&h, "a key", 1000, NULL, NULL) < 30000 && harness_now_ms() < until);
	assert_int_equal(harness_scan(&h, "a key", 1000, NULL, NULL), 30000);
	if (keeps(state)) {
		store_merge_later(h.store, span_of("a busy"), &delta);
		harness_reopen(&h);
		assert_true(harness_get(&h, "a busy", &got));
		assert_int_equal(got.passed, 1001);
	}
	harness_end(&h);
}

/* Reads between writes of every kind leave nothing behind that is not true. */
static void test_reads_stay_true(void **state)
{
	enum { STEPS = 600 };
	struct record model[KEYS] = { 0 }, got;
	uint64_t seed = 11;
	struct harness h;
	bool found;

	begin(&h, state);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < STEPS; i++) {
			unsigned k = (unsigned)(harness_random(&seed) % KEYS);
			char name[] = { 'a', ' ', (char)('0' + k), '\0' };
			struct record delta = { .last_seen = i + 1, .expires = HARNESS_NOW + 1000, .passed = 1 };
			if (i == STEPS / 2)
				harness_turn_for(&h, 1010);
			switch (harness_random(&seed) % 4) {
			case 0: harness_merge(&h, name, delta); break;
			case 1: store_merge_later(h.store, span_of(name), &delta); break;
			case 2: harness_turn(&h); /* fallthrough */
			default: harness_try_get(&h, span_of(name), &found, &got); continue;
			}
			record_merge(&model[k], &delta);
		}
		harness_turn_for(&h, 1010);
		for (unsigned k = 0; k < KEYS; k++) {
			char name[] = { 'a', ' ', (char)('0' + k), '\0' };
			assert_true(harness_get(&h, name, &got));
			harness_assert_record(&got, &model[k]);
		}
		harness_remove(&h, "a 3");
		model[3] = (struct record){ 0 };
		assert_false(harness_get(&h, "a 3", &got));
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
	const struct harness_driver *row = *state;
	struct order o = { 0, 1 };
	struct harness h;
	char copy[128];

	begin(&h, state);
	fill(&h, 0, 2000);
	snprintf(copy, sizeof copy, "%s/copy", h.base);
	if (row->no_backup) {
		assert_int_equal(harness_backup(&h, copy), STORE_FAILED);
		assert_non_null(strstr(buf_str(&h.why), row->no_backup));
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent_and_present), cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_generations), cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_counts_add_up), cmocka_unit_test(test_ten_thousand),
		cmocka_unit_test(test_remove), cmocka_unit_test(test_remove_takes_what_gathered),
		cmocka_unit_test(test_remove_spares_passed),
		cmocka_unit_test(test_odd_keys), cmocka_unit_test(test_merge_later),
		cmocka_unit_test(test_reads_stay_true),
		cmocka_unit_test(test_reopen), cmocka_unit_test(test_close_completes),
		cmocka_unit_test(test_backup), cmocka_unit_test(test_expiry),
	};

	return harness_run_drivers(tests, sizeof tests / sizeof *tests);
}
