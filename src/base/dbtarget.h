/* Which database of which servers: the words of the configuration. */
#ifndef GREYLAG_BASE_DBTARGET_H
#define GREYLAG_BASE_DBTARGET_H

#include "base/buf.h"

#define DBTARGET_SERVERS 8
#define DBTARGET_NAME 64	/* bytes of a database's name */

struct dbtarget_server {
	char name[256];		/* host name or address, for a UNIX socket its path */
	bool local;		/* a UNIX socket */
	unsigned port;		/* 0: none was given */
};

struct dbtarget {
	unsigned count;
	struct dbtarget_server servers[DBTARGET_SERVERS];	/* to be tried in this order */
	char database[DBTARGET_NAME + 1];
};

/* "SERVER[,SERVER...]/DATABASE", a server being "unix:/PATH", "HOST" or "HOST:PORT",
 * IPv6 addresses in brackets. The database's name has letters, digits, '_', '-' and
 * '$'. Nothing is looked up. 0, or -1 with why. */
int dbtarget_parse(struct span text, struct dbtarget *out, struct buf *why);
/* "HOST:PORT" or "unix:/PATH", for messages. */
void dbtarget_name(struct buf *out, const struct dbtarget_server *server);

#endif
