/* What could not be stored while a database was away, and comes to it afterwards: each
 * delta once where it is known whether it was merged, its times in any case. */
#include "harness.h"

#include <signal.h>
#include <unistd.h>

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */

enum { MANY = 3000 };

struct sent {
	struct store_merge ops[MANY];
	struct key keys[MANY];
	enum store_status status[MANY];
	unsigned count, acknowledged, unmerged;
};

static struct sent sent;

static void begin(struct harness *h, const char *journal)
{
	harness_begin(h, "mariadb", NULL);
	h->options.deadline_ms = DEADLINE_MS;
	h->options.journal = journal;
	harness_open(h);
	sent.count = sent.acknowledged = sent.unmerged = 0;
}

static void done(struct store_merge *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static void send_one(struct harness *h, const char *key)
{
	struct store_merge *op = &sent.ops[sent.count];
	struct key *k = &sent.keys[sent.count];
	enum store_status *status = &sent.status[sent.count++];

	k->n = (size_t)snprintf(k->text, sizeof k->text, "%s", key);
	*status = STORE_PENDING;
	*op = (struct store_merge){ .count = 1, .keep = true, .done = done, .arg = status };
	op->deltas[0] = (struct store_delta){ key_span(k), harness_attempt(HARNESS_NOW), true };
	enum store_status now = store_merge(h->store, op);
	if (now != STORE_PENDING)
		*status = now;
}

static void wait_answers(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	for (unsigned i = 0; i < sent.count; i++) {
		while (sent.status[i] == STORE_PENDING && harness_now_ms() < until)
			harness_turn(h);
		assert_int_not_equal(sent.status[i], STORE_PENDING);
		sent.acknowledged += sent.status[i] == STORE_DONE;
		sent.unmerged += sent.status[i] == STORE_FAILED && sent.ops[i].unmerged;
	}
}

static struct store_stats stats_of(struct harness *h)
{
	struct store_stats stats;

	store_stats(h->store, &stats);
	return stats;
}

static void wait_merged(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	harness_wait_healthy(h);
	while (stats_of(h).journal_waiting && harness_now_ms() < until)
		harness_turn(h);
	assert_int_equal(stats_of(h).journal_waiting, 0);
	assert_int_equal(stats_of(h).journal_dropped, 0);
}

static uint64_t blocked(struct harness *h, const char *key)
{
	struct record got;

	assert_true(harness_get(h, key, &got));
	assert_int_equal(got.first_seen, HARNESS_NOW);
	return got.blocked;
}

static void test_kept_and_merged(void **state)
{
	struct record renewal = { .last_seen = HARNESS_NOW + 5, .passed = 1 }, got;
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, NULL);
	send_one(&h, "a key");
	wait_answers(&h);
	assert_int_equal(sent.acknowledged, 1);
	harness_mariadb_stop();
	harness_wait_trouble(&h);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "a key%u", i);
		send_one(&h, key);
		send_one(&h, "a key");
	}
	/* Who is told that it failed may not be surprised later. */
	assert_int_equal(harness_merge_one(&h, "a told"), STORE_FAILED);
	store_merge_later(h.store, span_of("a key7"), &renewal);
	harness_turn_for(&h, 1200);
	assert_int_equal(stats_of(&h).journal_waiting, 501);
	harness_mariadb_start();
	wait_merged(&h);
	assert_int_equal(blocked(&h, "a key"), 501);
	assert_int_equal(blocked(&h, "a key7"), 1);
	assert_true(harness_get(&h, "a key7", &got));
	assert_int_equal(got.passed, 1);
	assert_int_equal(got.last_seen, HARNESS_NOW + 5);
	assert_false(harness_get(&h, "a told", &got));
	assert_int_equal(stats_of(&h).journal_merged, 501);
	assert_int_equal(stats_of(&h).later_dropped, 0);
	harness_end(&h);
}

/* A server that hangs executes what it was sent when it wakes up, or does not. What was
 * queued behind that is known not to have been sent. */
static void test_hangs_under_way(void **state)
{
	struct harness h;

	(void)state;
	begin(&h, NULL);
	harness_mariadb_signal(SIGSTOP);
	for (unsigned i = 0; i < MANY; i++)
		send_one(&h, "a key");
	wait_answers(&h);
	assert_int_equal(sent.acknowledged, 0);
	assert_true(sent.unmerged > 0);
	assert_true(sent.unmerged < MANY);
	harness_mariadb_signal(SIGCONT);
	wait_merged(&h);
	assert_in_range(blocked(&h, "a key"), sent.unmerged, MANY);
	harness_end(&h);
}

/* Killed under load: what was acknowledged and what was not sent is there, all of it once. */
static void test_killed_under_way(void **state)
{
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		if (i % 2) {
			send_one(&h, "a key");
		} else {
			snprintf(key, sizeof key, "a key%u", i);
			send_one(&h, key);
		}
		if (i % 64 == 0)
			harness_turn(&h);
		if (i == MANY / 2)
			harness_mariadb_signal(SIGKILL);
	}
	wait_answers(&h);
	harness_mariadb_stop();
	harness_mariadb_start();
	wait_merged(&h);
	uint64_t sum = blocked(&h, "a key");
	for (unsigned i = 0; i < MANY; i += 2) {
		uint64_t one = blocked(&h, sent.keys[i].text);
		bool certain = sent.status[i] == STORE_DONE || sent.ops[i].unmerged;
		assert_in_range(one, certain ? 1 : 0, 1);
		sum += one;
	}
	assert_in_range(sum, sent.acknowledged + sent.unmerged, MANY);
	harness_end(&h);
}

