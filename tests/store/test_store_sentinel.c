/* The driver valkey behind sentinels: the primary goes, another takes its place. */
#include "topology.h"

#include <signal.h>

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */

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

/* Only now the sentinels may take for dead what is silent. */
static void fail_over(struct harness *h, struct topology *t)
{
	topology_silence(t, TOPOLOGY_SILENCE_MS);
	harness_wait_healthy(h);
	topology_silence(t, TOPOLOGY_NEVER_MS);
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

static void kept(struct store_merge *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static enum store_status merge_kept(struct harness *h, const char *key)
{
	enum store_status status = STORE_PENDING;
	struct store_merge op = { .count = 1, .keep = true, .done = kept, .arg = &status };

	op.deltas[0] = (struct store_delta){ span_of(key), harness_attempt(HARNESS_NOW), true };
	enum store_status now = store_merge(h->store, &op);
	while (now == STORE_PENDING && status == STORE_PENDING)
		harness_turn(h);
	return now == STORE_PENDING ? status : now;
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
	/* Within the call: nobody waits. */
	uint64_t before = harness_now_ms();
	unsigned turns = h.turns;
	assert_int_equal(merge_many(&h, "meanwhile", 100), 0);
	assert_int_equal(h.turns, turns);
	assert_true(harness_now_ms() - before < 5000);
	fail_over(&h, &t);
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
	fail_over(&h, &t);
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

/* Mail goes on all the time: with the journal nothing is missing afterwards but what
 * the primary had acknowledged and not yet handed to its replica. */
static void test_mail_goes_on(void **state)
{
	unsigned acknowledged = 0, missing = 0, n = 0;
	struct store_stats stats = { 0 };
	struct record got;
	struct topology t;
	struct harness h;
	char key[40];

	(void)state;
	begin(&h, &t);
	uint64_t start = harness_now_ms(), killed = 0;
	for (bool over = false; !over && harness_now_ms() - start < HARNESS_WAIT_S * 1000; n++) {
		snprintf(key, sizeof key, "a mail%u", n);
		acknowledged += merge_kept(&h, key) == STORE_DONE;
		harness_turn_for(&h, 2);
		store_stats(h.store, &stats);
		if (!killed && acknowledged == 300) {
			topology_stop(&t, 0);
			topology_silence(&t, TOPOLOGY_SILENCE_MS);
			killed = n;
		}
		over = killed && n > killed + 300 && !store_health(h.store) && stats.journal_waiting == 0;
	}
	assert_int_equal(stats.journal_waiting + stats.journal_dropped, 0);
	assert_true(acknowledged < n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof key, "a mail%u", i);
		if (!harness_get(&h, key, &got))
			missing++;
		else
			assert_in_range(got.blocked, 0, 1);
	}
	/* A millisecond or two of replication; the mails here come at that pace. */
	assert_in_range(missing, 0, 5);
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
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	while (!strstr(topology_ask(&t, 0, "ROLE"), "slave") && harness_now_ms() < until)
		harness_turn_for(&h, 20);
	/* That primary is one no more: whoever takes a write is the other. */
	while (harness_merge_one(&h, "a before0") != STORE_DONE && harness_now_ms() < until)
		harness_turn_for(&h, 20);
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
	harness_wait_text(&h, "cannot be reached");
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
	harness_wait_text(&h, "No such master with that name");
	harness_close(&h);
	/* A server is no sentinel, and is not taken for the primary. */
	snprintf(target, sizeof target, "sentinel:mx@127.0.0.1:%u", t.servers[0].port);
	h.options.target = target;
	harness_open(&h);
	harness_wait_text(&h, "unknown command");
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
		cmocka_unit_test(test_mail_goes_on), cmocka_unit_test(test_failover_on_demand), cmocka_unit_test(test_sentinels_go),
		cmocka_unit_test(test_wrong_name), cmocka_unit_test(test_password),
	};

	if (harness_server_there())
		return cmocka_run_group_tests_name("valkey, sentinels", tests, NULL, NULL);
	printf("valkey: skipped, needs redis-server or valkey-server\n");
	return 0;
}
