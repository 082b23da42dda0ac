/* Where a service listens: a UNIX socket, or an address and a port. */
#ifndef GREYLAG_BASE_ENDPOINT_H
#define GREYLAG_BASE_ENDPOINT_H

#include <sys/socket.h>

#include "base/buf.h"

#define ENDPOINT_TEXT 200	/* longest text that names one, with room */

struct endpoint {
	char name[128];			/* "unix:PATH" or "inet:ADDRESS:PORT", for messages */
	struct sockaddr_storage address;
	socklen_t length;
};

/* "unix:/PATH", "/PATH", "inet:ADDRESS:PORT" or "ADDRESS:PORT", IPv6 addresses in
 * brackets. No host names: looking one up may block. 0, or -1 with why. */
int endpoint_parse(struct span text, struct endpoint *out, struct buf *why);
/* A non-blocking socket that is connecting or connected; -1 with errno. A UNIX
 * socket whose accept queue is full gives EAGAIN: try again. */
int endpoint_connect(const struct endpoint *e);
/* A non-blocking socket that listens there; -1 with why. A stale UNIX socket file is
 * replaced, one that answers belongs to another process and is an error. mode and
 * group (may be "") are those of the file; nobody gets in before they are set. */
int endpoint_listen(const struct endpoint *e, unsigned mode, const char *group, struct buf *why);
/* The path of a UNIX socket, NULL otherwise. */
const char *endpoint_path(const struct endpoint *e);

#endif
