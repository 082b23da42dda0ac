#include "topology.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define TESTS_MAX 64

static const struct harness_driver drivers[] = {
	{ "memory", .no_backup = "nothing" },
	{ "rocksdb", .keeps = true, .files = true },
	{ "valkey", .keeps = true, .there = harness_server_there, .no_backup = "makes its own",
	  .needs = "hiredis, and redis-server or valkey-server" },
	{ "valkey sentinel", .keeps = true, .there = harness_server_there, .no_backup = "makes its own",
	  .needs = "hiredis, and redis-server or valkey-server" },
	{ "valkey cluster", .keeps = true, .there = harness_server_there, .no_backup = "makes its own",
	  .needs = "hiredis, and redis-server or valkey-server" },
	{ "mariadb", .keeps = true, .there = harness_mariadb_there, .no_backup = "its own tools",
	  .needs = "libmariadb, mariadb-server-core and mariadb-client-core" },
};

static int run_driver(const struct CMUnitTest *tests, size_t count, const struct harness_driver *row)
{
	struct CMUnitTest mine[TESTS_MAX];

	assert_true(count <= TESTS_MAX);
	for (size_t i = 0; i < count; i++) {
		mine[i] = tests[i];
		mine[i].initial_state = (void *)row;
	}
	/* cmocka's macro wants an array; this is what it stands for. */
	return _cmocka_run_group_tests(row->name, mine, count, NULL, NULL);
}

int harness_run_drivers(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (drivers[i].there && !drivers[i].there())
			printf("%s: skipped, needs %s\n", drivers[i].name, drivers[i].needs);
		else
			failed += run_driver(tests, count, &drivers[i]);
	return failed;
}

static void turn_hook(void *arg)
{
	struct harness *h = arg;

	if (h->store)
		store_turn(h->store);
}

