#include "port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Below ip_local_port_range (ip(7)). */
#define FIRST 10240
#define LAST 32000

/* The reservation is a socket in the abstract namespace (unix(7)), which ends with us. */
static int reserve(unsigned port)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "greylag-test-port-%u", port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool is_free(int type, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool bound = bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;

	close(fd);
	return bound;
}

unsigned port_reserve(void)
{
	static unsigned next;

	if (!next)
		next = (unsigned)getpid() * 37;
	for (unsigned i = 0; i < 2000; i++) {
		unsigned port = FIRST + next++ % (LAST - FIRST);
		int fd = reserve(port);
		if (fd < 0)
			continue;
		if (is_free(SOCK_STREAM, port) && is_free(SOCK_DGRAM, port))
			return port;
		close(fd);
	}
	fputs("no free port\n", stderr);
	abort();
}
