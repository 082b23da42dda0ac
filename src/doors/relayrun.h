/* The server as a child behind pipes, and the bytes between it, the relay and the
 * client on standard input and output. */
#ifndef GREYLAG_DOORS_RELAYRUN_H
#define GREYLAG_DOORS_RELAYRUN_H

#include "doors/smtprelay.h"

struct relay_job {
	struct smtprelay *relay;
	char **argv;
	/* In the child: becomes argv, or returns the exit status. */
	int (*become)(char **argv);
	/* For each question; may block. */
	void (*answer)(struct smtprelay *relay, void *arg);
	void *arg;
};

/* Starts the server and relays until it has ended and all it said is with the client,
 * who may go earlier. 0 with the server's wait status; -1 with why when it could not
 * be started. */
int relay_run(const struct relay_job *job, int *status, struct buf *why);

#endif
