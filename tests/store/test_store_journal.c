/* What could not be stored while a store was away, and comes to it afterwards. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 2000		/* a stall of the machine is shorter */

static void done(struct store_merge *op, enum store_status status)
{
	*(enum store_status *)op->arg = status;
}

static enum store_status merge_kept(struct harness *h, const char *key, struct record delta)
{
	enum store_status status = STORE_PENDING;
	struct store_merge op = { .count = 1, .keep = true, .done = done, .arg = &status };

	op.deltas[0] = (struct store_delta){ span_of(key), delta, true };
	enum store_status now = store_merge(h->store, &op);
	if (now != STORE_PENDING)
		return now;
	while (status == STORE_PENDING)
		harness_turn(h);
	return status;
}

static uint64_t waiting(struct harness *h)
{
	struct store_stats stats;

	store_stats(h->store, &stats);
	return stats.journal_waiting;
}

static void wait_empty(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	while (waiting(h) && harness_now_ms() < until)
		harness_turn(h);
	assert_int_equal(waiting(h), 0);
}

static void begin(struct harness *h, const char *file)
{
	static char path[128];

	harness_begin(h, "valkey", NULL);
	snprintf(path, sizeof path, "%s/%s", h->base, file ? file : "");
	h->options.deadline_ms = DEADLINE_MS;
	h->options.journal = file ? path : "";
	harness_open(h);
}

static struct record attempt(void)
{
	return harness_attempt(HARNESS_NOW);
}

static uint64_t blocked(struct harness *h, const char *key)
{
	struct record got;

	return harness_get(h, key, &got) ? got.blocked : UINT64_MAX;
}

/* --- In memory ------------------------------------------------------------------ */

static void test_kept_and_merged(void **state)
{
	struct record renewal = { .last_seen = HARNESS_NOW + 5, .passed = 1 }, got;
	struct store_stats stats;
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, NULL);
	assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_DONE);
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "a key%u", i);
		assert_int_equal(merge_kept(&h, key, attempt()), STORE_FAILED);
		assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_FAILED);
	}
	/* Who is told that it failed may not be surprised later. */
	assert_int_equal(harness_merge_one(&h, "a told"), STORE_FAILED);
	store_merge_later(h.store, span_of("a key7"), &renewal);
	harness_turn_for(&h, 1200);
	assert_int_equal(waiting(&h), 501);
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	/* Before it is merged it is read all the same. */
	assert_true(harness_get(&h, "a key", &got));
	wait_empty(&h);
	assert_int_equal(blocked(&h, "a key"), 500);
	assert_true(harness_get(&h, "a key7", &got));
	assert_int_equal(got.blocked, 1);
	assert_int_equal(got.passed, 1);
	assert_int_equal(got.last_seen, HARNESS_NOW + 5);
	assert_false(harness_get(&h, "a told", &got));
	store_stats(h.store, &stats);
	assert_int_equal(stats.journal_merged, 501);
	assert_int_equal(stats.journal_dropped + stats.later_dropped, 0);
	harness_end(&h);
}

/* A server that hangs executes what it was sent when it wakes up: counts must not
 * come a second time, times may. */
static void test_fate_unknown(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin(&h, NULL);
	assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_DONE);
	harness_server_signal(&h.server, SIGSTOP);
	assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_FAILED);
	assert_int_equal(waiting(&h), 1);
	/* This one is known not to have been sent. */
	assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_FAILED);
	assert_int_equal(merge_kept(&h, "a other", attempt()), STORE_FAILED);
	harness_server_signal(&h.server, SIGCONT);
	harness_wait_healthy(&h);
	wait_empty(&h);
	assert_int_equal(blocked(&h, "a key"), 3);
	assert_true(harness_get(&h, "a other", &got));
	assert_int_equal(got.blocked, 1);
	assert_int_equal(got.first_seen, HARNESS_NOW);
	harness_end(&h);
}

/* The server is killed while many are under way: none is counted twice, none is lost
 * that it had not got. */
static void test_killed_under_way(void **state)
{
	enum { MANY = 2000 };
	static struct store_merge ops[MANY];
	static enum store_status status[MANY];
	static struct key keys[MANY];
	struct record got;
	struct harness h;

	(void)state;
	begin(&h, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		keys[i].n = (size_t)snprintf(keys[i].text, sizeof keys[i].text, "a key%u", i);
		status[i] = STORE_PENDING;
		ops[i] = (struct store_merge){ .count = 1, .keep = true, .done = done, .arg = &status[i] };
		ops[i].deltas[0] = (struct store_delta){ key_span(&keys[i]), attempt(), true };
		enum store_status now = store_merge(h.store, &ops[i]);
		if (now != STORE_PENDING)
			status[i] = now;
		if (i % 64 == 0)
			harness_turn(&h);
		if (i == MANY / 2)
			harness_server_signal(&h.server, SIGKILL);
	}
	harness_wait_trouble(&h);
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	wait_empty(&h);
	/* This server kept nothing of what it had acknowledged; what it had not is there. */
	for (unsigned i = 0; i < MANY; i++) {
		bool found = harness_get(&h, keys[i].text, &got);
		assert_true(status[i] == STORE_DONE ? !found : found);
		if (found)
			assert_in_range(got.blocked, 0, 1);
	}
	harness_end(&h);
}

