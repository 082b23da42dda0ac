/* The journal's files, on a disk: rotation that fails, lines too long, ends. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/inside.h"
#include "requestlog/writer.h"

#define HELO_BYTES 8000
#define PIECE 9					/* lines that wake the thread at once */
#define LINES_A_FILE ((size_t)15 * PIECE)	/* a few more than fit */
#define LIMIT_MS 60000

static char folder[40], journal[60], messages[60];
static struct snapshot snapshot;

static void ignore(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

static const char *under(const char *name)
{
	static char path[320];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static struct requestlog_options options(unsigned keep)
{
	return (struct requestlog_options){ .path = journal, .size = REQUESTLOG_SIZE_LEAST, .keep = keep };
}

static struct requestlog *begin(unsigned keep)
{
	struct requestlog_options o = options(keep);
	char problem[200];
	struct buf why = BUF_ON(problem);
	struct requestlog *l = requestlog_open(&o, &why);

	if (!l)
		fail_msg("%s", problem);
	return l;
}

static void end(struct requestlog **l)
{
	struct requestlog *left = NULL;

	requestlog_leave(l, &left);
	assert_null(*l);
	assert_true(requestlog_close(&left));
	assert_null(left);
}

static void add(struct requestlog *l, size_t helo_bytes)
{
	static char helo[64 * 1024];
	static struct inquiry q;

	memset(helo, 'x', sizeof helo);
	q = (struct inquiry){ .now = 1795255200, .snapshot = &snapshot };
	decision_begin(&q.decision);
	facts_begin(&q.facts);
	q.request.client_text = span_of("192.0.2.1");
	q.request.helo = span_make(helo, helo_bytes);
	requestlog_add(l, &q);
}

static struct requestlog_stats settled(struct requestlog *l)
{
	struct requestlog_stats st;

	for (int i = 0; i < LIMIT_MS; i++) {
		requestlog_stats(l, &st);
		if (st.waiting == 0)
			return st;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail_msg("%llu line(s) still wait", (unsigned long long)st.waiting);
	return st;
}

static void add_piece(struct requestlog *l)
{
	for (int i = 0; i < PIECE; i++)
		add(l, HELO_BYTES);
	settled(l);
}

static void fill(struct requestlog *l)
{
	for (size_t i = 0; i < LINES_A_FILE / PIECE; i++)
		add_piece(l);
}

static long long size_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? (long long)st.st_size : -1;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(under(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool logged(const char *words)
{
	static char text[64 * 1024];

	log_flush();
	int fd = open(messages, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, words) != NULL;
}

static int sweep(void **state)
{
	DIR *d = opendir(folder);
	struct log_options to_file = { .target = LOG_TO_FILE, .path = messages, .ident = "test", .level = LOG_LEVEL_DEBUG };
	char problem[200];
	struct buf why = BUF_ON(problem);

	(void)state;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && unlink(under(e->d_name)) != 0)
			rmdir(under(e->d_name));
	if (d)
		closedir(d);
	return log_open(&to_file, &why);
}

/* --- Rotation ----------------------------------------------------------------------------- */

static void older_files(void)
{
	put("journal.1", "one\n");
	put("journal.2", "two\n");
	put("journal.3", "three\n");
}

static void older_files_are_there(void)
{
	assert_int_equal(size_of(under("journal.1")), 4);
	assert_int_equal(size_of(under("journal.2")), 4);
	assert_int_equal(size_of(under("journal.3")), 6);
}

static void test_rotation(void **state)
{
	struct requestlog *l = begin(3);

	(void)state;
	older_files();
	fill(l);
	fill(l);
	end(&l);
	assert_int_equal(size_of(under("journal.3")), 4);
	assert_true(size_of(under("journal.2")) > 500000 && size_of(under("journal.1")) > 500000);
	assert_true(size_of(journal) > 0);
	assert_int_equal(size_of(under("journal.4")), -1);
	assert_int_equal(size_of(under("journal.new")), -1);
}

static void test_nothing_kept(void **state)
{
	struct requestlog *l = begin(0);

	(void)state;
	fill(l);
	fill(l);
	end(&l);
	assert_true(size_of(journal) > 0 && size_of(journal) <= (long long)REQUESTLOG_SIZE_LEAST);
	assert_int_equal(size_of(under("journal.1")), -1);
}

/* Nothing is lost, old or new, however often it is tried. */
static void goes_on(struct requestlog *l)
{
	fill(l);
	fill(l);
	fill(l);
	assert_int_equal(settled(l).dropped, 0);
	assert_true(size_of(journal) > 2 * (long long)REQUESTLOG_SIZE_LEAST);
	older_files_are_there();
	assert_true(logged("cannot be rotated"));
}

static void test_folder_in_the_way(void **state)
{
	struct requestlog *l = begin(3);

	(void)state;
	older_files();
	assert_int_equal(mkdir(under("journal.new"), 0700), 0);
	goes_on(l);
	assert_int_equal(rmdir(under("journal.new")), 0);
	add_piece(l);
	end(&l);
	assert_int_equal(size_of(under("journal.2")), 4);
	assert_true(size_of(under("journal.1")) > 2 * (long long)REQUESTLOG_SIZE_LEAST);
}

static void test_no_descriptors(void **state)
{
	struct requestlog *l = begin(3);
	struct rlimit before, none;

	(void)state;
	older_files();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fill(l);
	fill(l);
	fill(l);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	older_files_are_there();
	assert_int_equal(settled(l).dropped, 0);
	assert_true(logged("Too many open files"));
	end(&l);
}

/* A gap that a broken shift left is filled; it does not wander until all are gone. */
static void test_gap(void **state)
{
	struct requestlog *l = begin(3);

	(void)state;
	put("journal.2", "two\n");
	put("journal.3", "three\n");
	fill(l);
	fill(l);
	end(&l);
	assert_true(size_of(under("journal.1")) > 500000);
}

/* --- What is not recorded, and the end -------------------------------------------------------- */

static void test_too_long(void **state)
{
	struct requestlog *l = begin(1);

	(void)state;
	add(l, ENTRY_LINE_MAX);
	add(l, 10);
	struct requestlog_stats st = settled(l);
	assert_int_equal(st.dropped, 1);
	assert_int_equal(st.lines, 1);
	end(&l);
	assert_true(logged("1 request(s) not recorded: longer than a line may be"));
	assert_false(logged("than the disk takes"));
}

static void test_memory_full(void **state)
{
	struct requestlog *l = begin(1);

	(void)state;
	for (size_t i = 0; i < 20 * LINES_A_FILE; i++)
		add(l, HELO_BYTES);
	struct requestlog_stats st = settled(l);
	assert_int_equal(st.lines + st.dropped, 20 * LINES_A_FILE);
	end(&l);
	assert_int_equal(st.dropped > 0, logged("more than the disk takes"));
	assert_false(logged("longer than"));
}

/* Several that write their last lines at a time, as after reloads in a row. */
static void test_leaving(void **state)
{
	struct requestlog *left = NULL;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct requestlog *l = begin(1);
		add(l, 10);
		requestlog_leave(&l, &left);
		requestlog_leave(&l, &left);
	}
	for (int i = 0; left && i < LIMIT_MS; i++) {
		requestlog_reap(&left);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_null(left);
	assert_true(requestlog_close(&left));
	assert_true(size_of(journal) > 5 * 50);
}

/* Opened anew again and again while it rotates: what is written goes into the file that has the
 * name, so each is full when it gets another one. */
static void test_change_meanwhile(void **state)
{
	enum { ROTATIONS = 60 };
	struct requestlog_options o = options(ROTATIONS + 5);
	struct requestlog *l = begin(ROTATIONS + 5);
	struct requestlog_stats st;
	char problem[200], name[40];
	struct buf why = BUF_ON(problem);

	(void)state;
	for (size_t i = 0; i < ROTATIONS * LINES_A_FILE / PIECE; i++) {
		for (int j = 0; j < PIECE; j++)
			add(l, HELO_BYTES);
		do {
			assert_int_equal(requestlog_change(l, &o, &why), 0);
			requestlog_stats(l, &st);
		} while (st.waiting);
	}
	assert_int_equal(settled(l).dropped, 0);
	end(&l);
	for (unsigned i = 1; i < ROTATIONS; i++) {
		snprintf(name, sizeof name, "journal.%u", i);
		assert_in_range(size_of(under(name)), REQUESTLOG_SIZE_LEAST * 3 / 4, REQUESTLOG_SIZE_LEAST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rotation, sweep), cmocka_unit_test_setup(test_nothing_kept, sweep),
		cmocka_unit_test_setup(test_folder_in_the_way, sweep), cmocka_unit_test_setup(test_no_descriptors, sweep),
		cmocka_unit_test_setup(test_gap, sweep), cmocka_unit_test_setup(test_too_long, sweep),
		cmocka_unit_test_setup(test_memory_full, sweep), cmocka_unit_test_setup(test_leaving, sweep),
		cmocka_unit_test_setup(test_change_meanwhile, sweep),
	};
	static struct diag diag = { .report = ignore };

	snprintf(folder, sizeof folder, "/tmp/greylag-journal-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(journal, sizeof journal, "%s/journal", folder);
	snprintf(messages, sizeof messages, "%s/messages", folder);
	snapshot.config = config_parse(span_of("greylist delay 60s\n"), "x", &diag);
	if (!snapshot.config)
		return 1;
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	sweep(NULL);
	log_close();
	unlink(messages);
	rmdir(folder);
	config_free(&snapshot.config);
	return failures;
}
