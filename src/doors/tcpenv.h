/* The session as tcpserver describes it to the programs it runs (tcp-environ(5)). */
#ifndef GREYLAG_DOORS_TCPENV_H
#define GREYLAG_DOORS_TCPENV_H

#include "base/buf.h"

/* The environment variable; empty when it is not set. */
struct span tcpenv(const char *name);
/* RELAYCLIENT is set, or GREYLAG=skip: rules of tcp.smtp exempt the client. */
bool tcpenv_exempt(void);
/* Adds client, server and names to a question. confirmed: tcpserver runs with -p, so
 * that TCPREMOTEHOST is forward-confirmed. */
void tcpenv_add(struct buf *question, bool confirmed);
/* The nearest to a transaction id that the environment gives: address and port. */
void tcpenv_instance(struct buf *out);

/* The option of the doors that run below tcpserver (struct door_option). */
#define TCPENV_CONFIRMED_NAMES "confirmed-names", NULL, "tcpserver runs with -p: TCPREMOTEHOST is forward-confirmed"

#endif