static void test_forgotten(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	begin(&h, NULL);
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	merge_kept(&h, "a gone", attempt());
	merge_kept(&h, "a stays", attempt());
	struct store_remove op = { .keys = span_of("a gone\n") };
	assert_int_equal(store_remove(h.store, &op), STORE_FAILED);
	assert_int_equal(waiting(&h), 1);
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	wait_empty(&h);
	assert_false(harness_get(&h, "a gone", &got));
	assert_int_equal(blocked(&h, "a stays"), 1);
	harness_end(&h);
}

/* More than it holds is lost, and said. */
static void test_bounded(void **state)
{
	enum { MANY = 40000, ROOM = 32768 };
	struct store_stats stats;
	struct harness h;
	char key[32];

	(void)state;
	begin(&h, NULL);
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "a key%u", i);
		merge_kept(&h, key, attempt());
	}
	store_stats(h.store, &stats);
	assert_int_equal(stats.journal_waiting, ROOM);
	assert_int_equal(stats.journal_dropped, MANY - ROOM);
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	wait_empty(&h);
	assert_int_equal(harness_scan(&h, "a key", 1000, NULL, NULL), ROOM);
	harness_end(&h);
}

/* Something at the key is no record of ours, and never will be. */
static void test_never_taken(void **state)
{
	struct store_stats stats;
	struct harness h;

	(void)state;
	begin(&h, NULL);
	harness_server_ask(&h.server, "LPUSH \"test:a list\" y");
	assert_int_equal(merge_kept(&h, "a list", attempt()), STORE_FAILED);
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	while (waiting(&h) && harness_now_ms() < until) {
		assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_DONE);
		harness_turn_for(&h, 50);
	}
	store_stats(h.store, &stats);
	assert_int_equal(stats.journal_waiting, 0);
	assert_int_equal(stats.journal_dropped, 1);
	harness_end(&h);
}

/* --- In a file ------------------------------------------------------------------- */

/* The file is as it was when the process is killed: a copy stands for that. */
static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static void test_outlives_the_process(void **state)
{
	struct harness h;
	struct stat st;
	char copy[160];

	(void)state;
	begin(&h, "journal");
	assert_int_equal(merge_kept(&h, "a key", attempt()), STORE_DONE);
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	merge_kept(&h, "a key", attempt());
	merge_kept(&h, "a key", attempt());
	merge_kept(&h, "a gone", attempt());
	struct store_remove op = { .keys = span_of("a gone\n") };
	assert_int_equal(store_remove(h.store, &op), STORE_FAILED);
	/* As after kill -9. */
	snprintf(copy, sizeof copy, "%s/copy", h.base);
	copy_file(h.options.journal, copy);
	harness_close(&h);
	assert_int_equal(rename(copy, h.options.journal), 0);
	harness_open(&h);
	assert_int_equal(waiting(&h), 1);
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_wait_healthy(&h);
	wait_empty(&h);
	assert_int_equal(blocked(&h, "a key"), 2);
	assert_int_equal(stat(h.options.journal, &st), 0);
	assert_int_equal(st.st_size, 18);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* And after an end in good order. */
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	struct record renewal = { .passed = 1 };
	store_merge_later(h.store, span_of("a key"), &renewal);
	harness_reopen(&h);
	assert_int_equal(waiting(&h), 1);
	harness_end(&h);
}

