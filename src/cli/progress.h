/* A bar on standard error while something takes its time, when that is a terminal. */
#ifndef GREYLAG_CLI_PROGRESS_H
#define GREYLAG_CLI_PROGRESS_H

#include "base/buf.h"

struct progress {
	uint64_t total, done;	/* bytes; total 0: not known */
	uint64_t shown;		/* what the bar says, in its own unit */
	bool on;
};

void progress_begin(struct progress *p, uint64_t total);
void progress_add(struct progress *p, uint64_t bytes);
/* Wipes the bar away; the next progress_add draws it again. */
void progress_end(struct progress *p);

#endif
