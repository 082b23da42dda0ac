/* Files of `name = value` lines: sqlgrey.conf, relaydelay.conf. */
#ifndef GREYLAG_CONVERT_KEYVALUE_H
#define GREYLAG_CONVERT_KEYVALUE_H

#include "convert/convert.h"

/* A setting of the peer. */
struct keyvalue {
	const char *name;
	/* NULL: it needs no line, or has no equivalent, for the reason `why`. */
	void (*take)(void *arg, struct span value);
	bool missing;
	const char *why;
};

/* One setting, its value without blanks at the ends; convert_at has been called. `rows` ends
 * with a row without name. */
void keyvalue_take(struct convert *c, const struct keyvalue *rows, void *arg, struct span name, struct span value);

#endif
