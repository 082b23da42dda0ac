/* One of the two that a replay compares: the verdicts that were recorded, or those of a
 * configuration. */
#ifndef GREYLAG_REPLAY_SIDE_H
#define GREYLAG_REPLAY_SIDE_H

#include "replay/world.h"
#include "requestlog/entry.h"

struct side {
	bool recorded;
	struct world world;		/* unless recorded */
	uint64_t unanswered;		/* requests for which a condition had no recorded answer */
};

struct side_verdict {
	enum verdict verdict;		/* never VERDICT_OBSERVE, which passes */
	enum reason reason;		/* REASON_COUNT: not known */
	int64_t wait_s;
};

/* config NULL: the recorded verdicts; else it is the side's from here on. now: where time
 * begins. 0, or -1 with why; side_end in either case. */
int side_begin(struct side *s, const struct names *names, struct config *config, int64_t now, struct buf *why);
void side_end(struct side *s);
/* Judges the request at its time. since: what was recorded of records of before counts. */
struct side_verdict side_judge(struct side *s, struct entry *e, int64_t since);

#endif
