/* milterbench - load for a milter: C sessions, each MAIL and RCPT over and over, one
 * reply awaited at a time.
 *
 *   milterbench /path/of/socket SESSIONS RECIPIENTS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static unsigned long left, asked;

static void put(char **at, char command, const void *data, uint32_t n)
{
	uint32_t length = htonl(n + 1);

	memcpy(*at, &length, 4);
	(*at)[4] = command;
	memcpy(*at + 5, data, n);
	*at += 5 + n;
}

static void send_all(int fd, const char *bytes, size_t n)
{
	if (write(fd, bytes, n) != (ssize_t)n) {
		perror("write");
		exit(1);
	}
}

static void ask(int fd)
{
	char bytes[400], address[100], *at = bytes;
	int n = snprintf(address, sizeof address, "<s%lu@example.org>", asked++ % 5000);

	put(&at, 'A', "", 0);
	put(&at, 'M', address, (uint32_t)n + 1);
	put(&at, 'R', "<bob@example.net>", 18);
	send_all(fd, bytes, (size_t)(at - bytes));
	left--;
}

static int start(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char bytes[400], *at = bytes, reply[4096];
	uint32_t offer[3] = { htonl(6), htonl(0x1ff), htonl(0x1fffff) };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		perror(path);
		exit(1);
	}
	put(&at, 'O', offer, sizeof offer);
	send_all(fd, bytes, (size_t)(at - bytes));
	if (read(fd, reply, sizeof reply) < 17)
		exit(1);
	at = bytes;
	put(&at, 'C', "mx.example.org\0" "4\0\31" "192.0.2.1", 28);
	put(&at, 'H', "mx.example.org", 15);
	send_all(fd, bytes, (size_t)(at - bytes));
	return fd;
}

int main(int argc, char **argv)
{
	int sessions = argc == 4 ? atoi(argv[2]) : 0, poll = epoll_create1(0), open = sessions;
	struct epoll_event events[64];
	struct timespec from, to;
	char bytes[4096];

	if (sessions < 1 || (left = strtoul(argv[3], NULL, 10)) < (unsigned long)sessions) {
		fprintf(stderr, "usage: milterbench SOCKET SESSIONS RECIPIENTS\n");
		return 64;
	}
	unsigned long total = left;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < sessions; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = start(argv[1]) };
		epoll_ctl(poll, EPOLL_CTL_ADD, e.data.fd, &e);
		ask(e.data.fd);
	}
	while (open) {
		int n = epoll_wait(poll, events, 64, 10000);
		if (n <= 0)
			return 1;
		for (int i = 0; i < n; i++) {
			if (read(events[i].data.fd, bytes, sizeof bytes) < 5)
				return 1;
			if (left) {
				ask(events[i].data.fd);
			} else {
				close(events[i].data.fd);
				open--;
			}
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("rate %.0f/s\n", (double)total / s);
	return 0;
}
