/* What the logs of mail servers say of their clients: whose mail was accepted, who hung
 * up or talked out of turn. One reader, one thread. */
#ifndef GREYLAG_LEARN_MAILLOG_H
#define GREYLAG_LEARN_MAILLOG_H

#include "learn/peer.h"

enum maillog_what {
	MAILLOG_ACCEPTED,	/* a message of this client was accepted */
	MAILLOG_LOST,		/* it hung up in the middle, or talked before its turn */
};

struct maillog_event {
	enum maillog_what what;
	int64_t at;		/* seconds since 1970 */
	struct peer peer;	/* the name: forward-confirmed, as far as the log tells */
};

enum maillog_line {
	MAILLOG_READ,		/* a line that we look at */
	MAILLOG_OTHER,		/* none that matters, or another program's */
	MAILLOG_BAD,		/* without a time, or it matters and cannot be read */
};

struct maillog;
struct maillog_format;

/* "postfix", ...; NULL when there is none of this name. */
const struct maillog_format *maillog_find(const char *name);
/* The names, with blanks between them. */
void maillog_add_names(struct buf *out);

/* format NULL: each line by what it looks like. now: the time of the reading. NULL when
 * memory is out. */
struct maillog *maillog_new(const struct maillog_format *format, int64_t now,
			    void (*event)(void *arg, const struct maillog_event *e), void *arg);
void maillog_free(struct maillog **m);
/* Takes the next line, which may call event. */
enum maillog_line maillog_line(struct maillog *m, struct span line);

#endif