void harness_begin(struct harness *h, const char *driver, const char *target)
{
	*h = (struct harness){ 0 };
	h->why = buf_on(h->why_text, sizeof h->why_text);
	h->loop = loop_new(&h->why);
	assert_non_null(h->loop);
	loop_each_turn(h->loop, turn_hook, h);
	clock_fake_init(&h->clock, HARNESS_NOW);
	snprintf(h->base, sizeof h->base, "/tmp/greylag-store-XXXXXX");
	assert_non_null(mkdtemp(h->base));
	if (target)
		snprintf(h->target, sizeof h->target, "%s", target);
	else
		snprintf(h->target, sizeof h->target, "%s/store", h->base);
	if (strchr(driver, ' ')) {
		snprintf(h->target, sizeof h->target, "%s", topology_shared(driver));
		driver = "valkey";
	} else if (!target && strcmp(driver, "valkey") == 0) {
		harness_server_start(&h->server, h->base, NULL);
		snprintf(h->target, sizeof h->target, "unix:%s/socket", h->base);
	}
	h->options = (struct store_options){ .later_ms = 1000, .deadline_ms = HARNESS_WAIT_S * 1000, .prefix = "test:",
		.driver = driver, .target = h->target, .loop = h->loop, .clock = &h->clock.clock,
		.write_buffer_bytes = (uint64_t)1 << 20, .block_cache_bytes = (uint64_t)1 << 20,
	};
	if (!target && strcmp(driver, "mariadb") == 0) {
		harness_mariadb_database(h->target, sizeof h->target);
		h->options.user = "root";
		h->drop = true;
		if (store_init(&h->options, &h->why) != 0)
			fail_msg("%s", buf_str(&h->why));
	}
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void harness_end(struct harness *h)
{
	harness_close(h);
	loop_free(&h->loop);
	harness_server_stop(&h->server);
	if (h->drop)
		harness_mariadb_drop(h->target);
	nftw(h->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

bool harness_try_open(struct harness *h)
{
	h->store = store_open(&h->options, &h->why);
	return h->store != NULL;
}

void harness_open(struct harness *h)
{
	if (!harness_try_open(h))
		fail_msg("%s", buf_str(&h->why));
}

void harness_close(struct harness *h)
{
	store_close(&h->store);
	assert_null(h->store);
}

void harness_reopen(struct harness *h)
{
	harness_close(h);
	harness_open(h);
}

void harness_turn(struct harness *h)
{
	uint64_t before = harness_now_ms(), took;

	/* What the test itself submitted came outside of a turn. */
	turn_hook(h);
	loop_once(h->loop, 10);
	took = harness_now_ms() - before;
	h->turned_ms += took < 20 ? took : 20;
	h->turns++;
}

uint64_t harness_now_ms(void)
{
	return clock_mono(&clock_system) / CLOCK_NS_PER_MS;
}

void harness_turn_for(struct harness *h, unsigned ms)
{
	uint64_t until = harness_now_ms() + ms;
	bool over;

	/* The last turn begins when the time is over: a stall may have left timers that are due. */
	do {
		over = harness_now_ms() >= until;
		harness_turn(h);
	} while (!over);
}

/* --- Operations that wait -------------------------------------------------- */

struct outcome {
	bool done;
	enum store_status status;
};

static enum store_status wait_for(struct harness *h, struct outcome *o, enum store_status status)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	if (status != STORE_PENDING) {
		assert_false(o->done);
		return status;
	}
	while (!o->done && harness_now_ms() < until)
		harness_turn(h);
	if (!o->done)
		fail_msg("an operation did not complete");
	assert_int_not_equal(o->status, STORE_PENDING);
	return o->status;
}

static void note(struct outcome *o, enum store_status status)
{
	assert_false(o->done);
	*o = (struct outcome){ true, status };
}

static void get_done(struct store_get *op, enum store_status status)
{
	note(op->arg, status);
}

enum store_status harness_try_get(struct harness *h, struct span key, bool *found, struct record *out)
{
	struct outcome o = { 0 };
	struct store_get op = { .count = 1, .keys = { key }, .done = get_done, .arg = &o };
	enum store_status status = wait_for(h, &o, store_get(h->store, &op));

	*found = op.found[0];
	*out = op.records[0];
	return status;
}

bool harness_get(struct harness *h, const char *key, struct record *out)
{
	bool found = false;

	assert_int_equal(harness_try_get(h, span_of(key), &found, out), STORE_DONE);
	return found;
}

void harness_wait_counts(struct harness *h, const char *key, uint64_t counts, struct record *out)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	bool found;

	while (!(found = harness_get(h, key, out)) || out->blocked + out->passed < counts) {
		if (harness_now_ms() > until)
			fail_msg("%s: %llu", key, found ? (unsigned long long)(out->blocked + out->passed) : 0);
		harness_turn(h);
	}
}

static void merge_done(struct store_merge *op, enum store_status status)
{
	note(op->arg, status);
}

enum store_status harness_try_merge(struct harness *h, struct span key, const struct record *delta, bool fresh)
{
	struct outcome o = { 0 };
	struct store_merge op = { .count = 1, .deltas = { { key, *delta, fresh } }, .done = merge_done, .arg = &o };

	return wait_for(h, &o, store_merge(h->store, &op));
}

void harness_merge(struct harness *h, const char *key, struct record delta)
{
	assert_int_equal(harness_try_merge(h, span_of(key), &delta, false), STORE_DONE);
}

static void remove_done(struct store_remove *op, enum store_status status)
{
	note(op->arg, status);
}

void harness_remove(struct harness *h, const char *keys)
{
	struct outcome o = { 0 };
	struct store_remove op = { .keys = span_of(keys), .done = remove_done, .arg = &o };

	assert_int_equal(wait_for(h, &o, store_remove(h->store, &op)), STORE_DONE);
}

static void backup_done(struct store_backup *op, enum store_status status)
{
	note(op->arg, status);
}

enum store_status harness_backup(struct harness *h, const char *directory)
{
	struct outcome o = { 0 };
	struct store_backup op = { .directory = directory, .why = &h->why, .done = backup_done, .arg = &o };

	return wait_for(h, &o, store_backup(h->store, &op));
}

static void scan_done(struct store_scan *op, enum store_status status)
{
	note(op->arg, status);
}

unsigned harness_scan(struct harness *h, const char *prefix, unsigned limit, harness_row_fn *row, void *arg)
{
	static struct record records[STORE_SCAN_MAX];
	char from[KEY_MAX + 1];
	struct store_scan op = { .prefix = span_of(prefix), .limit = limit, .records = records, .done = scan_done };
	unsigned count = 0;

	op.from = buf_on(from, sizeof from);
	op.keys = buf_heap((size_t)STORE_SCAN_MAX * (KEY_MAX + 1));
	do {
		struct outcome o = { 0 };
		struct span keys, key;
		op.arg = &o;
		assert_int_equal(wait_for(h, &o, store_scan(h->store, &op)), STORE_DONE);
		assert_true(op.count <= limit);
		keys = buf_span(&op.keys);
		for (unsigned i = 0; i < op.count; i++) {
			assert_true(span_cut(&keys, '\n', &key));
			if (row)
				row(arg, key, &records[i]);
		}
		assert_int_equal(keys.n, 0);
		count += op.count;
	} while (op.more);
	buf_free(&op.keys);
	return count;
}

/* --- Servers that go and come ---------------------------------------------- */

enum store_status harness_merge_one(struct harness *h, const char *key)
{
	struct record delta = harness_attempt(HARNESS_NOW);

	return harness_try_merge(h, span_of(key), &delta, true);
}

enum store_status harness_get_one(struct harness *h, const char *key)
{
	struct record got;
	bool found;

	return harness_try_get(h, span_of(key), &found, &got);
}

void harness_assert_healthy(struct harness *h)
{
	const char *health = store_health(h->store);

	if (health)
		fail_msg("%s", health);
}

void harness_assert_trouble(struct harness *h, const char *word)
{
	const char *health = store_health(h->store);

	if (!health || !strstr(health, word))
		fail_msg("\"%s\" is not in: %s", word, health ? health : "(healthy)");
}

void harness_wait_healthy(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	while (store_health(h->store) && harness_now_ms() < until)
		harness_turn(h);
	harness_assert_healthy(h);
}

void harness_wait_text(struct harness *h, const char *word)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	const char *health;

	while ((!(health = store_health(h->store)) || !strstr(health, word)) && harness_now_ms() < until)
		harness_turn(h);
	harness_assert_trouble(h, word);
}

