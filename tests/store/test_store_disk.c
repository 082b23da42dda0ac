/* The rocksdb driver on disks that fail, vanish, fill up or hang. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- A disk that can be told to fail or hang ------------------------------- */

enum disk { DISK_WORKS, DISK_FAILS, DISK_HANGS };
static int disk;

/* Stands in for libc's, also for RocksDB's calls: the write-ahead log is synced by it. */
int fdatasync(int fd)
{
	while (__atomic_load_n(&disk, __ATOMIC_SEQ_CST) == DISK_HANGS)
		usleep(10000);
	if (__atomic_load_n(&disk, __ATOMIC_SEQ_CST) == DISK_FAILS) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void set_disk(enum disk d)
{
	__atomic_store_n(&disk, (int)d, __ATOMIC_SEQ_CST);
}

/* --- Disks that fail ------------------------------------------------------- */

static bool merge_works(struct harness *h, unsigned i)
{
	struct record delta = harness_attempt(HARNESS_NOW);
	char name[32];

	int n = snprintf(name, sizeof name, "b key%06u", i);
	return harness_try_merge(h, span_make(name, (size_t)n), &delta, true) == STORE_DONE;
}

static void wait_until_works(struct harness *h)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;

	while (!merge_works(h, 999999) && harness_now_ms() < until)
		harness_turn_for(h, 100);
	assert_true(merge_works(h, 999999));
	assert_null(store_health(h->store));
}

static void test_disk_fails(void **state)
{
	struct record got;
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_fill(&h, 0, 1000);
	set_disk(DISK_FAILS);
	assert_false(merge_works(&h, 1));
	assert_non_null(store_health(h.store));
	harness_turn_for(&h, 2500);
	assert_false(merge_works(&h, 2));
	assert_non_null(store_health(h.store));
	set_disk(DISK_WORKS);
	wait_until_works(&h);
	assert_true(harness_get(&h, "a key000007", &got));
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 1000);
	harness_reopen(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 1000);
	harness_end(&h);
}

/* The folder vanishes under the open store (a disk is unmounted) and comes back:
 * the store waits for it and does not begin anew. */
static void test_folder_vanishes(void **state)
{
	char away[200];
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_fill(&h, 0, 1000);
	snprintf(away, sizeof away, "%s/away", h.base);
	assert_int_equal(rename(h.target, away), 0);
	set_disk(DISK_FAILS);
	assert_false(merge_works(&h, 1));
	set_disk(DISK_WORKS);
	harness_wait_text(&h, "missing");
	harness_turn_for(&h, 2500);
	assert_false(merge_works(&h, 2));
	harness_assert_trouble(&h, "missing");
	assert_int_equal(rename(away, h.target), 0);
	wait_until_works(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 1000);
	harness_end(&h);
}

static void merge_failed(struct store_merge *op, enum store_status status)
{
	assert_int_equal(status, STORE_FAILED);
	++*(unsigned *)op->arg;
}

