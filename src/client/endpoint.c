#include "client/endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/netaddr.h"

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
	if (span_starts(text, in_unix))
		return parse_unix(span_from(text, in_unix.n), out, why);
	if (span_starts(text, root))
		return parse_unix(text, out, why);
	return parse_inet(span_starts(text, in_inet) ? span_from(text, in_inet.n) : text, out, why);
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