void harness_wait_trouble(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	while (!store_health(h->store) && harness_now_ms() < until)
		harness_turn(h);
	assert_non_null(store_health(h->store));
}

/* --- Floods ---------------------------------------------------------------- */

void harness_flood_begin(struct harness_flood *f, unsigned most)
{
	*f = (struct harness_flood){ 0 };
	f->ops = calloc(most, sizeof *f->ops);
	f->keys = calloc(most, sizeof *f->keys);
	assert_true(f->ops && f->keys);
}

static void flood_done(struct store_merge *op, enum store_status status)
{
	struct harness_flood *f = op->arg;

	f->done++;
	f->failed += status != STORE_DONE;
}

void harness_flood_add(struct harness *h, struct harness_flood *f, struct span key,
		       const struct record *delta, bool fresh)
{
	struct store_merge *op = &f->ops[f->count];
	struct key *k = &f->keys[f->count++];

	memcpy(k->text, key.p, key.n);
	k->n = key.n;
	*op = (struct store_merge){ .count = 1, .done = flood_done, .arg = f };
	op->deltas[0] = (struct store_delta){ key_span(k), *delta, fresh };
	enum store_status status = store_merge(h->store, op);
	if (status != STORE_PENDING)
		flood_done(op, status);
	if (f->count % 64 == 0) {
		turn_hook(h);
		loop_once(h->loop, 0);
	}
}

void harness_flood_end(struct harness *h, struct harness_flood *f)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	while (f->done < f->count && harness_now_ms() < until)
		harness_turn(h);
	assert_int_equal(f->done, f->count);
	free(f->ops);
	free(f->keys);
}

void harness_fill(struct harness *h, unsigned from, unsigned to)
{
	struct harness_flood f;
	char name[32];

	harness_flood_begin(&f, to - from);
	for (unsigned i = from; i < to; i++) {
		struct record delta = harness_attempt(HARNESS_NOW);
		int n = snprintf(name, sizeof name, "a key%06u", i);
		harness_flood_add(h, &f, span_make(name, (size_t)n), &delta, true);
	}
	harness_flood_end(h, &f);
	assert_int_equal(f.failed, 0);
}

/* --- Values ---------------------------------------------------------------- */

struct record harness_attempt(int64_t seen)
{
	return (struct record){ .first_seen = seen, .last_seen = seen, .expires = seen + 172800, .blocked = 1 };
}

void harness_triplet(struct key *k, const char *identity, unsigned n)
{
	char from[40], to[40];

	int a = snprintf(from, sizeof from, "s%u@example.org", n);
	int b = snprintf(to, sizeof to, "r%u@example.net", n);
	assert_true(key_triplet(k, span_of(identity), span_make(from, (size_t)a), span_make(to, (size_t)b)));
}

void harness_wait_census(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	do
		harness_turn(h);
	while (store_census_busy(h->store) && harness_now_ms() < until);
	assert_false(store_census_busy(h->store));
}

void harness_assert_record(const struct record *a, const struct record *b)
{
	assert_int_equal(a->generation, b->generation);
	assert_int_equal(a->first_seen, b->first_seen);
	assert_int_equal(a->last_seen, b->last_seen);
	assert_int_equal(a->passed_at, b->passed_at);
	assert_int_equal(a->expires, b->expires);
	assert_int_equal(a->blocked, b->blocked);
	assert_int_equal(a->passed, b->passed);
	assert_int_equal(a->held_until, b->held_until);
	assert_int_equal(a->held_for, b->held_for);
	assert_int_equal(a->strikes, b->strikes);
}

uint64_t harness_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Mostly small numbers, which meet, and the greatest of each field. */
static uint64_t random_value(uint64_t *seed, uint64_t most)
{
	switch (harness_random(seed) % 6) {
	case 0: return 0;
	case 1: return most;
	case 2: return most - harness_random(seed) % 3;
	case 3: return harness_random(seed) % (most + 1);
	default: return harness_random(seed) % 5;
	}
}

struct record harness_random_record(uint64_t *seed)
{
	const uint64_t time = ((uint64_t)1 << 40) - 1, count = ((uint64_t)1 << 48) - 1;

	return (struct record){
		.generation = (uint32_t)(harness_random(seed) % 8 ? harness_random(seed) % 2 : random_value(seed, UINT32_MAX)),
		.first_seen = (int64_t)random_value(seed, time), .last_seen = (int64_t)random_value(seed, time),
		.passed_at = (int64_t)random_value(seed, time), .expires = (int64_t)random_value(seed, time),
		.blocked = random_value(seed, count), .passed = random_value(seed, count),
		.held_until = (int64_t)random_value(seed, time), .held_for = (uint8_t)(harness_random(seed) % HOLD_COUNT),
		.strikes = (uint32_t)random_value(seed, UINT16_MAX),
	};
}

void harness_password_file(const struct harness *h, char path[128], const char *password)
{
	snprintf(path, 128, "%s/password", h->base);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", password);
	fclose(f);
}
