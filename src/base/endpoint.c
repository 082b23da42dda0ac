#include "base/endpoint.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/netaddr.h"

#define BACKLOG 1024

static int parse_unix(struct span path, struct endpoint *out, struct buf *why)
{
	struct sockaddr_un *a = (struct sockaddr_un *)&out->address;

	if (path.n == 0 || path.n >= sizeof a->sun_path || span_find(path, '\0') < path.n)
		return buf_fail(why, "the path of a UNIX socket has 1 to %zu bytes", sizeof a->sun_path - 1);
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, path.p, path.n);
	out->length = sizeof *a;
	return 0;
}

static int parse_inet(struct span s, struct endpoint *out, struct buf *why)
{
	size_t colon = span_rfind(s, ':');
	struct span host = span_head(s, colon);
	struct netaddr address;
	uint64_t port;

	if (!netaddr_parse(host, &address) || !span_uint(span_from(s, colon + 1), 65535, &port) || port == 0)
		return buf_fail(why, "an address and a port are needed, such as inet:127.0.0.1:10023");
	if (address.family == 4) {
		struct sockaddr_in *a = (struct sockaddr_in *)&out->address;
		a->sin_family = AF_INET;
		a->sin_port = htons((uint16_t)port);
		memcpy(&a->sin_addr, address.bytes, 4);
		out->length = sizeof *a;
	} else {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&out->address;
		a->sin6_family = AF_INET6;
		a->sin6_port = htons((uint16_t)port);
		memcpy(&a->sin6_addr, address.bytes, 16);
		out->length = sizeof *a;
	}
	return 0;
}

int endpoint_parse(struct span text, struct endpoint *out, struct buf *why)
{
	static const struct span in_unix = SPAN("unix:"), in_inet = SPAN("inet:"), root = SPAN("/");

	*out = (struct endpoint){ 0 };
	bool is_unix = span_starts(text, in_unix) || span_starts(text, root);
	struct buf name = BUF_ON(out->name);
	if (span_starts(text, in_unix) || span_starts(text, in_inet))
		text = span_from(text, in_unix.n);
	buf_addspan(&name, is_unix ? in_unix : in_inet);
	buf_addspan(&name, text);
	return is_unix ? parse_unix(text, out, why) : parse_inet(text, out, why);
}

int endpoint_connect(const struct endpoint *e)
{
	int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	if (e->address.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&e->address, e->length) == 0 || errno == EINPROGRESS)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

const char *endpoint_path(const struct endpoint *e)
{
	return e->address.ss_family == AF_UNIX ? ((const struct sockaddr_un *)&e->address)->sun_path : NULL;
}

/* --- Listening ---------------------------------------------------------------------- */

static int fail(int fd, const struct endpoint *e, struct buf *why, const char *what)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	return buf_fail(why, "%s: %s: %s", e->name, what, strerror(error));
}

static bool answers(const struct endpoint *e)
{
	int fd = endpoint_connect(e);

	/* EAGAIN: its queue is full, so somebody listens. */
	if (fd < 0)
		return errno == EAGAIN;
	close(fd);
	return true;
}

static int make_way(const struct endpoint *e, struct buf *why)
{
	const char *path = endpoint_path(e);
	struct stat st;

	if (!path || lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return buf_fail(why, "%s: is there already and is no socket", e->name);
	if (answers(e))
		return buf_fail(why, "%s: another process listens there", e->name);
	unlink(path);
	return 0;
}

/* Permissions before listen(), so that nobody gets in by the umask's leave. */
static int set_access(int fd, const struct endpoint *e, unsigned mode, const char *group, struct buf *why)
{
	const char *path = endpoint_path(e);
	const struct group *g = group[0] ? getgrnam(group) : NULL;

	if (group[0] && !g) {
		close(fd);
		return buf_fail(why, "%s: no group named %s", e->name, group);
	}
	if (g && chown(path, (uid_t)-1, g->gr_gid) != 0)
		return fail(fd, e, why, "cannot set the group");
	if (chmod(path, mode) != 0)
		return fail(fd, e, why, "cannot set the mode");
	return fd;
}

int endpoint_listen(const struct endpoint *e, unsigned mode, const char *group, struct buf *why)
{
	static const int one = 1;

	if (make_way(e, why) != 0)
		return -1;
	int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(fd, e, why, "socket");
	if (!endpoint_path(e))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (e->address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	mode_t mask = umask(0177);
	int bound = bind(fd, (const struct sockaddr *)&e->address, e->length);
	umask(mask);
	if (bound != 0)
		return fail(fd, e, why, "cannot bind");
	if (endpoint_path(e) && set_access(fd, e, mode, group, why) < 0)
		return -1;
	return listen(fd, BACKLOG) == 0 ? fd : fail(fd, e, why, "cannot listen");
}
