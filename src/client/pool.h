/* Questions to greylagd that nobody waits for standing still: connections on the
 * event loop, one question on each at a time, for doors that serve many sessions
 * in one process. Loop thread only. */
#ifndef GREYLAG_CLIENT_POOL_H
#define GREYLAG_CLIENT_POOL_H

#include "base/loop.h"
#include "client/answer.h"
#include "base/endpoint.h"

struct pool;

struct pool_options {
	struct loop *loop;
	struct endpoint endpoint;
	unsigned deadline_ms;
	bool defer;			/* when nobody answers: defer, else pass */
	unsigned connections;		/* most at once; further questions wait for their turn */
};

/* A question on its way; embed it in what asks. Its bytes stay until the answer. */
struct pool_ask {
	struct span question;
	/* Called exactly once, never before pool_ask returns; not after pool_cancel. */
	void (*done)(struct pool_ask *ask, const struct answer *answer);
	void *arg;

	/* The pool's: */
	struct pool_conn *conn;
	struct pool_ask *earlier, *later;	/* all that are on their way, oldest first */
	uint64_t until_ns;
	bool waiting;				/* in the list */
};

struct pool_stats {
	uint64_t asked, answered, failed;
	unsigned waiting, connections;
};

/* NULL with why. */
struct pool *pool_new(const struct pool_options *options, struct buf *why);
/* Asks that wait are dropped without an answer. */
void pool_free(struct pool **pool);
void pool_ask(struct pool *pool, struct pool_ask *ask);
/* Nobody wants the answer any more. Harmless when it has been given. */
void pool_cancel(struct pool *pool, struct pool_ask *ask);
void pool_stats(const struct pool *pool, struct pool_stats *out);

#endif