/* Deltas that nobody waits for, some of which a worker has when the server is killed. */
static void test_renewals(void **state)
{
	struct record delta = { .passed = 1 }, got;
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, NULL);
	harness_fill(&h, 0, 1000);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "a key%06u", i % 1000);
		delta.last_seen = HARNESS_NOW + i;
		store_merge_later(h.store, span_of(key), &delta);
		if (i == 2000)
			harness_turn_for(&h, 1010);
		if (i == 2100)
			harness_mariadb_stop();
	}
	harness_turn_for(&h, 1100);
	harness_mariadb_start();
	wait_merged(&h);
	harness_turn_for(&h, 1100);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "a key%06u", i);
		assert_true(harness_get(&h, key, &got));
		assert_in_range(got.passed, 1, 5);
		assert_int_equal(got.last_seen, HARNESS_NOW + 4000 + i);
	}
	assert_int_equal(stats_of(&h).later_dropped, 0);
	harness_end(&h);
}

/* A database that takes nothing, because of its rights or a full disk, is no other case. */
static void test_refuses(void **state)
{
	char sql[400];
	struct harness h;

	(void)state;
	begin(&h, NULL);
	snprintf(sql, sizeof sql, "CREATE TRIGGER %s.no BEFORE INSERT ON %s.greylag_records FOR EACH ROW "
		 "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'", strrchr(h.target, '/') + 1, strrchr(h.target, '/') + 1);
	harness_mariadb_ask(sql);
	for (unsigned i = 0; i < 100; i++)
		send_one(&h, i % 2 ? "a key" : "b key");
	wait_answers(&h);
	assert_int_equal(sent.unmerged, 100);
	harness_turn_for(&h, 2500);
	assert_int_equal(stats_of(&h).journal_waiting, 2);
	snprintf(sql, sizeof sql, "DROP TRIGGER %s.no", strrchr(h.target, '/') + 1);
	harness_mariadb_ask(sql);
	wait_merged(&h);
	assert_int_equal(blocked(&h, "a key"), 50);
	assert_int_equal(blocked(&h, "b key"), 50);
	harness_end(&h);
}

/* What is sent together is stored together: one key that the database never takes must not
 * cost the others. */
static void test_one_odd_key(void **state)
{
	char sql[400], key[32];
	struct harness h;
	const char *name;

	(void)state;
	begin(&h, NULL);
	name = strrchr(h.target, '/') + 1;
	snprintf(sql, sizeof sql, "CREATE TRIGGER %s.no BEFORE INSERT ON %s.greylag_records FOR EACH ROW "
		 "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'", name, name);
	harness_mariadb_ask(sql);
	send_one(&h, "odd");
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof key, "key%u", i);
		send_one(&h, key);
	}
	wait_answers(&h);
	assert_int_equal(stats_of(&h).journal_waiting, 201);
	snprintf(sql, sizeof sql, "DROP TRIGGER %s.no", name);
	harness_mariadb_ask(sql);
	snprintf(sql, sizeof sql, "ALTER TABLE %s.greylag_records ADD CONSTRAINT odd CHECK (k <> 'odd')", name);
	harness_mariadb_ask(sql);
	for (uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000; stats_of(&h).journal_waiting && harness_now_ms() < until;) {
		send_one(&h, "another");
		harness_turn_for(&h, 50);
	}
	assert_int_equal(stats_of(&h).journal_waiting, 0);
	assert_int_equal(stats_of(&h).journal_dropped, 1);
	assert_true(stats_of(&h).journal_merged >= 200);
	assert_int_equal(blocked(&h, "key7"), 1);
	harness_end(&h);
}

static void test_outlives_the_process(void **state)
{
	char path[128];
	struct harness h;

	(void)state;
	begin(&h, NULL);
	harness_close(&h);
	snprintf(path, sizeof path, "%s/journal", h.base);
	h.options.journal = path;
	harness_open(&h);
	harness_mariadb_stop();
	harness_wait_trouble(&h);
	for (unsigned i = 0; i < 10; i++)
		send_one(&h, "a key");
	wait_answers(&h);
	harness_reopen(&h);
	assert_int_equal(stats_of(&h).journal_waiting, 1);
	harness_mariadb_start();
	wait_merged(&h);
	assert_int_equal(blocked(&h, "a key"), 10);
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_and_merged), cmocka_unit_test(test_hangs_under_way),
		cmocka_unit_test(test_killed_under_way), cmocka_unit_test(test_renewals),
		cmocka_unit_test(test_refuses), cmocka_unit_test(test_one_odd_key), cmocka_unit_test(test_outlives_the_process),
	};

	if (harness_mariadb_there())
		return cmocka_run_group_tests_name("journal, mariadb", tests, NULL, NULL);
	printf("journal, mariadb: skipped, needs mariadb-server-core and mariadb-client-core\n");
	return 0;
}
