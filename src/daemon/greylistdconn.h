/* A connection of `listen greylistd`: one command in, one answer out, closed.
 * Loop thread only. */
#ifndef GREYLAG_DAEMON_GREYLISTDCONN_H
#define GREYLAG_DAEMON_GREYLISTDCONN_H

#include "daemon/server.h"

/* Takes over an accepted, non-blocking socket; closes it when there are too many. */
void greylistdconn_new(struct server *s, int fd);
/* Closes what takes too long. */
void greylistdconn_sweep(struct server *s);
/* Closes all that wait for nothing. */
void greylistdconn_close_idle(struct server *s);
/* Closes all, answers that were not taken are lost. */
void greylistdconn_close_all(struct server *s);
/* Frees what was closed; between events only, when no connection's function runs. */
void greylistdconn_reap(void *server);

#endif
