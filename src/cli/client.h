/* The control socket from the command's side. */
#ifndef GREYLAG_CLI_CLIENT_H
#define GREYLAG_CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"

/* Exit statuses (sysexits(3) where they fit). */
enum { STATUS_OK = 0, STATUS_NO = 1, STATUS_USAGE = 64, STATUS_UNAVAILABLE = 69, STATUS_TEMPORARY = 75,
       STATUS_DENIED = 77 };

struct client {
	int fd;
	struct buf in;
	char problem[700];	/* what went wrong, for people */
};

/* Connects within 10 seconds. STATUS_OK, or the status to exit with and c->problem. */
int client_open(struct client *c, const char *path);
void client_close(struct client *c);
/* Sends one command. */
int client_send(struct client *c, const json_t *request);
/* The next row: 1 with *row (the caller drops it), 0 at the end, -1 on an error,
 * the daemon's own included, with c->problem. */
int client_row(struct client *c, json_t **row);

#endif
