/* What the driver mariadb has of its own: several writers, and a server that goes. */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "proxy.h"

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */

static void begin(struct harness *h)
{
	harness_begin(h, "mariadb", NULL);
	harness_open(h);
	harness_assert_healthy(h);
}

/* The server is going to hang. */
static void begin_hanging(struct harness *h)
{
	harness_begin(h, "mariadb", NULL);
	h->options.deadline_ms = DEADLINE_MS;
	harness_open(h);
	harness_assert_healthy(h);
}

/* Tables are made in a database of the test; `sql` is asked in it. */
static void ask_in(const struct harness *h, const char *sql)
{
	char text[400];

	snprintf(text, sizeof text, "USE %.40s; %.300s", strrchr(h->target, '/') + 1, sql);
	harness_mariadb_ask(text);
}

/* --- Merging --------------------------------------------------------------- */

struct tally { unsigned done, failed; };

static void count(struct store_merge *op, enum store_status status)
{
	struct tally *t = op->arg;

	t->done++;
	t->failed += status != STORE_DONE;
}

static void test_equals_core(void **state)
{
	enum { PAIRS = 3000 };
	static struct store_merge ops[2 * PAIRS];
	static struct record expected[PAIRS];
	static char keys[PAIRS][16];
	struct tally t = { 0 };
	struct record got;
	uint64_t seed = 5;
	struct harness h;

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	harness_open(&h);
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		unsigned k = i % PAIRS;
		struct record delta = harness_random_record(&seed);
		snprintf(keys[k], sizeof keys[k], "a p%u", k);
		record_merge(&expected[k], &delta);
		ops[i] = (struct store_merge){ .count = 1, .done = count, .arg = &t };
		ops[i].deltas[0] = (struct store_delta){ span_of(keys[k]), delta, false };
		assert_int_equal(store_merge(h.store, &ops[i]), STORE_PENDING);
		/* The second of each must not be merged with the first on our side. */
		while (i == PAIRS - 1 && t.done < PAIRS)
			harness_turn(&h);
	}
	while (t.done < 2 * PAIRS)
		harness_turn(&h);
	assert_int_equal(t.failed, 0);
	for (unsigned k = 0; k < PAIRS; k++) {
		assert_true(harness_get(&h, keys[k], &got));
		harness_assert_record(&got, &expected[k]);
	}
	harness_end(&h);
}

/* Stores that write the same keys in all orders get into each other's way, and yet
 * nothing is lost or counted twice. */
static void test_many_writers(void **state)
{
	enum { STORES = 4, EACH = 1500, KEYS = 40 };
	static struct store_merge ops[STORES][EACH];
	struct store *stores[STORES];
	struct record got, delta = harness_attempt(HARNESS_NOW), later = { .passed = 1 };
	unsigned blocked = 0, passed = 0;
	char names[KEYS][16];
	struct tally t = { 0 };
	uint64_t seed = 3;
	struct harness h;

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	harness_open(&h);
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(names[i], sizeof names[i], "a k%u", i);
	for (unsigned s = 0; s < STORES; s++)
		assert_non_null(stores[s] = store_open(&h.options, &h.why));
	for (unsigned i = 0; i < EACH; i++)
		for (unsigned s = 0; s < STORES; s++) {
			ops[s][i] = (struct store_merge){ .count = 2, .done = count, .arg = &t };
			for (unsigned d = 0; d < 2; d++)
				ops[s][i].deltas[d] = (struct store_delta){
					span_of(names[harness_random(&seed) % KEYS]), delta, false };
			assert_int_equal(store_merge(stores[s], &ops[s][i]), STORE_PENDING);
			store_merge_later(stores[s], span_of(names[s]), &later);
			store_turn(stores[s]);
			if (harness_random(&seed) % 40 == 0)
				harness_turn(&h);
		}
	while (t.done < STORES * EACH) {
		for (unsigned s = 0; s < STORES; s++)
			store_turn(stores[s]);
		harness_turn(&h);
	}
	assert_int_equal(t.failed, 0);
	for (unsigned s = 0; s < STORES; s++)
		assert_true(store_close(&stores[s]));
	for (unsigned i = 0; i < KEYS; i++) {
		assert_true(harness_get(&h, names[i], &got));
		blocked += (unsigned)got.blocked;
		passed += (unsigned)got.passed;
	}
	assert_int_equal(blocked, 2 * STORES * EACH);
	assert_int_equal(passed, STORES * EACH);
	harness_end(&h);
}

