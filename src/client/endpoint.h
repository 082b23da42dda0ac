/* Where greylagd listens, as a door's option --socket says it. */
#ifndef GREYLAG_CLIENT_ENDPOINT_H
#define GREYLAG_CLIENT_ENDPOINT_H

#include <sys/socket.h>

#include "base/buf.h"

#define ENDPOINT_DEFAULT "unix:/run/greylag/policy"

struct endpoint {
	struct sockaddr_storage address;
	socklen_t length;
};

/* "unix:/PATH", "/PATH", "inet:ADDRESS:PORT" or "ADDRESS:PORT", IPv6 addresses in
 * brackets. No host names: looking one up may block. 0, or -1 with why. */
int endpoint_parse(struct span text, struct endpoint *out, struct buf *why);
/* A non-blocking socket that is connecting or connected; -1 with errno. A UNIX
 * socket whose accept queue is full gives EAGAIN: try again. */
int endpoint_connect(const struct endpoint *e);

#endif
