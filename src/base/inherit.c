#include "base/inherit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/netaddr.h"

#define FIRST 3

static struct inherited {
	struct sockaddr_storage address;
	int fd;
	bool used;
} sockets[INHERIT_MAX];
static unsigned socket_count;

static bool listens(int fd, struct sockaddr_storage *address)
{
	int type = 0, accepting = 0;
	socklen_t one = sizeof type, other = sizeof accepting, length = sizeof *address;

	*address = (struct sockaddr_storage){ 0 };
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &one) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &other) == 0 && accepting &&
	       getsockname(fd, (struct sockaddr *)address, &length) == 0;
}

void inherit_begin(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t owner, n;

	if (pid && count && span_uint(span_of(pid), INT32_MAX, &owner) && owner == (uint64_t)getpid() &&
	    span_uint(span_of(count), INHERIT_MAX, &n))
		for (int fd = FIRST; fd < FIRST + (int)n; fd++) {
			struct inherited *s = &sockets[socket_count];
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			s->fd = fd;
			if (!listens(fd, &s->address))
				continue;
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
			socket_count++;
		}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* Only what is compared is the same for two addresses of one place: the kernel
 * fills in lengths and padding as it likes. */
static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_UNIX)
		return strncmp(((const struct sockaddr_un *)a)->sun_path, ((const struct sockaddr_un *)b)->sun_path,
			       sizeof ((const struct sockaddr_un *)a)->sun_path) == 0;
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *x = (const struct sockaddr_in *)a, *y = (const struct sockaddr_in *)b;
		return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a, *y = (const struct sockaddr_in6 *)b;
	return a->ss_family == AF_INET6 && x->sin6_port == y->sin6_port &&
	       memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

static struct inherited *find(const struct sockaddr_storage *address)
{
	for (unsigned i = 0; i < socket_count; i++)
		if (is_same(&sockets[i].address, address))
			return &sockets[i];
	return NULL;
}

int inherit_socket(const struct endpoint *e)
{
	struct inherited *s = find(&e->address);

	if (!s)
		return -1;
	s->used = true;
	return fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
}

void inherit_close(int fd)
{
	struct sockaddr_storage address;
	struct inherited *s = listens(fd, &address) ? find(&address) : NULL;

	if (s)
		s->used = false;
	close(fd);
}

static void name_of(struct buf *out, const struct sockaddr_storage *address)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	struct netaddr a = { 0 };

	if (address->ss_family == AF_UNIX) {
		buf_addf(out, "unix:%.107s", un->sun_path);
		return;
	}
	bool six = address->ss_family == AF_INET6;
	a.family = six ? 6 : 4;
	memcpy(a.bytes, six ? (const void *)&in6->sin6_addr : &in->sin_addr, six ? 16 : 4);
	buf_adds(out, six ? "inet:[" : "inet:");
	netaddr_add(out, &a);
	buf_adds(out, six ? "]:" : ":");
	buf_addu(out, ntohs(six ? in6->sin6_port : in->sin_port));
}

void inherit_unused(void (*fn)(const char *name, int fd, void *arg), void *arg)
{
	char text[ENDPOINT_TEXT];

	for (unsigned i = 0; i < socket_count; i++) {
		struct buf name = BUF_ON(text);
		if (sockets[i].used)
			continue;
		name_of(&name, &sockets[i].address);
		fn(buf_str(&name), sockets[i].fd, arg);
	}
}