static void test_expires_in_steps(void **state)
{
	struct record old = { .expires = HARNESS_NOW - STORE_GRACE_S, .blocked = 1 };
	struct harness_flood f;
	struct store_stats stats;
	struct harness h;
	char name[32];

	(void)state;
	begin(&h);
	harness_flood_begin(&f, 1700);
	for (unsigned i = 0; i < 1700; i++) {
		int n = snprintf(name, sizeof name, "t old%u", i);
		harness_flood_add(&h, &f, span_make(name, (size_t)n), &old, true);
	}
	harness_flood_end(&h, &f);
	harness_fill(&h, 0, 20);
	store_trust_clock(h.store, false);
	store_maintain(h.store);
	assert_int_equal(harness_scan(&h, "", 400, NULL, NULL), 1720);
	store_trust_clock(h.store, true);
	store_maintain(h.store);
	assert_int_equal(harness_scan(&h, "", 400, NULL, NULL), 20);
	store_stats(h.store, &stats);
	assert_int_equal(stats.records, 20);
	assert_true(stats.disk_bytes > 0);
	harness_end(&h);
}

/* Prefixes at the edges of what a range can say. */
static void test_ranges(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	assert_int_equal(harness_merge_one(&h, "a \xff"), STORE_DONE);
	assert_int_equal(harness_merge_one(&h, "a \xff\xff"), STORE_DONE);
	assert_int_equal(harness_merge_one(&h, "\xff\xff\xff"), STORE_DONE);
	assert_int_equal(harness_merge_one(&h, "b%_'\\\";--"), STORE_DONE);
	assert_int_equal(harness_scan(&h, "a \xff", 1, NULL, NULL), 2);
	assert_int_equal(harness_scan(&h, "\xff", 9, NULL, NULL), 1);
	assert_int_equal(harness_scan(&h, "b%_'\\\"", 9, NULL, NULL), 1);
	assert_int_equal(harness_scan(&h, "", 9, NULL, NULL), 4);
	assert_int_equal(harness_scan(&h, "a%", 9, NULL, NULL), 0);
	harness_remove(&h, "b%_'\\\";--\na \xff\n");
	assert_int_equal(harness_scan(&h, "", 9, NULL, NULL), 2);
	harness_end(&h);
}

/* More at once than there is room for fails; what was taken completes. */
static void test_bounded(void **state)
{
	enum { MANY = 70000 };
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct store_merge *ops = calloc(MANY, sizeof *ops);
	struct tally t = { 0 };
	unsigned taken = 0;
	struct harness h;

	(void)state;
	assert_non_null(ops);
	harness_begin(&h, "mariadb", NULL);
	harness_open(&h);
	for (unsigned i = 0; i < MANY; i++) {
		ops[i] = (struct store_merge){ .count = 1, .done = count, .arg = &t };
		ops[i].deltas[0] = (struct store_delta){ span_of("a key"), delta, false };
		taken += store_merge(h.store, &ops[i]) == STORE_PENDING;
	}
	assert_in_range(taken, 60000, MANY - 1);
	while (t.done < taken)
		harness_turn(&h);
	assert_int_equal(t.failed, 0);
	assert_true(harness_get(&h, "a key", &got));
	assert_int_equal(got.blocked, taken);
	harness_end(&h);
	free(ops);
}

/* --- Failure is normal ----------------------------------------------------- */

static void test_server_restarts(void **state)
{
	unsigned done = 0;
	struct record got;
	struct harness h;

	(void)state;
	begin(&h);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20; i++)
			done += harness_merge_one(&h, "a key") == STORE_DONE;
		harness_mariadb_stop();
		harness_wait_trouble(&h);
		/* Within the call: nobody waits. */
		uint64_t before = harness_now_ms();
		unsigned turns = h.turns;
		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
			assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
		}
		assert_int_equal(h.turns, turns);
		assert_true(harness_now_ms() - before < 5000);
		harness_wait_text(&h, "cannot be reached");
		harness_mariadb_start();
		harness_wait_healthy(&h);
		assert_true(harness_get(&h, "a key", &got));
		assert_int_equal(got.blocked, done);
	}
	assert_int_equal(done, 40);
	harness_end(&h);
}

