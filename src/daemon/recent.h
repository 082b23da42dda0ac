/* The last verdicts, for whoever looks on (greylag top). Loop thread; recent_add allocates
 * nothing. */
#ifndef GREYLAG_DAEMON_RECENT_H
#define GREYLAG_DAEMON_RECENT_H

#include "engine/engine.h"

#define RECENT_MAX 100
#define RECENT_TEXT 79		/* bytes; longer ones are cut */

struct recent_verdict {
	uint64_t number;		/* counts from 1 */
	int64_t at;
	enum verdict verdict;
	enum reason reason;
	int64_t wait_s, delayed_s;	/* 0: none */
	char client[NETADDR_TEXT + 1];
	char identity[RECENT_TEXT + 1], sender[RECENT_TEXT + 1], recipient[RECENT_TEXT + 1];	/* as they came, NULs apart */
	bool has_sender;
};

struct recent {
	uint64_t count;
	struct recent_verdict verdicts[RECENT_MAX];
};

void recent_add(struct recent *r, const struct inquiry *q);
/* The oldest after this number, NULL when there is none. */
const struct recent_verdict *recent_after(const struct recent *r, uint64_t number);

#endif
