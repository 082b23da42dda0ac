/* The driver valkey on a cluster of six servers: three primaries, three replicas. */
#include "topology.h"

#include <signal.h>

#include "store/valkey_slot.h"

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */
#define KEYS 300

static void begin(struct harness *h, struct topology *t)
{
	topology_cluster(t);
	harness_begin(h, "valkey", t->target);
	h->options.deadline_ms = DEADLINE_MS;
	harness_open(h);
	harness_assert_healthy(h);
}

static void end(struct harness *h, struct topology *t)
{
	harness_end(h);
	topology_end(t);
}

static void assert_counts(struct harness *h, unsigned count, uint64_t blocked)
{
	char key[32];

	for (unsigned i = 0; i < count; i++) {
		struct record got;
		snprintf(key, sizeof key, "a key%06u", i);
		assert_true(harness_get(h, key, &got));
		assert_int_equal(got.blocked, blocked);
	}
}

static unsigned size_of(const struct topology *t, unsigned server)
{
	unsigned size = 0;

	assert_int_equal(sscanf(topology_ask(t, server, "DBSIZE"), ":%u", &size), 1);
	return size;
}

static void test_slots(void **state)
{
	static const struct { char prefix[10], key[16]; unsigned slot; } rows[] = {
		{ "", "foo", 12182 }, { "", "123456789", 0x31c3 }, { "", "foo{}{bar}", 8363 }, { "", "foo{{bar}}zap", 4015 },
		{ "f", "oo", 12182 }, { "x{fo", "o}y", 12182 }, { "", "{foo", 13308 }, { "{foo}", "", 12182 },
	};
	char command[100], expected[20];
	struct topology t;

	(void)state;
	topology_cluster(&t);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned slot = valkey_slot(span_of(rows[i].prefix), span_of(rows[i].key));
		snprintf(command, sizeof command, "CLUSTER KEYSLOT %s%s", rows[i].prefix, rows[i].key);
		snprintf(expected, sizeof expected, ":%u\r\n", slot);
		assert_string_equal(topology_ask(&t, 0, command), expected);
	}
	topology_end(&t);
}

/* Keys of all servers at once. */
static void got_five(struct store_get *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	*(bool *)op->arg = true;
}

static void merged_four(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_DONE);
	*(bool *)op->arg = true;
}

static void test_spread(void **state)
{
	static const char *const keys[] = { "a one", "a two", "a {three} {}", "t four five six", "a none" };
	struct record delta = harness_attempt(HARNESS_NOW);
	bool merged = false, got = false;
	struct store_stats stats;
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	struct store_merge merge = { .count = 4, .done = merged_four, .arg = &merged };
	struct store_get get = { .count = 5, .done = got_five, .arg = &got };
	for (unsigned i = 0; i < 5; i++) {
		get.keys[i] = span_of(keys[i]);
		if (i < 4)
			merge.deltas[i] = (struct store_delta){ span_of(keys[i]), delta, true };
	}
	assert_int_equal(store_merge(h.store, &merge), STORE_PENDING);
	assert_int_equal(store_get(h.store, &get), STORE_PENDING);
	while (!merged || !got)
		harness_turn(&h);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(get.found[i], i < 4);
	harness_fill(&h, 0, KEYS);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(size_of(&t, i), KEYS / 6, KEYS);
	assert_int_equal(harness_scan(&h, "a key", 70, NULL, NULL), KEYS);
	harness_turn_for(&h, 2500);
	store_stats(h.store, &stats);
	assert_int_equal(stats.records, KEYS + 4);
	harness_remove(&h, "a one\na key000001\na key000002\na key000003\n");
	assert_int_equal(harness_scan(&h, "a ", 70, NULL, NULL), KEYS + 3 - 4);
	end(&h, &t);
}

/* One of the primaries goes: the others' keys go on, its own come back with its replica. */
static void test_primary_killed(void **state)
{
	unsigned others = 0;
	struct topology t;
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, &t);
	harness_fill(&h, 0, KEYS);
	for (unsigned i = 0; i < 3; i++) {
		char size[16];
		snprintf(size, sizeof size, ":%u\r\n", size_of(&t, i));
		topology_await(&t, i + 3, "DBSIZE", size);
	}
	topology_stop(&t, 1);
	harness_wait_trouble(&h);
	uint64_t before = harness_now_ms(), turned = h.turned_ms;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(key, sizeof key, "a other%u", i);
		unsigned slot = valkey_slot(span_of("test:"), span_of(key));
		bool lost = slot >= 5461 && slot <= 10922;
		assert_int_equal(harness_merge_one(&h, key), lost ? STORE_FAILED : STORE_DONE);
		others += !lost;
	}
	assert_in_range(others, 20, 55);
	assert_in_range(h.turned_ms - turned, 0, 2000);
	assert_true(harness_now_ms() - before < 20000);
	topology_silence(&t, TOPOLOGY_SILENCE_MS);
	harness_wait_healthy(&h);
	topology_await(&t, 4, "ROLE", "master");
	topology_silence(&t, TOPOLOGY_NEVER_MS);
	assert_counts(&h, KEYS, 1);
	harness_fill(&h, 0, KEYS);
	/* It comes back as a replica. */
	topology_start(&t, 1);
	topology_await(&t, 1, "ROLE", "slave");
	topology_await(&t, 1, "INFO replication", "master_link_status:up");
	harness_turn_for(&h, 500);
	assert_counts(&h, KEYS, 2);
	harness_assert_healthy(&h);
	end(&h, &t);
}

