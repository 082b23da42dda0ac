/* The control socket: one JSON object a line in, JSON objects a line out, the
 * last one {"end":true} or {"error":"..."}. Whoever may open the socket (mode
 * 0600) may do everything, or, where it is read-only, see everything. Loop thread only. */
#ifndef GREYLAG_DAEMON_CONTROL_H
#define GREYLAG_DAEMON_CONTROL_H

#include "daemon/server.h"

/* Takes over a non-blocking socket that l accepted. Closes it when there are too many:
 * 64, and 32 that are read-only. */
void control_new(struct listener *l, int fd);
/* Closes what l accepted, for l goes: a connection must not outlive the rights it came by. One
 * that waits for an answer gets it first; it may change nothing more. */
void control_close_of(struct server *s, const struct listener *l);
/* Closes all; commands on their way end without an answer. Returns how many
 * still wait for the store. */
unsigned control_close_all(struct server *s);

#endif
