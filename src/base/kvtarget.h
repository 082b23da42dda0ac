/* Which servers of the Redis protocol, and how they hang together: the words of
 * the configuration. */
#ifndef GREYLAG_BASE_KVTARGET_H
#define GREYLAG_BASE_KVTARGET_H

#include "base/endpoint.h"

#define KVTARGET_SERVERS 16
#define KVTARGET_NAME 64	/* bytes of a primary's name */

enum kvtarget_kind {
	KVTARGET_SINGLE,	/* the one server */
	KVTARGET_SENTINEL,	/* the servers are sentinels, who know the primary by its name */
	KVTARGET_CLUSTER,	/* the servers are some of a cluster, who know all of it */
};

struct kvtarget {
	enum kvtarget_kind kind;
	char name[KVTARGET_NAME + 1];	/* KVTARGET_SENTINEL */
	unsigned count;
	struct endpoint servers[KVTARGET_SERVERS];
};

/* What endpoint_parse takes, or "sentinel:NAME@ADDRESS:PORT,ADDRESS:PORT..." or
 * "cluster:ADDRESS:PORT,...". NAME has letters, digits, '.', '-' and '_', as
 * sentinels want it. 0, or -1 with why. */
int kvtarget_parse(struct span text, struct kvtarget *out, struct buf *why);

#endif