static void test_primary_hangs(void **state)
{
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	harness_fill(&h, 0, KEYS);
	for (unsigned i = 0; i < 3; i++) {
		char size[16];
		snprintf(size, sizeof size, ":%u\r\n", size_of(&t, i));
		topology_await(&t, i + 3, "DBSIZE", size);
	}
	topology_signal(&t, 2, SIGSTOP);
	harness_wait_trouble(&h);
	topology_silence(&t, TOPOLOGY_SILENCE_MS);
	harness_wait_healthy(&h);
	topology_silence(&t, TOPOLOGY_NEVER_MS);
	topology_signal(&t, 2, SIGCONT);
	assert_counts(&h, KEYS, 1);
	topology_await(&t, 2, "ROLE", "slave");
	harness_fill(&h, 0, KEYS);
	assert_counts(&h, KEYS, 2);
	end(&h, &t);
}

static void id_of(const struct topology *t, unsigned server, char id[41])
{
	snprintf(id, 41, "%.40s", topology_ask(t, server, "CLUSTER MYID") + 5);
}

/* A slot on its way from one server to another (ASK), and when it has arrived (MOVED). */
static void test_slot_moves(void **state)
{
	char key[40] = "", command[120], from[41], to[41];
	struct record got;
	struct topology t;
	struct harness h;
	unsigned slot = VALKEY_SLOTS, n;

	(void)state;
	begin(&h, &t);
	for (n = 0; slot > 5460; n++) {
		snprintf(key, sizeof key, "a moving%u", n);
		slot = valkey_slot(span_of("test:"), span_of(key));
	}
	id_of(&t, 0, from);
	id_of(&t, 1, to);
	snprintf(command, sizeof command, "CLUSTER SETSLOT %u IMPORTING %s", slot, from);
	topology_await(&t, 1, command, "+OK");
	snprintf(command, sizeof command, "CLUSTER SETSLOT %u MIGRATING %s", slot, to);
	topology_await(&t, 0, command, "+OK");
	/* New there: it is made at its new place. */
	assert_int_equal(harness_merge_one(&h, key), STORE_DONE);
	assert_int_equal(size_of(&t, 1), 1);
	assert_true(harness_get(&h, key, &got));
	for (unsigned i = 1; i < 3; i++) {
		snprintf(command, sizeof command, "CLUSTER SETSLOT %u NODE %s", slot, to);
		topology_await(&t, i, command, "+OK");
	}
	topology_await(&t, 0, command, "+OK");
	assert_int_equal(harness_merge_one(&h, key), STORE_DONE);
	assert_true(harness_get(&h, key, &got));
	assert_int_equal(got.blocked, 2);
	assert_int_equal(size_of(&t, 1), 1);
	harness_turn_for(&h, 800);
	assert_int_equal(harness_merge_one(&h, key), STORE_DONE);
	harness_assert_healthy(&h);
	end(&h, &t);
}

/* Slots that nobody has, scripts that are forgotten, servers that are no cluster. */
static void test_not_whole(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	for (unsigned i = 0; i < 3; i++)
		topology_ask(&t, i, "SCRIPT FLUSH");
	harness_fill(&h, 0, KEYS);
	assert_counts(&h, KEYS, 1);
	for (unsigned i = 0; i < 100; i++)
		store_merge_later(h.store, span_of(i % 2 ? "a key000000" : "a key000001"), &delta);
	harness_wait_counts(&h, "a key000001", 51, &got);
	assert_int_equal(got.blocked, 51);
	for (unsigned i = 0; i < 3; i++)
		topology_ask(&t, i, "CLUSTER DELSLOTS 7");
	harness_close(&h);
	harness_open(&h);
	harness_wait_text(&h, "no server");
	for (unsigned i = 0; i < 3; i++)
		topology_ask(&t, i, i == 0 ? "CLUSTER ADDSLOTS 7" : "PING");
	harness_wait_healthy(&h);
	end(&h, &t);
	harness_begin(&h, "valkey", NULL);
	h.options.target = "cluster:127.0.0.1:1";
	harness_open(&h);
	harness_wait_text(&h, "cannot be reached");
	h.options.database = 1;
	harness_close(&h);
	assert_false(harness_try_open(&h));
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots), cmocka_unit_test(test_spread), cmocka_unit_test(test_primary_killed),
		cmocka_unit_test(test_primary_hangs), cmocka_unit_test(test_slot_moves), cmocka_unit_test(test_not_whole),
	};

	if (harness_server_there())
		return cmocka_run_group_tests_name("valkey, a cluster", tests, NULL, NULL);
	printf("valkey: skipped, needs redis-server or valkey-server\n");
	return 0;
}
