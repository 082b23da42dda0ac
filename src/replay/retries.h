/* Retries that are made up for messages which a server was rid of then, and would not be
 * now: a queue by time. */
#ifndef GREYLAG_REPLAY_RETRIES_H
#define GREYLAG_REPLAY_RETRIES_H

#include "replay/message.h"

struct retry {
	int64_t at;
	uint64_t order;			/* of those at the same time the first comes first */
	uint64_t hash, id;		/* of the message, which may be gone by then */
	unsigned side;
};

struct retries {
	struct retry *rows;
	size_t count, room;
	uint64_t added;
};

/* False when memory is out. */
bool retries_add(struct retries *q, int64_t at, const struct message *m, unsigned side);
/* Takes the first out, when it is due. */
bool retries_take(struct retries *q, int64_t until, struct retry *out);
void retries_free(struct retries *q);

#endif