/* What was acknowledged is there when the server comes back. */
static void test_killed_under_way(void **state)
{
	enum { SIZE = 6000 };
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct harness_flood f;
	struct harness h;

	(void)state;
	begin(&h);
	harness_flood_begin(&f, SIZE);
	for (unsigned i = 0; i < SIZE; i++) {
		if (i == SIZE / 2)
			harness_mariadb_stop();
		harness_flood_add(&h, &f, span_of("a key"), &delta, false);
	}
	harness_flood_end(&h, &f);
	assert_true(f.failed >= SIZE / 2);
	harness_mariadb_start();
	harness_wait_healthy(&h);
	unsigned acknowledged = f.done - f.failed;
	assert_true(harness_get(&h, "a key", &got) || acknowledged == 0);
	assert_in_range(got.blocked, acknowledged, SIZE);
	harness_end(&h);
}

static void test_server_hangs(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin_hanging(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_mariadb_signal(SIGSTOP);
	uint64_t before = harness_now_ms(), turned = h.turned_ms;
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	harness_assert_trouble(&h, "no answer in time");
	assert_in_range(harness_now_ms() - before, DEADLINE_MS - 10, 10 * DEADLINE_MS);
	assert_in_range(h.turned_ms - turned, 0, DEADLINE_MS + 300);
	unsigned turns = h.turns;
	before = harness_now_ms();
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	assert_int_equal(h.turns, turns);
	assert_true(harness_now_ms() - before < DEADLINE_MS / 2);
	harness_turn_for(&h, 1500);
	harness_mariadb_signal(SIGCONT);
	harness_wait_healthy(&h);
	assert_true(harness_get(&h, "a key", &got));
	/* The merge that was never sent did not count. */
	assert_int_equal(got.blocked, 1);
	harness_end(&h);
}

/* It hangs while nothing is asked of it: health knows all the same. */
static void test_hangs_idle(void **state)
{
	struct harness h;

	(void)state;
	begin_hanging(&h);
	harness_mariadb_signal(SIGSTOP);
	harness_wait_trouble(&h);
	uint64_t before = harness_now_ms();
	harness_close(&h);
	assert_true(harness_now_ms() - before < 5000);
	harness_mariadb_signal(SIGCONT);
	harness_end(&h);
}

static void begin_proxy(struct harness *h, struct proxy *p)
{
	char socket[100];
	const char *slash;

	harness_begin(h, "mariadb", NULL);
	slash = strrchr(h->target, '/');
	snprintf(socket, sizeof socket, "%.*s", (int)(slash - h->target) - 5, h->target + 5);
	snprintf(h->why_text, sizeof h->why_text, "unix:%s/proxy%s", h->base, slash);
	h->options.target = strdup(h->why_text);
	char *path = strdup(h->options.target + 5);
	path[strlen(path) - strlen(slash)] = '\0';
	proxy_start(p, path, socket);
	free(path);
	h->options.deadline_ms = DEADLINE_MS;
	harness_open(h);
	harness_assert_healthy(h);
}

static void end_proxy(struct harness *h, struct proxy *p)
{
	const char *target = h->options.target;

	harness_close(h);
	proxy_stop(p);
	free((void *)target);
	harness_end(h);
}

/* Answers that end half-way, at every byte of the first hundred and some more. */
static void test_reset_mid_reply(void **state)
{
	unsigned sent = 0, acknowledged = 0;
	struct record got;
	struct proxy p;
	struct harness h;

	(void)state;
	begin_proxy(&h, &p);
	for (unsigned cut = 1; cut < 260; cut += cut < 40 ? 1 : 17) {
		/* Without the pauses that an unsteady server earns. */
		harness_reopen(&h);
		p.mood->cut_after = cut;
		for (unsigned i = 0; i < 3; i++) {
			acknowledged += harness_merge_one(&h, "a key") == STORE_DONE;
			sent++;
			harness_get_one(&h, "a key");
		}
		p.mood->cut_after = 0;
		harness_wait_healthy(&h);
	}
	assert_true(acknowledged > sent / 3);
	assert_true(harness_get(&h, "a key", &got));
	assert_in_range(got.blocked, acknowledged, sent);
	end_proxy(&h, &p);
}

static void test_slow_replies(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	struct harness_flood f;
	struct proxy p;
	struct harness h;

	(void)state;
	begin_proxy(&h, &p);
	/* Slow, but in time. */
	p.mood->delay_ms = DEADLINE_MS / 8;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	p.mood->delay_ms = 3 * DEADLINE_MS;
	harness_flood_begin(&f, 600);
	uint64_t before = harness_now_ms(), turned = h.turned_ms;
	for (unsigned i = 0; i < 600; i++)
		harness_flood_add(&h, &f, span_of("a key"), &delta, false);
	harness_flood_end(&h, &f);
	assert_in_range(h.turned_ms - turned, 0, DEADLINE_MS + 300);
	assert_true(harness_now_ms() - before < 10 * DEADLINE_MS);
	p.mood->delay_ms = 0;
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	end_proxy(&h, &p);
}

/* One of two servers is away: the other serves. */
static void test_fails_over(void **state)
{
	char target[300];
	struct harness h;

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	snprintf(target, sizeof target, "unix:/nonexistent/socket,%s", h.target);
	h.options.target = target;
	harness_open(&h);
	harness_assert_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_mariadb_stop();
	harness_wait_trouble(&h);
	harness_mariadb_start();
	harness_wait_healthy(&h);
	assert_int_equal(harness_get_one(&h, "a key"), STORE_DONE);
	harness_end(&h);
}

static void test_refuses_writes(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin(&h);
	harness_fill(&h, 0, 100);
	ask_in(&h, "CREATE TRIGGER no BEFORE INSERT ON greylag_records FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'");
	assert_int_equal(harness_merge_one(&h, "b key"), STORE_FAILED);
	harness_assert_trouble(&h, "cannot be written: not today");
	assert_true(harness_get(&h, "a key000001", &got));
	ask_in(&h, "DROP TRIGGER no");
	assert_int_equal(harness_merge_one(&h, "b key"), STORE_DONE);
	harness_assert_healthy(&h);
	harness_end(&h);
}

/* The database's folder is a disk of its own, which is full. */
static void test_disk_full(void **state)
{
	char target[128], path[128], *slash;
	unsigned kept = 0;
	struct harness h;

	(void)state;
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		skip();
	/* The server must see what is mounted here. */
	harness_mariadb_stop();
	harness_mariadb_database(target, sizeof target);
	snprintf(path, sizeof path, "%s", target + 5);
	slash = strrchr(path, '/');
	char name[20];
	snprintf(name, sizeof name, "%s", slash + 1);
	snprintf(strrchr(path, '/') - 6, 40, "data/%s", name);
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, "size=3m"), 0);
	harness_begin(&h, "mariadb", target);
	h.options.user = "root";
	assert_int_equal(store_init(&h.options, &h.why), 0);
	harness_open(&h);
	for (unsigned i = 0; ; i++) {
		char key[KEY_MAX + 1];
		struct record delta = harness_attempt(HARNESS_NOW);
		memset(key, 'x', sizeof key);
		int n = snprintf(key, sizeof key, "a key%06u", i);
		key[n] = ' ';
		if (harness_try_merge(&h, span_make(key, KEY_MAX), &delta, true) != STORE_DONE)
			break;
		assert_true(++kept < 3000);
	}
	harness_assert_trouble(&h, "full");
	assert_int_equal(harness_scan(&h, "a ", 400, NULL, NULL), kept);
	assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT, "size=30m"), 0);
	assert_int_equal(harness_merge_one(&h, "b key"), STORE_DONE);
	harness_assert_healthy(&h);
	assert_int_equal(harness_scan(&h, "", 400, NULL, NULL), kept + 1);
	harness_end(&h);
	harness_mariadb_stop();
	umount(path);
	harness_mariadb_start();
}

