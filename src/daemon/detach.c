#include "daemon/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

static int report_fd = -1;

/* The pipe's end without a word means that the child has died. */
static void wait_for_child(int fd, int failed)
{
	char word;
	ssize_t n;

	while ((n = read(fd, &word, 1)) < 0 && errno == EINTR)
		;
	_exit(n == 1 ? 0 : failed);
}

int detach_begin(int failed, struct buf *why)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return buf_fail(why, "pipe: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		return buf_fail(why, "fork: %s", strerror(errno));
	if (child > 0) {
		close(ends[1]);
		wait_for_child(ends[0], failed);
	}
	close(ends[0]);
	setsid();
	report_fd = ends[1];
	return 0;
}

void detach_ready(void)
{
	if (report_fd < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		close(null);
	}
	(void)!write(report_fd, "+", 1);
	close(report_fd);
	report_fd = -1;
}