/* Killed while the journal was being merged: nobody knows how far that got. */
static void test_killed_while_merging(void **state)
{
	struct record got;
	struct harness h;
	char copy[160];

	(void)state;
	begin(&h, "journal");
	harness_server_signal(&h.server, SIGKILL);
	harness_wait_trouble(&h);
	merge_kept(&h, "a key", attempt());
	harness_server_stop(&h.server);
	harness_server_start(&h.server, h.base, NULL);
	harness_server_signal(&h.server, SIGSTOP);
	harness_turn_for(&h, 200);
	snprintf(copy, sizeof copy, "%s/copy", h.base);
	/* The copy is of the moment when it was sent and not answered. */
	struct stat st = { 0 };
	off_t before = 0;
	assert_int_equal(stat(h.options.journal, &st), 0);
	before = st.st_size;
	harness_server_signal(&h.server, SIGCONT);
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	while (st.st_size == before && harness_now_ms() < until) {
		copy_file(h.options.journal, copy);
		loop_once(h.loop, 1);
		assert_int_equal(stat(h.options.journal, &st), 0);
		if (st.st_size == before + 2)
			copy_file(h.options.journal, copy);
	}
	wait_empty(&h);
	assert_int_equal(blocked(&h, "a key"), 1);
	harness_close(&h);
	int fd = open(copy, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(lseek(fd, 0, SEEK_END), before + 2);
	close(fd);
	assert_int_equal(rename(copy, h.options.journal), 0);
	harness_open(&h);
	assert_int_equal(waiting(&h), 1);
	wait_empty(&h);
	assert_true(harness_get(&h, "a key", &got));
	assert_int_equal(got.blocked, 1);
	harness_end(&h);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

#define TITLE "greylag journal 1\n"
#define ZEROS "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

/* Damaged files give what is whole in them; other files are left alone. */
static void test_damaged(void **state)
{
	static const struct { const char *text; size_t n; int waiting; } rows[] = {
		{ "", 0, 0 },
		{ TITLE, sizeof TITLE - 1, 0 },
		{ "no journal\n", 11, -1 },
		{ "greylag journal 2\n", 18, -1 },
#define ROW(text, waiting) { TITLE text, sizeof TITLE text - 1, waiting }
		ROW("d 02" ZEROS "00 a key\n", 1),
		ROW("d 02" ZEROS "00 a key\nd 02" ZEROS "00 a other", 1),
		ROW("d 02" ZEROS "00 a key\nf a key\n", 0),
		ROW("d 02" ZEROS "00 a key\nm\nd 02" ZEROS "00 a other\n", 2),
		ROW("d 09" ZEROS "00 a key\n", 0),
		ROW("d 02" ZEROS "0 a key\n", 0),
		ROW("d 02" ZEROS "0G a key\n", 0),
		ROW("d 02" ZEROS "00 \n", 0),
		ROW("\n\n\nd\nf\nm m\nx y\nd d d\n", 0),
		ROW("\0\0\0\0\n\377\376 \n", 0),
#undef ROW
	};
	char path[128];
	struct harness h;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		harness_begin(&h, "failing", "fail");
		snprintf(path, sizeof path, "%s/journal", h.base);
		write_file(path, rows[i].text, rows[i].n);
		h.options.journal = path;
		assert_int_equal(harness_try_open(&h), rows[i].waiting >= 0);
		if (rows[i].waiting >= 0)
			assert_int_equal(waiting(&h), rows[i].waiting);
		else
			assert_non_null(strstr(buf_str(&h.why), "no journal of ours"));
		harness_end(&h);
	}
	/* A key that is longer than keys are. */
	char text[KEY_MAX + 200];
	int n = snprintf(text, sizeof text, TITLE "d 02" ZEROS "00 %0*d\n", KEY_MAX + 1, 0);
	harness_begin(&h, "failing", "fail");
	snprintf(path, sizeof path, "%s/journal", h.base);
	write_file(path, text, (size_t)n);
	h.options.journal = path;
	harness_open(&h);
	assert_int_equal(waiting(&h), 0);
	harness_end(&h);
}

static void test_opening(void **state)
{
	char path[160];
	struct harness h;
	struct buf why = BUF_ON(path);

	(void)state;
	harness_begin(&h, "failing", "fail");
	snprintf(path, sizeof path, "%s/no/such/folder", h.base);
	h.options.journal = path;
	assert_false(harness_try_open(&h));
	assert_non_null(strstr(buf_str(&h.why), "No such file"));
	snprintf(path, sizeof path, "%s/journal", h.base);
	harness_open(&h);
	char text[300];
	why = buf_on(text, sizeof text);
	assert_null(store_open(&h.options, &why));
	assert_non_null(strstr(buf_str(&why), "in use by another"));
	harness_end(&h);
}

/* Tens of thousands of lines for the same keys: the file stays small. */
static void test_file_bounded(void **state)
{
	struct harness h;
	struct stat st;
	char path[128], key[32];

	(void)state;
	harness_begin(&h, "failing", "fail");
	snprintf(path, sizeof path, "%s/journal", h.base);
	h.options.journal = path;
	harness_open(&h);
	for (unsigned i = 0; i < 300000; i++) {
		snprintf(key, sizeof key, "a key%u", i % 100);
		merge_kept(&h, key, attempt());
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 20 << 20);
	harness_reopen(&h);
	assert_int_equal(waiting(&h), 100);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 20000);
	harness_end(&h);
}

int main(void)
{
	static const struct CMUnitTest with_server[] = {
		cmocka_unit_test(test_kept_and_merged), cmocka_unit_test(test_fate_unknown),
		cmocka_unit_test(test_killed_under_way), cmocka_unit_test(test_forgotten), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_never_taken), cmocka_unit_test(test_outlives_the_process),
		cmocka_unit_test(test_killed_while_merging),
	};
	static const struct CMUnitTest without[] = {
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_opening), cmocka_unit_test(test_file_bounded),
	};

	int failed = cmocka_run_group_tests_name("journal", without, NULL, NULL);
	if (harness_server_there())
		failed += cmocka_run_group_tests_name("journal, a server", with_server, NULL, NULL);
	else
		printf("journal: skipped in part, needs redis-server or valkey-server\n");
	return failed;
}