/* --- Opening --------------------------------------------------------------- */

static void test_password(void **state)
{
	struct harness h;
	char path[128];

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	harness_mariadb_ask("CREATE OR REPLACE USER lag@localhost IDENTIFIED BY 'open sesame'");
	ask_in(&h, "GRANT SELECT, INSERT, UPDATE, DELETE ON * TO lag@localhost");
	harness_password_file(&h, path, "close sesame");
	h.options.user = "lag";
	h.options.password_file = path;
	harness_open(&h);
	harness_wait_text(&h, "Access denied");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	/* The right one is found without a restart. */
	harness_password_file(&h, path, "open sesame");
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	/* What the manual says that it needs is enough for all else, too. */
	harness_remove(&h, "a key\n");
	assert_int_equal(harness_scan(&h, "", 10, NULL, NULL), 0);
	harness_mariadb_ask("SET GLOBAL read_only = 1");
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_FAILED);
	harness_wait_text(&h, "read-only");
	harness_mariadb_ask("SET GLOBAL read_only = 0");
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_end(&h);
}

static void test_tables_missing(void **state)
{
	struct harness h;

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	ask_in(&h, "DROP TABLE greylag_records, greylag_schema");
	harness_open(&h);
	harness_wait_text(&h, "greylag store init");
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	assert_int_equal(store_init(&h.options, &h.why), 0);
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	/* A second time does no harm. */
	assert_int_equal(store_init(&h.options, &h.why), 0);
	assert_int_equal(harness_scan(&h, "", 10, NULL, NULL), 1);
	/* They vanish while it runs. */
	ask_in(&h, "DROP TABLE greylag_records");
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	harness_assert_trouble(&h, "greylag_records");
	harness_end(&h);
}

