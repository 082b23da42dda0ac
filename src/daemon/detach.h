/* Going into the background, for a start without -f. */
#ifndef GREYLAG_DAEMON_DETACH_H
#define GREYLAG_DAEMON_DETACH_H

#include "base/buf.h"

/* Forks. The parent waits until the child is ready or has failed, and exits
 * with 0 or `failed`; it never returns. The child returns 0 as leader of a
 * session of its own. -1 with why when forking failed. Before any thread starts. */
int detach_begin(int failed, struct buf *why);
/* The child's word that it serves: lets the parent go and the terminal too. */
void detach_ready(void);

#endif