/* As another process sees it. */
static bool is_open(const char *folder)
{
	char path[200];
	int status;

	snprintf(path, sizeof path, "%s/LOCK", folder);
	pid_t pid = fork();
	if (pid == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(path, O_RDWR | O_CLOEXEC);
		_exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status != 0;
}

static void disk_hangs(void **state)
{
	struct record delta = harness_attempt(HARNESS_NOW), got;
	unsigned done = 0;
	struct store_merge ops[3];
	struct harness h;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	harness_open(&h);
	harness_fill(&h, 0, 100);
	set_disk(DISK_HANGS);
	for (unsigned i = 0; i < 3; i++) {
		ops[i] = (struct store_merge){ .count = 1, .done = merge_failed, .arg = &done };
		ops[i].deltas[0] = (struct store_delta){ span_of("b new"), delta, true };
		assert_int_equal(store_merge(h.store, &ops[i]), STORE_PENDING);
		harness_turn_for(&h, 50);
	}
	/* Reading goes on. */
	assert_true(harness_get(&h, "a key000007", &got));
	assert_false(harness_get(&h, "b newer", &got));
	assert_int_equal(done, 0);
	uint64_t before = harness_now_ms();
	harness_close(&h);
	assert_in_range(harness_now_ms() - before, STORE_CLOSE_S * 1000 - 500, STORE_CLOSE_S * 2000);
	assert_int_equal(done, 3);
	loop_free(&h.loop);
	/* The thread that hung comes back after its loop has gone, and closes the database. */
	assert_true(is_open(h.target));
	set_disk(DISK_WORKS);
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	while (is_open(h.target) && harness_now_ms() < until)
		usleep(20000);
	assert_false(is_open(h.target));
	usleep(500000);
	h.loop = loop_new(&h.why);
	harness_end(&h);
}

static void disk_full(void **state)
{
	static char block[65536];
	char mount_at[100], hog[200];
	struct record got;
	struct harness h;
	bool failed = false;

	(void)state;
	harness_begin(&h, "rocksdb", NULL);
	snprintf(mount_at, sizeof mount_at, "%s/small", h.base);
	assert_int_equal(mkdir(mount_at, 0700), 0);
	if (mount("tmpfs", mount_at, "tmpfs", 0, "size=24m") != 0) {
		print_message("a disk of 24 MB cannot be mounted here: %s\n", strerror(errno));
		harness_end(&h);
		skip();
	}
	snprintf(h.target, sizeof h.target, "%s/store", mount_at);
	harness_open(&h);
	harness_fill(&h, 0, 5000);
	snprintf(hog, sizeof hog, "%s/hog", mount_at);
	int fd = open(hog, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof block) > 0)
		;
	for (unsigned i = 0; i < 60000 && !failed; i++)
		failed = !merge_works(&h, i);
	assert_true(failed);
	assert_non_null(store_health(h.store));
	/* While it is full: gets work, and nothing ends. */
	harness_turn_for(&h, 3500);
	assert_true(harness_get(&h, "a key000007", &got));
	assert_false(merge_works(&h, 999998));
	assert_non_null(strstr(store_health(h.store), "No space left"));
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	wait_until_works(&h);
	harness_fill(&h, 5000, 10000);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 10000);
	harness_reopen(&h);
	assert_int_equal(harness_scan(&h, "a ", 1000, NULL, NULL), 10000);
	harness_close(&h);
	assert_int_equal(umount(mount_at), 0);
	harness_end(&h);
}

/* --- Cases in a process of their own --------------------------------------- */

#define EXIT_SKIPPED 77

static int run_case(const char *name)
{
	const struct CMUnitTest full[] = { cmocka_unit_test(disk_full) };
	const struct CMUnitTest hangs[] = { cmocka_unit_test(disk_hangs) };

	if (strcmp(name, "hangs") == 0) {
		int failed = cmocka_run_group_tests_name("disk_hangs", hangs, NULL, NULL);
		/* As greylagd ends then: what exit takes down may still be in use. */
		fflush(NULL);
		_exit(failed);
	}
	/* RocksDB's threads stay for the life of a process and would not see a disk
	 * that is mounted in a namespace made after they were. */
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		print_message("no mount namespace of its own: %s\n", strerror(errno));
		return EXIT_SKIPPED;
	}
	return cmocka_run_group_tests_name("disk_full", full, NULL, NULL);
}

static void run_alone(const char *name)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* A store that hangs leaves its memory to the thread that hangs. */
		if (strcmp(name, "hangs") == 0)
			setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		execl("/proc/self/exe", "test", "--case", name, (char *)NULL);
		_exit(9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == EXIT_SKIPPED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_disk_full(void **state)
{
	(void)state;
	run_alone("full");
}

static void test_disk_hangs(void **state)
{
	(void)state;
	run_alone("hangs");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_fails), cmocka_unit_test(test_folder_vanishes),
		cmocka_unit_test(test_disk_full), cmocka_unit_test(test_disk_hangs),
	};

	if (argc == 3 && strcmp(argv[1], "--case") == 0)
		return run_case(argv[2]);
	return cmocka_run_group_tests_name("store_disk", tests, NULL, NULL);
}
