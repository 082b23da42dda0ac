/* A walk over records, page by page, between other requests; what it visits may
 * be forgotten on the way. Loop thread only. */
#ifndef GREYLAG_DAEMON_RECORDSCAN_H
#define GREYLAG_DAEMON_RECORDSCAN_H

#include "core/key.h"
#include "store/store.h"

#define RECORDSCAN_PAGE 500

enum recordscan_next { RECORDSCAN_GO, RECORDSCAN_STOP, RECORDSCAN_WAIT };

/* Embed it in the job, fill in the first part. */
struct recordscan {
	struct store *store;
	struct span prefix;		/* only keys that start so; empty: all */
	struct span after;		/* only keys greater than this; empty: all */
	/* Called for each record; true: it is to be forgotten. */
	bool (*row)(struct recordscan *s, struct span key, const struct record *r);
	/* Called before each page. After RECORDSCAN_WAIT the job calls recordscan_resume. */
	enum recordscan_next (*next)(struct recordscan *s);
	/* Called once, last; error is NULL or what went wrong. May free s. */
	void (*done)(struct recordscan *s, const char *error);

	struct store_scan scan;
	struct store_remove remove;
	struct buf doomed;		/* keys of this page to forget, each ended by '\n' */
	struct record records[RECORDSCAN_PAGE];
	char from[KEY_MAX + 1];
};

void recordscan_start(struct recordscan *s);
void recordscan_resume(struct recordscan *s);

#endif
