#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

static char folder[] = "/tmp/greylag-log-XXXXXX";
static char path[64], moved[64];

static size_t read_back(const char *name, char *out, size_t size)
{
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	ssize_t n = read(fd, out, size - 1);
	close(fd);
	assert_true(n >= 0);
	out[n] = '\0';
	return (size_t)n;
}

static int open_log(enum log_level level)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	const struct log_options options = { LOG_TO_FILE, path, "tester", 0, level };
	return log_open(&options, &why);
}

static void collects_and_flushes(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(open_log(LOG_LEVEL_INFO), 0);
	log_msg(LOG_LEVEL_INFO, "number %d", 1);
	assert_int_equal(read_back(path, text, sizeof text), 0);
	log_msg(LOG_LEVEL_DEBUG, "not wanted");
	log_flush();
	read_back(path, text, sizeof text);
	assert_non_null(strstr(text, "tester: number 1\n"));
	assert_null(strstr(text, "not wanted"));
	log_msg(LOG_LEVEL_ERROR, "at once");
	read_back(path, text, sizeof text);
	assert_non_null(strstr(text, "at once\n"));
}

static void reopens_after_rotation(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(open_log(LOG_LEVEL_INFO), 0);
	log_msg(LOG_LEVEL_INFO, "old");
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(open_log(LOG_LEVEL_INFO), 0);
	log_msg(LOG_LEVEL_ERROR, "new");
	read_back(moved, text, sizeof text);
	assert_non_null(strstr(text, "old"));
	assert_null(strstr(text, "new"));
	read_back(path, text, sizeof text);
	assert_non_null(strstr(text, "new"));
}

static void a_bad_file_keeps_the_former(void **state)
{
	char text[4096], problem[200];
	struct buf why = BUF_ON(problem);
	const struct log_options bad = { LOG_TO_FILE, "/nonexistent/log", "tester", 0, LOG_LEVEL_INFO };

	(void)state;
	assert_int_equal(open_log(LOG_LEVEL_INFO), 0);
	assert_int_equal(log_open(&bad, &why), -1);
	assert_non_null(strstr(buf_str(&why), "/nonexistent/log"));
	log_msg(LOG_LEVEL_ERROR, "still here");
	read_back(path, text, sizeof text);
	assert_non_null(strstr(text, "still here"));
}

static void a_full_disk_loses_lines_and_says_so(void **state)
{
	char problem[200], text[4096];
	struct buf why = BUF_ON(problem);
	const struct log_options full = { LOG_TO_FILE, "/dev/full", "tester", 0, LOG_LEVEL_INFO };

	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	uint64_t before = log_dropped();
	assert_int_equal(log_open(&full, &why), 0);
	log_msg(LOG_LEVEL_INFO, "one");
	log_msg(LOG_LEVEL_ERROR, "two");
	assert_int_equal(log_dropped() - before, 2);
	assert_int_equal(open_log(LOG_LEVEL_INFO), 0);
	log_msg(LOG_LEVEL_ERROR, "three");
	read_back(path, text, sizeof text);
	assert_non_null(strstr(text, "log lines lost: 2"));
}

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/log", folder);
	snprintf(moved, sizeof moved, "%s/log.1", folder);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	log_close();
	unlink(path);
	unlink(moved);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(collects_and_flushes, clean),
		cmocka_unit_test_teardown(reopens_after_rotation, clean),
		cmocka_unit_test_teardown(a_bad_file_keeps_the_former, clean),
		cmocka_unit_test_teardown(a_full_disk_loses_lines_and_says_so, clean),
	};
	return cmocka_run_group_tests_name("log", tests, make_folder, remove_folder);
}
