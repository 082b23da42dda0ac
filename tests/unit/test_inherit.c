/* inherit_begin works once a process, so all is seen in one: a TCP socket, a UNIX
 * socket, a datagram socket and a hole among the descriptors. */
#include "check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/inherit.h"

#define AT 3
static char unix_path[100];
static uint16_t port;

static struct endpoint endpoint(const char *text)
{
	struct endpoint e;
	char problem[200];
	struct buf why = BUF_ON(problem);

	assert_int_equal(endpoint_parse(span_of(text), &e, &why), 0);
	return e;
}

static int on_tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&a, &length);
	port = ntohs(a.sin_port);
	return fd;
}

static int on_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", unix_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void put(int fd, int at)
{
	assert_int_equal(dup2(fd, at), at);
	close(fd);
}

static void count(const char *name, int fd, void *arg)
{
	struct buf *seen = arg;

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	buf_addf(seen, "%s;", name);
}

static void takes_what_listens(void **state)
{
	char text[60], names[300];
	struct buf seen = BUF_ON(names);

	(void)state;
	snprintf(text, sizeof text, "inet:127.0.0.1:%u", (unsigned)port);
	inherit_begin();
	assert_null(getenv("LISTEN_FDS"));
	inherit_unused(count, &seen);
	struct endpoint tcp = endpoint(text), un = endpoint(unix_path);
	char both[300];
	snprintf(both, sizeof both, "%s;unix:%s;", text, unix_path);
	assert_string_equal(buf_str(&seen), both);
	int fd = inherit_socket(&tcp);
	assert_true(fd > AT);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	/* Again, as after a reload that had removed it. */
	fd = inherit_socket(&tcp);
	assert_true(fd > AT);
	close(fd);
	fd = inherit_socket(&un);
	assert_true(fd > AT);
	close(fd);
	buf_clear(&seen);
	inherit_unused(count, &seen);
	assert_int_equal(seen.n, 0);
	/* A line that is gone after a reload. */
	inherit_close(inherit_socket(&un));
	inherit_unused(count, &seen);
	assert_span(span_from(buf_span(&seen), strlen("unix:")), both + strlen(text) + strlen(";unix:"));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	inherit_close(fd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	struct endpoint other = endpoint("inet:127.0.0.2:1"), six = endpoint("inet:[::1]:1"), away = endpoint("/nowhere");
	assert_int_equal(inherit_socket(&other), -1);
	assert_int_equal(inherit_socket(&six), -1);
	assert_int_equal(inherit_socket(&away), -1);
}

/* What is meant for another process, or is no number, takes nothing. */
static void wrong_words(void **state)
{
	static const char *const words[][2] = { { "1", "2" }, { "x", "2" }, { "", "2" }, { NULL, "2" }, { "me", "65" },
						{ "me", "-1" }, { "me", "" }, { "me", NULL }, { "me", "99999999999999999999" } };
	char pid[20];

	(void)state;
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *owner = words[i][0] && strcmp(words[i][0], "me") == 0 ? pid : words[i][0];
		unsetenv("LISTEN_PID");
		unsetenv("LISTEN_FDS");
		if (owner)
			setenv("LISTEN_PID", owner, 1);
		if (words[i][1])
			setenv("LISTEN_FDS", words[i][1], 1);
		inherit_begin();
		char names[100];
		struct buf seen = BUF_ON(names);
		inherit_unused(count, &seen);
		assert_int_equal(seen.n, 0);
	}
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(wrong_words), cmocka_unit_test(takes_what_listens) };

	/* Away from the low descriptors, which may be in use. */
	snprintf(unix_path, sizeof unix_path, "/tmp/greylag-inherit-%d", (int)getpid());
	put(fcntl(on_tcp(), F_DUPFD, 50), AT);
	put(fcntl(on_unix(), F_DUPFD, 50), AT + 1);
	put(fcntl(socket(AF_UNIX, SOCK_DGRAM, 0), F_DUPFD, 50), AT + 2);
	close(AT + 3);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(unix_path);
	return failed;
}
