/* The last verdicts, for those who look on: in memory, bounded, gone with the process.
 * Those that show something (deferred, rejected, a first good retry, a failure) and the
 * passes of known senders have a ring each, so that many of these do not wash out those.
 * Texts are cut where the verdict line cuts them. Loop thread only; adding allocates nothing. */
#ifndef GREYLAG_DAEMON_RECENT_H
#define GREYLAG_DAEMON_RECENT_H

#include "engine/engine.h"

/* How many of either kind are kept. */
#define RECENT_EACH 250

/* Texts of a verdict, in the order and under the names of the verdict line. */
enum recent_field {
	RECENT_RULE, RECENT_CLIENT, RECENT_NAME, RECENT_IDENTITY, RECENT_HELO, RECENT_FROM, RECENT_TO, RECENT_STAGE,
	RECENT_QUEUE,
};
#define RECENT_FIELDS 9
#define RECENT_TEXT 1200

struct recent_verdict {
	uint64_t number;		/* counted from 1 since the start; 0: unused */
	int64_t time_s;
	enum verdict verdict, would;
	enum reason reason;
	int64_t wait_s, delayed_s;	/* as in struct decision */
	bool has_sender;
	uint16_t ends[RECENT_FIELDS];	/* where each text ends */
	char text[RECENT_TEXT];
};

struct recent;

/* NULL when memory is out. */
struct recent *recent_new(void);
void recent_free(struct recent **r);

void recent_add(struct recent *r, const struct inquiry *q);

/* A walk from the oldest to the newest; begins as { .after = NUMBER }. */
struct recent_cursor {
	uint64_t after;			/* only those with a higher number */
	unsigned shown, passes;
};
/* NULL at the end. */
const struct recent_verdict *recent_next(const struct recent *r, struct recent_cursor *at);

/* "rule", "client", ... */
const char *recent_word(enum recent_field field);
/* Raw bytes, empty when there are none; may be one byte longer than `recent_most`, which
 * says that it was cut. */
struct span recent_text(const struct recent_verdict *v, enum recent_field field);
size_t recent_most(enum recent_field field);

#endif
