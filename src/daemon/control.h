/* The control socket: one JSON object a line in, JSON objects a line out, the
 * last one {"end":true} or {"error":"..."}. Whoever may open the socket (mode
 * 0600) may do everything, or, where it is read-only, see everything. Loop thread only. */
#ifndef GREYLAG_DAEMON_CONTROL_H
#define GREYLAG_DAEMON_CONTROL_H

#include "daemon/server.h"

/* Takes over an accepted, non-blocking socket. */
void control_new(struct server *s, int fd, bool read_only);
/* Closes all; commands on their way end without an answer. Returns how many
 * still wait for the store. */
unsigned control_close_all(struct server *s);

#endif
