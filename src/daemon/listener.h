/* Listening sockets. Loop thread only. */
#ifndef GREYLAG_DAEMON_LISTENER_H
#define GREYLAG_DAEMON_LISTENER_H

#include "daemon/server.h"

/* Opens, binds and listens, without watching yet (this may happen as root,
 * before privileges are dropped). A socket of the service manager that listens there
 * (base/inherit.h) is taken. Otherwise a stale UNIX socket file is replaced; one
 * that answers belongs to another process and is an error. 0, or -1 with why. */
int listener_open(struct listener *l, struct server *s, const struct listen_spec *spec,
		  struct buf *why);
/* Starts accepting. */
void listener_start(struct listener *l);
/* Stops and closes; removes the UNIX socket if it is still ours. */
void listener_close(struct listener *l);

/* Sockets of the service manager that no `listen` line names go on listening, whether we
 * close them or not: warns of each, and turns away who connects there. */
void listener_refuse_unnamed(struct server *s);
/* Leaves those who connect there to wait for the manager's next process. */
void listener_leave_unnamed(struct server *s);

/* Closes listeners, and their control connections, that the new configuration no longer has, opens those that
 * are new. What cannot be opened is logged and counted in the return value. */
unsigned listener_sync(struct server *s, const struct config *config);

/* "unix:PATH" or "inet:HOST:PORT". */
void listener_name(struct buf *out, const struct listen_spec *spec);

#endif