static void test_other_version(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	ask_in(&h, "INSERT INTO greylag_schema (version) VALUES (99)");
	harness_reopen(&h);
	harness_wait_text(&h, "newer greylag");
	assert_int_equal(store_init(&h.options, &h.why), -1);
	assert_non_null(strstr(buf_str(&h.why), "newer greylag"));
	ask_in(&h, "DELETE FROM greylag_schema WHERE version = 99");
	harness_wait_healthy(&h);
	ask_in(&h, "DELETE FROM greylag_schema");
	harness_reopen(&h);
	harness_wait_text(&h, "has no version");
	harness_end(&h);
}

static void test_starts_without_server(void **state)
{
	struct harness h;

	(void)state;
	harness_begin(&h, "mariadb", NULL);
	harness_mariadb_stop();
	harness_open(&h);
	harness_wait_text(&h, "cannot be reached");
	assert_int_equal(harness_get_one(&h, "a key"), STORE_FAILED);
	harness_mariadb_start();
	harness_wait_healthy(&h);
	assert_int_equal(harness_merge_one(&h, "a key"), STORE_DONE);
	harness_end(&h);
}

static void test_bad_targets(void **state)
{
	static const char *const bad[] = { "", "localhost", "localhost/", "unix:/x", "a b/c", "db:99999/x" };
	struct harness h;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		harness_begin(&h, "mariadb", bad[i]);
		h.options.target = bad[i];
		assert_false(harness_try_open(&h));
		assert_non_null(strstr(buf_str(&h.why), "store mariadb: "));
		assert_int_equal(store_init(&h.options, &h.why), -1);
		harness_end(&h);
	}
	harness_begin(&h, "mariadb", "[::1]:1/greylag");
	harness_open(&h);
	harness_wait_text(&h, "[::1]:1: ");
	assert_int_equal(store_init(&h.options, &h.why), -1);
	harness_end(&h);
	harness_begin(&h, "mariadb", "127.0.0.1:1/greylag");
	h.options.password_file = "/nonexistent";
	assert_false(harness_try_open(&h));
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest with_server[] = {
		cmocka_unit_test(test_equals_core), cmocka_unit_test(test_many_writers),
		cmocka_unit_test(test_expires_in_steps), cmocka_unit_test(test_ranges), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_server_restarts), cmocka_unit_test(test_killed_under_way),
		cmocka_unit_test(test_server_hangs), cmocka_unit_test(test_hangs_idle),
		cmocka_unit_test(test_reset_mid_reply), cmocka_unit_test(test_slow_replies),
		cmocka_unit_test(test_fails_over), cmocka_unit_test(test_refuses_writes), cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_password), cmocka_unit_test(test_tables_missing),
		cmocka_unit_test(test_other_version), cmocka_unit_test(test_starts_without_server),
	};
	static const struct CMUnitTest without[] = { cmocka_unit_test(test_bad_targets) };

	int failed = cmocka_run_group_tests_name("mariadb", without, NULL, NULL);
	if (harness_mariadb_there())
		failed += cmocka_run_group_tests_name("mariadb, a server", with_server, NULL, NULL);
	else
		printf("mariadb: skipped, needs mariadb-server-core and mariadb-client-core\n");
	return failed;
}
