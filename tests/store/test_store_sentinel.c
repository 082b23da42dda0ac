/* The driver valkey behind sentinels: the primary goes, another takes its place. */
#include "topology.h"

#include <signal.h>

#define DEADLINE_MS 300

static void begin(struct harness *h, struct topology *t)
{
	topology_sentinels(t, NULL);
	harness_begin(h, "valkey", t->target);
	h->options.target = t->target;
	h->options.deadline_ms = DEADLINE_MS;
	harness_open(h);
	harness_assert_healthy(h);
}

static void end(struct harness *h, struct topology *t)
{
	harness_end(h);
	topology_end(t);
}

static unsigned merge_many(struct harness *h, const char *kind, unsigned count)
{
	unsigned done = 0;
	char key[40];

	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof key, "a %s%u", kind, i);
		done += harness_merge_one(h, key) == STORE_DONE;
	}
	return done;
}

static unsigned count_found(struct harness *h, const char *kind, unsigned count)
{
	unsigned found = 0;
	struct record got;
	char key[40];

	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof key, "a %s%u", kind, i);
		found += harness_get(h, key, &got);
	}
	return found;
}

/* What was acknowledged and had time to reach the replica is there afterwards. */
static void test_primary_killed(void **state)
{
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	assert_int_equal(merge_many(&h, "before", 500), 500);
	topology_await(&t, 1, "DBSIZE", ":500");
	topology_stop(&t, 0);
	harness_wait_trouble(&h);
	uint64_t before = harness_now_ms();
	assert_int_equal(merge_many(&h, "meanwhile", 100), 0);
	assert_true(harness_now_ms() - before < 200);
	harness_wait_healthy(&h);
	assert_non_null(strstr(topology_ask(&t, 1, "ROLE"), "master"));
	assert_int_equal(count_found(&h, "before", 500), 500);
	assert_int_equal(merge_many(&h, "after", 100), 100);
	harness_assert_healthy(&h);
	assert_int_equal(count_found(&h, "after", 100), 100);
	end(&h, &t);
}

/* It hangs, is replaced, and wakes up believing that it is the primary. */
static void test_primary_hangs(void **state)
{
	struct topology t;
	struct harness h;
	struct record got;

	(void)state;
	begin(&h, &t);
	assert_int_equal(merge_many(&h, "before", 100), 100);
	topology_await(&t, 1, "DBSIZE", ":100");
	topology_signal(&t, 0, SIGSTOP);
	assert_int_equal(harness_merge_one(&h, "a lost"), STORE_FAILED);
	harness_wait_healthy(&h);
	topology_signal(&t, 0, SIGCONT);
	assert_int_equal(merge_many(&h, "after", 300), 300);
	topology_await(&t, 0, "ROLE", "slave");
	harness_turn_for(&h, 1500);
	harness_assert_healthy(&h);
	assert_int_equal(count_found(&h, "before", 100), 100);
	assert_int_equal(count_found(&h, "after", 300), 300);
	/* What it had not answered was not acknowledged, and is not there. */
	assert_false(harness_get(&h, "a lost", &got));
	end(&h, &t);
}

/* Asked for: the primary becomes a replica while it works, and refuses to write. */
static void test_failover_on_demand(void **state)
{
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	assert_int_equal(merge_many(&h, "before", 100), 100);
	topology_await(&t, 1, "DBSIZE", ":100");
	topology_await(&t, 2, "SENTINEL FAILOVER mx", "+OK");
	uint64_t until = harness_now_ms() + 15000;
	while (!strstr(topology_ask(&t, 0, "ROLE"), "slave") && harness_now_ms() < until)
		harness_turn_for(&h, 20);
	harness_turn_for(&h, 1500);
	harness_wait_healthy(&h);
	assert_int_equal(merge_many(&h, "after", 100), 100);
	topology_await(&t, 1, "ROLE", "master");
	topology_await(&t, 1, "DBSIZE", ":200");
	end(&h, &t);
}

/* Sentinels go, too: one is enough; without any the primary is still there. */
static void test_sentinels_go(void **state)
{
	struct topology t;
	struct harness h;

	(void)state;
	begin(&h, &t);
	for (unsigned i = 2; i < 5; i++)
		topology_stop(&t, i);
	harness_turn_for(&h, 1500);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_assert_healthy(&h);
	/* Started without any it has nobody to ask, and finds the first that comes. */
	harness_close(&h);
	harness_open(&h);
	harness_assert_trouble(&h, "cannot be reached");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	topology_start(&t, 4);
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	end(&h, &t);
}

static void test_wrong_name(void **state)
{
	char target[128];
	struct topology t;
	struct harness h;

	(void)state;
	topology_sentinels(&t, NULL);
	snprintf(target, sizeof target, "sentinel:other@127.0.0.1:%u", t.servers[2].port);
	harness_begin(&h, "valkey", target);
	harness_open(&h);
	harness_assert_trouble(&h, "No such master with that name");
	harness_close(&h);
	/* A server is no sentinel, and is not taken for the primary. */
	snprintf(target, sizeof target, "sentinel:mx@127.0.0.1:%u", t.servers[0].port);
	h.options.target = target;
	harness_open(&h);
	harness_assert_trouble(&h, "unknown command");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	end(&h, &t);
}

static void test_password(void **state)
{
	struct topology t;
	struct harness h;
	char path[128];

	(void)state;
	topology_sentinels(&t, "sesame");
	harness_begin(&h, "valkey", t.target);
	snprintf(path, sizeof path, "%s/password", h.base);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs("sesame\n", f);
	fclose(f);
	h.options.target = t.target;
	h.options.password_file = path;
	harness_open(&h);
	harness_assert_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	end(&h, &t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primary_killed), cmocka_unit_test(test_primary_hangs),
		cmocka_unit_test(test_failover_on_demand), cmocka_unit_test(test_sentinels_go),
		cmocka_unit_test(test_wrong_name), cmocka_unit_test(test_password),
	};

	if (harness_server_there())
		return cmocka_run_group_tests_name("valkey, sentinels", tests, NULL, NULL);
	printf("valkey: skipped, needs redis-server or valkey-server\n");
	return 0;
}
