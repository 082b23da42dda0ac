/* What only the rocksdb driver has: its folder's troubles, reads from disk, values of another version, kill -9. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "store/rocksdb.h"

/* --- Opening --------------------------------------------------------------- */

static void assert_refused(struct harness *h, const char *target, const char *word)
{
	h->options.target = target;
	if (harness_try_open(h))
		fail_msg("%s was opened", target);
	if (!strstr(buf_str(&h->why), word))
		fail_msg("\"%s\" does not say \"%s\"", buf_str(&h->why), word);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_folders(void **state)
{
	char path[200], file[250];
	struct stat st;
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	assert_refused(&h, "", "needs a folder");
	assert_refused(&h, "/nonexistent/greylag/store", "folder above it is missing");
	snprintf(path, sizeof path, "%s/file", h.base);
	write_text(path, "x");
	assert_refused(&h, path, "is not a folder");
	snprintf(path, sizeof path, "%s/mail", h.base);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(file, sizeof file, "%s/inbox", path);
	write_text(file, "x");
	assert_refused(&h, path, "other files");
	h.options.target = h.target;
	harness_open(&h);
	assert_int_equal(stat(h.target, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	harness_end(&h);
}

static void test_not_writable(void **state)
{
	struct harness h;
	int status;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	assert_int_equal(mkdir(h.target, 0755), 0);
	assert_int_equal(chmod(h.base, 0755), 0);
	assert_int_equal(chmod(h.target, 0555), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(3);
		if (harness_try_open(&h))
			_exit(1);
		_exit(strstr(buf_str(&h.why), "not writable") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	harness_end(&h);
}

static void test_locked(void **state)
{
	struct store *first;
	struct harness h;
	int status;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	first = h.store;
	assert_refused(&h, h.target, "another greylagd uses it");
	h.store = first;
	/* Threads do not survive a fork, so the other process opens anew. */
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test", "--try-open", h.target, (char *)NULL);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	harness_end(&h);
}

static int try_open(const char *target)
{
	char text[500];
	struct buf why = BUF_ON(text);
	struct loop *loop = loop_new(&why);
	struct store_options options = { .driver = "rocksdb", .target = target, .loop = loop, .clock = &clock_system, .later_ms = 1000,
					 .write_buffer_bytes = 1 << 20, .block_cache_bytes = 1 << 20 };
	struct store *s = store_open(&options, &why);

	bool opened = s != NULL;
	store_close(&s);
	loop_free(&loop);
	return opened ? 0 : strstr(text, "another greylagd uses it") ? 1 : 2;
}

/* Overwrites the middle of every file in the folder whose name starts so. */
static void damage(const char *folder, const char *start)
{
	char command[400];

	snprintf(command, sizeof command, "for f in %s/%s*; do printf 'XXXXXXXXXXXXXXXXXXXXXXXX' | "
		 "dd of=$f bs=1 seek=8 conv=notrunc 2>/dev/null || exit 1; done", folder, start);
	assert_int_equal(system(command), 0);
}

static void test_damaged(void **state)
{
	char path[200];
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_fill(&h, 0, 2000);
	harness_close(&h);
	damage(h.target, "MANIFEST-");
	assert_refused(&h, h.target, "is damaged");
	assert_non_null(strstr(buf_str(&h.why), "backup"));
	if (store_rocksdb_repair(h.target, &h.why) != 0)
		fail_msg("%s", buf_str(&h.why));
	harness_open(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 2000);
	/* A repair is refused while the store is open. */
	assert_int_equal(store_rocksdb_repair(h.target, &h.why), -1);
	harness_close(&h);
	/* Without CURRENT RocksDB would begin anew and delete the tables. */
	snprintf(path, sizeof path, "%s/CURRENT", h.target);
	assert_int_equal(unlink(path), 0);
	assert_refused(&h, h.target, "is damaged");
	harness_end(&h);
}

/* --- Reading --------------------------------------------------------------- */

static void test_reads_from_disk(void **state)
{
	struct store_stats stats;
	struct record got;
	struct harness h;
	char name[32];

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	h.options.block_cache_bytes = 64 * 1024;
	harness_open(&h);
	harness_fill(&h, 0, 50000);
	store_maintain(h.store);
	harness_reopen(&h);
	for (unsigned i = 0; i < 50000; i += 997) {
		snprintf(name, sizeof name, "a key%06u", i);
		assert_true(harness_get(&h, name, &got));
		assert_int_equal(got.first_seen, HARNESS_NOW);
	}
	store_stats(h.store, &stats);
	assert_in_range(stats.gets_slow, 20, 51);
	/* "Never seen" is answered by the filters, without the disk. */
	uint64_t slow = stats.gets_slow;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "a nobody%06u", i);
		assert_false(harness_get(&h, name, &got));
	}
	store_stats(h.store, &stats);
	assert_in_range(stats.gets_slow - slow, 0, 60);
	harness_end(&h);
}

static void put_raw(struct harness *h, const char *key, struct span value)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
	rocksdb_flushoptions_t *f = rocksdb_flushoptions_create();
	char *error = NULL;

	rocksdb_options_set_disable_auto_compactions(o, 1);
	rocksdb_t *db = rocksdb_open(o, h->target, &error);

	assert_null(error);
	rocksdb_put(db, w, key, strlen(key), value.p, value.n, &error);
	assert_null(error);
	rocksdb_flush(db, f, &error);
	assert_null(error);
	rocksdb_close(db);
	rocksdb_flushoptions_destroy(f);
	rocksdb_writeoptions_destroy(w);
	rocksdb_options_destroy(o);
}

static void test_another_version(void **state)
{
	unsigned char future[RECORD_SIZE];
	struct record delta = harness_attempt(HARNESS_NOW), got;
	struct store_stats stats;
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_close(&h);
	record_encode(&delta, future);
	future[0] = RECORD_VERSION + 1;
	put_raw(&h, "a short", (struct span)SPAN("nonsense"));
	put_raw(&h, "a future", span_make((const char *)future, sizeof future));
	put_raw(&h, "a empty", span_make("", 0));
	harness_open(&h);
	assert_false(harness_get(&h, "a short", &got));
	assert_false(harness_get(&h, "a future", &got));
	assert_false(harness_get(&h, "a empty", &got));
	assert_int_equal(harness_scan(&h, "", 10, NULL, NULL), 0);
	store_stats(h.store, &stats);
	assert_true(stats.odd_records >= 3);
	store_maintain(h.store);
	harness_merge(&h, "a future", delta);
	store_maintain(h.store);
	assert_true(harness_get(&h, "a future", &got));
	harness_assert_record(&got, &delta);
	assert_null(store_health(h.store));
	harness_end(&h);
}

/* RocksDB opens few of its files at the start. A look-up that may not wait for a disk
 * finds nothing in the others, and must not take that for an answer. */
static void test_files_not_opened_yet(void **state)
{
	enum { FILES = 60 };
	struct record delta = harness_attempt(HARNESS_NOW), got;
	unsigned char value[RECORD_SIZE];
	char name[20];
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_close(&h);
	record_encode(&delta, value);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "a file%02u", i);
		put_raw(&h, name, span_make((const char *)value, sizeof value));
	}
	harness_open(&h);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "a file%02u", i);
		if (!harness_get(&h, name, &got))
			fail_msg("%s is not found", name);
	}
	harness_end(&h);
}

