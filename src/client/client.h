/* The control socket from the side of those who command: greylag(1), greylag-web(8). A
 * client blocks, and belongs to one thread. */
#ifndef GREYLAG_CLIENT_CLIENT_H
#define GREYLAG_CLIENT_CLIENT_H

#include <jansson.h>

#include "base/buf.h"

/* Exit statuses (sysexits(3) where they fit). */
enum { STATUS_OK = 0, STATUS_NO = 1, STATUS_USAGE = 64, STATUS_UNAVAILABLE = 69, STATUS_TEMPORARY = 75,
       STATUS_DENIED = 77 };

#define CLIENT_LIMIT_MS 10000	/* for those who wait for an answer at a terminal */

struct client {
	int fd;
	struct buf in;
	char problem[700];	/* what went wrong, for people */
	bool refused;		/* ... as greylagd said */
	uint64_t until_ns;	/* by clock_mono, to be set once open: all of it ends by then; 0: no such end */
};

/* Connects; no step takes longer than limit_ms. STATUS_OK, or the status to exit with
 * and c->problem. To be closed in either case. */
int client_open(struct client *c, const char *path, unsigned limit_ms);
void client_close(struct client *c);
/* Sends one command. */
int client_send(struct client *c, const json_t *request);
/* The next row: 1 with *row (the caller drops it), 0 at the end, -1 on an error,
 * the daemon's own included, with c->problem. */
int client_row(struct client *c, json_t **row);

#endif
