/* What greylagd says, over its control socket. Any thread: each question has a connection
 * of its own, so that nobody waits for another's. */
#ifndef GREYLAG_WEB_SOURCE_H
#define GREYLAG_WEB_SOURCE_H

#include <jansson.h>

#include "base/buf.h"

#define SOURCE_LOOK_MS 2000	/* longest wait for what a page shows */
#define SOURCE_ACT_MS 15000	/* for an action, which may have to ask the DNS */

struct source;

/* path is borrowed. NULL when memory is out. */
struct source *source_new(const char *path);
void source_free(struct source **s);

/* The answer of `status`, at most a second old: a new reference. NULL with why; that is
 * remembered as long, so that a daemon that hangs is not asked by everybody. */
json_t *source_status(struct source *s, struct buf *why);

/* Asks and drops the request. 1 with at most `most` rows in a new array, 0 when greylagd
 * refused, -1 when it does not answer, both with why. *cut says that there were more rows;
 * it may be NULL. */
int source_ask(struct source *s, json_t *request, unsigned limit_ms, size_t most, json_t **rows, bool *cut,
	       struct buf *why);

#endif