static void test_lazy(void **state)
{
	struct store_stats stats;
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	h.options.durability = STORE_LAZY;
	harness_open(&h);
	uint64_t before = harness_now_ms();
	for (unsigned i = 0; i < 20; i++)
		harness_fill(&h, i * 100, i * 100 + 100);
	do {
		harness_turn_for(&h, 1500);
		store_stats(h.store, &stats);
	} while (stats.syncs == 0 && harness_now_ms() - before < HARNESS_WAIT_S * 1000);
	assert_in_range(stats.syncs, 1, (harness_now_ms() - before) / 1000 + 2);
	harness_reopen(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 2000);
	harness_end(&h);
}

/* --- kill -9 --------------------------------------------------------------- */

#define IN_FLIGHT 32
#define AT_LEAST 51		/* acknowledgements of a round, however slow the disk is */

struct teller {
	struct store_merge op;
	char name[32];
	unsigned number;
	int pipe;
	bool busy;
};

static void tell(struct store_merge *op, enum store_status status)
{
	struct teller *t = op->arg;

	t->busy = false;
	if (status == STORE_DONE && write(t->pipe, &t->number, sizeof t->number) != (ssize_t)sizeof t->number)
		_exit(4);
}

static void write_next(struct harness *h, struct teller *t, unsigned number)
{
	int n = snprintf(t->name, sizeof t->name, "a key%08u", number);

	t->number = number;
	t->busy = true;
	t->op = (struct store_merge){ .count = 1, .done = tell, .arg = t };
	t->op.deltas[0] = (struct store_delta){ span_make(t->name, (size_t)n), harness_attempt(HARNESS_NOW), true };
	if (store_merge(h->store, &t->op) != STORE_PENDING)
		_exit(5);
}

