/* A policy connection: bytes in, requests to the engine, replies out. One
 * connection's fault never touches another. Loop thread only. */
#ifndef GREYLAG_DAEMON_CONN_H
#define GREYLAG_DAEMON_CONN_H

#include "daemon/server.h"

/* once: it is closed after its first answer, as greylag_once=1 asks for.
 * Takes over an accepted, non-blocking socket. At the limit of connections an
 * idle one is closed first; with none idle the newcomer is. */
void conn_new(struct server *s, int fd, const struct listen_spec *from);
/* Closes the connection that has been idle longest; false when all are busy. */
bool conn_shed(struct server *s);
/* Closes what has been idle or slow for too long. */
void conn_sweep(struct server *s);
/* Closes all that wait for nothing; returns how many still do. */
unsigned conn_close_idle(struct server *s);
/* Frees what was closed; between events only, when no connection's function runs. */
void conn_reap(void *server);
/* Closes all, replies that were not taken are lost. */
void conn_close_all(struct server *s);

#endif
