/* Where errors and warnings about a configuration go. */
#ifndef GREYLAG_CONFIG_DIAG_H
#define GREYLAG_CONFIG_DIAG_H

#include "base/buf.h"

/* Errors, and likewise warnings, that are reported; more are only counted. */
#define DIAG_MAX 100

enum diag_severity { DIAG_WARNING, DIAG_ERROR };

struct diag {
	/* Called for each finding; column is 0 when it concerns the whole line,
	 * line is 0 when it concerns the whole file. text is one line. */
	void (*report)(struct diag *d, enum diag_severity severity, const char *file,
		       unsigned line, unsigned column, const char *text);
	void *arg;
	unsigned errors;
	unsigned warnings;
};

void diag_at(struct diag *d, enum diag_severity severity, const char *file, unsigned line,
	     unsigned column, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The usual text "FILE:LINE:COLUMN: error: TEXT", without what is 0. */
void diag_text(struct buf *out, enum diag_severity severity, const char *file, unsigned line,
	       unsigned column, const char *text);

#endif