/* Writes numbered keys, so many at a time, until it is killed; tells each that is safe. */
static _Noreturn void write_until_killed(const char *target, unsigned number, int ends)
{
	static struct teller tellers[IN_FLIGHT];
	struct harness h;

	harness_begin(&h, "rocksdb", target);
	rmdir(h.base);
	harness_open(&h);
	for (;;) {
		for (unsigned i = 0; i < IN_FLIGHT; i++) {
			tellers[i].pipe = ends;
			if (!tellers[i].busy)
				write_next(&h, &tellers[i], number++);
		}
		harness_turn(&h);
	}
}

static unsigned read_acknowledged(int end, unsigned *acked, unsigned most)
{
	unsigned n = 0;

	while (n < most && read(end, &acked[n], sizeof *acked) == (ssize_t)sizeof *acked)
		n++;
	return n;
}

static void run_writer(const char *target, unsigned first, int end)
{
	char first_text[20], pipe_text[20];

	snprintf(first_text, sizeof first_text, "%u", first);
	snprintf(pipe_text, sizeof pipe_text, "%d", end);
	execl("/proc/self/exe", "test", "--write", target, first_text, pipe_text, (char *)NULL);
	_exit(9);
}

static void test_kill(void **state)
{
	static unsigned acked[2000000];
	uint64_t seed = (uint64_t)getpid() * 2654435761u + 1;
	unsigned total = 0;
	struct record got;
	struct harness h;
	char name[32];

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	for (unsigned round = 0; round < 20; round++) {
		unsigned before = total;
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		pid_t pid = fork();
		if (pid == 0)
			run_writer(h.target, round * 1000000, ends[1]);
		close(ends[1]);
		/* They say that it runs. */
		assert_int_equal(read_acknowledged(ends[0], &acked[total], AT_LEAST), AT_LEAST);
		pid_t timer = fork();
		if (timer == 0) {
			usleep((useconds_t)(harness_random(&seed) % 150000));
			kill(pid, SIGKILL);
			_exit(0);
		}
		total += AT_LEAST + read_acknowledged(ends[0], &acked[total + AT_LEAST], 60000);
		int status;
		assert_int_equal(waitpid(timer, &status, 0), timer);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(ends[0]);
		harness_random(&seed);
		harness_open(&h);
		for (unsigned i = round == 19 ? 0 : before; i < total; i++) {
			snprintf(name, sizeof name, "a key%08u", acked[i]);
			if (!harness_get(&h, name, &got))
				fail_msg("round %u: %s was acknowledged and is lost", round, name);
		}
		harness_close(&h);
	}
	print_message("%u acknowledged keys survived 20 kills\n", total);
	assert_true(total > 1000);
	harness_end(&h);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders), cmocka_unit_test(test_not_writable),
		cmocka_unit_test(test_locked), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_reads_from_disk), cmocka_unit_test(test_files_not_opened_yet),
		cmocka_unit_test(test_another_version),
		cmocka_unit_test(test_lazy), cmocka_unit_test(test_kill),
	};

	if (argc == 3 && strcmp(argv[1], "--try-open") == 0)
		return try_open(argv[2]);
	if (argc == 5 && strcmp(argv[1], "--write") == 0)
		write_until_killed(argv[2], (unsigned)strtoul(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
	return cmocka_run_group_tests_name("store_rocksdb", tests, NULL, NULL);
}
