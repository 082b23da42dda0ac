/* What greylagd says, over its control socket. Any thread: each question has a connection
 * of its own, so that nobody waits for another's. */
#ifndef GREYLAG_WEB_SOURCE_H
#define GREYLAG_WEB_SOURCE_H

#include <jansson.h>

#include "base/buf.h"

/* Longest times from the question to the end of the answer: */
#define SOURCE_LOOK_MS 2000	/* for what a page shows */
#define SOURCE_WHY_MS 5000	/* for why, which may have to ask the DNS */
#define SOURCE_ACT_MS 15000	/* for an action: a domain's networks are many look-ups */
#define SOURCE_MOST 12		/* questions at once: fewer than HTTP_THREADS, so that some are left */

struct source;

/* path is borrowed. NULL when memory is out. */
struct source *source_new(const char *path);
/* Asks for the status now, and from then on every second on a thread of its own. To be
 * called once, with signals blocked. 0, or -1 with why. */
int source_start(struct source *s, struct buf *why);
/* Ends the thread, which may take SOURCE_LOOK_MS. */
void source_free(struct source **s);

/* The latest answer of `status`, without waiting: a new reference. NULL with why. */
json_t *source_status(struct source *s, struct buf *why);
/* greylagd said that this socket changes nothing. */
bool source_read_only(struct source *s);

/* Asks and drops the request. 1 with at most `most` rows in a new array, 0 when greylagd
 * refused, -1 when it does not answer, both with why. *cut says that there were more rows;
 * it may be NULL. While greylagd owes its status, or SOURCE_MOST questions are under way,
 * it is not asked: -1 at once. */
int source_ask(struct source *s, json_t *request, unsigned limit_ms, size_t most, json_t **rows, bool *cut,
	       struct buf *why);

#endif
