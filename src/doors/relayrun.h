/* The server as a child behind pipes, and the bytes between it, the relay and the
 * client on standard input and output. */
#ifndef GREYLAG_DOORS_RELAYRUN_H
#define GREYLAG_DOORS_RELAYRUN_H

#include "doors/smtprelay.h"

/* Starts argv and relays until it has ended and all it said is with the client, who
 * may go earlier. answer is called for each question and may block. 0 with the
 * server's wait status; -1 with why when it could not be started. What cannot be
 * executed has status 111, as with the tools of ucspi-tcp. */
int relay_run(char **argv, struct smtprelay *relay, void (*answer)(struct smtprelay *relay, void *arg),
	      void *arg, int *status, struct buf *why);

#endif
