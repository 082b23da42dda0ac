/* Listening sockets that the service manager opened and hands over: descriptors
 * from 3 on, their number in LISTEN_FDS, their owner in LISTEN_PID (sd_listen_fds(3),
 * protocol only; no library). They stay with the manager, which keeps them
 * over a restart. Before there are threads. */
#ifndef GREYLAG_BASE_INHERIT_H
#define GREYLAG_BASE_INHERIT_H

#include "base/endpoint.h"

#define INHERIT_MAX 64

/* Takes what is there, once, before the process forks; later ones are for somebody else. */
void inherit_begin(void);
/* A non-blocking descriptor of the inherited socket that listens there, the
 * caller's to close; -1: none does. A socket can be asked for again, after a
 * reload for example. */
int inherit_socket(const struct endpoint *e);
/* Closes a listening socket; nobody uses any more what inherit_socket gave it for. */
void inherit_close(int fd);
/* What nobody uses: calls fn with each one's name, "unix:PATH" or "inet:ADDRESS:PORT", and its
 * own descriptor, non-blocking and not to be closed. */
void inherit_unused(void (*fn)(const char *name, int fd, void *arg), void *arg);

#endif
