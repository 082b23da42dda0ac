/* Everything that one store holds goes into another, of whatever driver.
 *
 * Counters merge by adding up, so what is written is the difference between a record
 * and what the other store has of it: a second run adds nothing, and one that was
 * interrupted is simply run again. That holds as long as nobody else changes the
 * source. Loop thread; blocks. */
#ifndef GREYLAG_STORE_COPY_H
#define GREYLAG_STORE_COPY_H

#include "store/store.h"

struct store_copy {
	struct store *from, *to;
	struct loop *loop;			/* of both; store_turn of both is among its hooks */
	void (*progress)(const struct store_copy *c);	/* after each page; NULL: none */
	void *arg;
	uint64_t read, written;			/* out: records seen, and those that were not there as they are */
};

/* 0, or -1 with a reason; what was copied until then stays. */
int store_copy(struct store_copy *c, struct buf *why);
/* What a record that is `have` lacks of `want`, as a delta; false: nothing. */
bool store_copy_delta(const struct record *have, const struct record *want, struct record *delta);

#endif
