/* Any number of writers may apply deltas in any order (DESIGN section 4): the same random
 * deltas, dealt out to several writers in several ways, give on every driver what merging
 * them one after the other gives.
 *
 *   test_store_writers                          all drivers of this machine
 *   test_store_writers USER PASSWORDFILE TARGET...   mariadb on servers that are there */
#include "harness.h"

#include <string.h>

enum { WRITERS = 4, KEYS = 50, EACH = 30, DELTAS = KEYS * EACH, ORDERS = 4 };

struct dealt {
	unsigned key;
	struct record delta;
};

struct writer {
	struct store *store;
	const struct dealt *deltas[DELTAS];	/* its own, in its order */
	unsigned count, sent, most;		/* most: deltas of one operation */
	struct store_merge ops[DELTAS];
	unsigned done, failed, used;
};

static struct dealt deltas[DELTAS];
static struct record expected[KEYS];
static char names[ORDERS][KEYS][24];
static struct writer writers[WRITERS];

/* As a store holds it: what is over a field's width is cut. */
static struct record stored(const struct record *r)
{
	unsigned char bytes[RECORD_SIZE];
	struct record out;

	record_encode(r, bytes);
	assert_true(record_decode(span_make((const char *)bytes, sizeof bytes), &out));
	return out;
}

/* Also deltas of nothing, and fields that are 0. */
static void make_deltas(uint64_t seed)
{
	memset(expected, 0, sizeof expected);
	for (unsigned i = 0; i < DELTAS; i++) {
		struct record r = harness_random_record(&seed);
		if (harness_random(&seed) % 20 == 0)
			r = (struct record){ 0 };
		deltas[i] = (struct dealt){ i % KEYS, r };
		record_merge(&expected[i % KEYS], &r);
	}
}

static void deal(uint64_t *seed)
{
	const struct dealt *shuffled[DELTAS];

	for (unsigned i = 0; i < DELTAS; i++) {
		unsigned j = (unsigned)(harness_random(seed) % (i + 1));
		shuffled[i] = shuffled[j];
		shuffled[j] = &deltas[i];
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i].count = writers[i].sent = writers[i].done = writers[i].failed = writers[i].used = 0;
		writers[i].most = 1 + (unsigned)(harness_random(seed) % STORE_MERGE_MAX);
	}
	for (unsigned i = 0; i < DELTAS; i++) {
		struct writer *w = &writers[harness_random(seed) % WRITERS];
		w->deltas[w->count++] = shuffled[i];
	}
}

static void merged(struct store_merge *op, enum store_status status)
{
	struct writer *w = op->arg;

	w->done++;
	w->failed += status != STORE_DONE;
}

/* The writer's next delta or deltas. */
static void write_next(struct writer *w, unsigned order, uint64_t *seed)
{
	const struct dealt *d = w->deltas[w->sent];

	if (harness_random(seed) % 4 == 0) {
		store_merge_later(w->store, span_of(names[order][d->key]), &d->delta);
		w->sent++;
		return;
	}
	struct store_merge *op = &w->ops[w->used++];
	*op = (struct store_merge){ .done = merged, .arg = w };
	while (op->count < w->most && w->sent < w->count) {
		d = w->deltas[w->sent++];
		op->deltas[op->count++] = (struct store_delta){ span_of(names[order][d->key]), d->delta, false };
	}
	enum store_status status = store_merge(w->store, op);
	if (status != STORE_PENDING)
		merged(op, status);
}

static void turn(struct harness *h)
{
	for (unsigned i = 0; i < WRITERS; i++)
		if (writers[i].store)
			store_turn(writers[i].store);
	loop_once(h->loop, 1);
}

static void write_all(struct harness *h, unsigned order, uint64_t *seed)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	for (bool more = true; more; ) {
		more = false;
		for (unsigned i = 0; i < WRITERS; i++)
			if (writers[i].sent < writers[i].count) {
				write_next(&writers[i], order, seed);
				more = true;
			}
		if (harness_random(seed) % 20 == 0)
			turn(h);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		while (writers[i].done < writers[i].used && harness_now_ms() < until)
			turn(h);
		assert_int_equal(writers[i].done, writers[i].used);
		assert_int_equal(writers[i].failed, 0);
	}
}

/* What nobody waits for is on its way still. */
static bool is_there(struct harness *h, const char *key, const struct record *wanted, struct record *got)
{
	unsigned char a[RECORD_SIZE], b[RECORD_SIZE];

	if (!harness_get(h, key, got))
		return false;
	record_encode(got, a);
	record_encode(wanted, b);
	return memcmp(a, b, sizeof a) == 0;
}

static void check_all(struct harness *h, unsigned order)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	struct record got = { 0 };

	for (unsigned k = 0; k < KEYS; k++) {
		struct record wanted = stored(&expected[k]);
		while (!is_there(h, names[order][k], &wanted, &got) && harness_now_ms() < until)
			turn(h);
		harness_assert_record(&got, &wanted);
	}
}

/* The embedded stores have one writer in one process: there all are the same. */
static void open_writers(struct harness *h, unsigned targets, char **target)
{
	h->options.later_ms = 50;
	for (unsigned i = 0; i < WRITERS; i++) {
		if (targets)
			h->options.target = target[i % targets];
		if (i == 0)
			harness_open(h);
		bool alone = !store_shared(h->store);
		writers[i].store = alone || i == 0 ? h->store : store_open(&h->options, &h->why);
		assert_non_null(writers[i].store);
		store_trust_clock(writers[i].store, false);
	}
}

static void play(struct harness *h, unsigned targets, char **target)
{
	uint64_t seed = 20261121;

	make_deltas(7);
	open_writers(h, targets, target);
	for (unsigned order = 0; order < ORDERS; order++) {
		for (unsigned k = 0; k < KEYS; k++)
			snprintf(names[order][k], sizeof names[order][k], "a o%u k%u", order, k);
		deal(&seed);
		write_all(h, order, &seed);
		check_all(h, order);
	}
	for (unsigned i = 1; i < WRITERS; i++) {
		if (writers[i].store != h->store)
			store_close(&writers[i].store);
		writers[i].store = NULL;
	}
	/* Nor does what stopping writes change anything. */
	for (unsigned order = 0; order < ORDERS; order++)
		check_all(h, order);
}

static void test_any_order(void **state)
{
	const struct harness_driver *driver = *state;
	struct harness h;

	harness_begin(&h, driver->name, NULL);
	play(&h, 0, NULL);
	harness_end(&h);
}

struct servers {
	char *user, *password_file, **targets;
	unsigned count;
};

static void test_servers(void **state)
{
	const struct servers *s = *state;
	struct harness h;

	harness_begin(&h, "mariadb", s->targets[0]);
	h.options.user = s->user;
	h.options.password_file = s->password_file;
	play(&h, s->count, s->targets);
	harness_end(&h);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_any_order) };

	if (argc < 4)
		return harness_run_drivers(tests, 1);
	struct servers servers = { argv[1], argv[2], argv + 3, (unsigned)argc - 3 };
	const struct CMUnitTest one[] = { cmocka_unit_test_prestate(test_servers, &servers) };
	return cmocka_run_group_tests(one, NULL, NULL);
}
