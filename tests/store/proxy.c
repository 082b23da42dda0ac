#include "proxy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	return at;
}

/* False: this connection ends, perhaps after half an answer. */
static bool hand_on(int from, int to, struct proxy_mood *mood)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof bytes);
	unsigned left = mood ? mood->cut_after : 0;

	if (n <= 0)
		return false;
	if (mood && mood->delay_ms)
		usleep(mood->delay_ms * 1000);
	if (left && (size_t)n >= left) {
		mood->cut_after = 0;
		return write(to, bytes, left - 1) < 0;
	}
	if (left)
		mood->cut_after = left - (unsigned)n;
	return write(to, bytes, (size_t)n) == n;
}

static void serve(int client, const char *server, struct proxy_mood *mood)
{
	struct sockaddr_un at = address_of(server);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct pollfd both[2] = { { client, POLLIN, 0 }, { fd, POLLIN, 0 } };
	bool open = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;

	while (open && poll(both, 2, -1) > 0) {
		if (both[0].revents)
			open = hand_on(client, fd, NULL);
		if (open && both[1].revents)
			open = hand_on(fd, client, mood);
	}
	_exit(0);
}

static void work(int listener, const char *server, struct proxy_mood *mood)
{
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(client, server, mood);
		}
		close(client);
	}
}

void proxy_start(struct proxy *p, const char *path, const char *server)
{
	struct sockaddr_un at = address_of(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	p->mood = mmap(NULL, sizeof *p->mood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->mood != MAP_FAILED);
	unlink(path);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 50), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0)
		work(listener, server, p->mood);
	close(listener);
}

void proxy_stop(struct proxy *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	munmap(p->mood, sizeof *p->mood);
}
