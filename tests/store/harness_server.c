/* A real server for the driver valkey, in a folder of the test. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const programs[] = {
	"/usr/bin/valkey-server", "/usr/local/bin/valkey-server", "/usr/bin/redis-server", "/usr/local/bin/redis-server",
};

const char *harness_server_program(void)
{
	for (size_t i = 0; STORE_VALKEY && i < sizeof programs / sizeof *programs; i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

bool harness_server_there(void)
{
	return harness_server_program() != NULL;
}

static int dial(const struct harness_server *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", s->folder);
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

static void run(const char *folder, const char *password)
{
	const char *name = harness_server_program();
	char socket_path[120];
	int null = open("/dev/null", O_RDWR);

	/* A test that fails leaves none behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!name)
		_exit(127);
	snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execl(name, "server", "--port", "0", "--unixsocket", socket_path, "--dir", folder, "--save", "",
	      "--appendonly", "no", password ? "--requirepass" : (char *)NULL, password, (char *)NULL);
	_exit(127);
}

void harness_server_start(struct harness_server *s, const char *folder, const char *password)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	snprintf(s->folder, sizeof s->folder, "%s", folder);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		run(folder, password);
	while ((fd = dial(s)) < 0 && harness_now_ms() < until)
		usleep(2000);
	assert_true(fd >= 0);
	close(fd);
}

void harness_server_signal(struct harness_server *s, int signal_number)
{
	assert_int_equal(kill(s->pid, signal_number), 0);
}

void harness_server_stop(struct harness_server *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}

void harness_server_ask(struct harness_server *s, const char *command)
{
	char answer[100] = "";
	int fd = dial(s);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, command, strlen(command)), (ssize_t)strlen(command));
	assert_int_equal(write(fd, "\r\n", 2), 2);
	assert_true(read(fd, answer, sizeof answer - 1) > 0);
	assert_int_not_equal(answer[0], '-');
	close(fd);
}
