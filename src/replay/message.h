/* The messages of a replay: attempts of one client at one sender's mail to one recipient
 * belong together, from the first until both sides have let it in, or a time is over. */
#ifndef GREYLAG_REPLAY_MESSAGE_H
#define GREYLAG_REPLAY_MESSAGE_H

#include "core/reason.h"
#include "requestlog/entrycopy.h"

/* How a side received it. */
struct message_view {
	int64_t passed_at;		/* 0: not */
	unsigned refused;		/* recorded attempts that were refused */
	unsigned tries;			/* retries that were made up */
	enum reason reason;		/* of the last verdict that refused, else of the pass */
	bool final;			/* rejected, or given up: nobody tries again */
	bool planned;			/* a made-up retry is to come */
};

struct message {
	uint64_t hash;
	uint64_t id;			/* not that of another message of the same hash, before or after */
	int64_t first_at, last_at;	/* recorded attempts */
	int64_t gap_s;			/* between the last two of them; 0: there was one */
	unsigned attempts;
	bool accepted;			/* by what was recorded */
	bool retried, trusted;		/* signs of legitimate mail */
	bool offended;			/* a sign of spam */
	bool over;			/* its time is over; it is no longer in the list */
	uint64_t client;		/* hash of its address */
	struct message_view views[2];
	struct entry_copy *copy;	/* of the attempt at which the sides first differed, or NULL */
	struct message *next;		/* in its slot */
	struct message *older, *newer;	/* by first attempt */
};

struct messages;

struct messages *messages_new(void);
void messages_free(struct messages **t);
/* The message of this hash, or a new one whose attempts are 0; NULL when memory is out. */
struct message *messages_get(struct messages *t, uint64_t hash, int64_t now);
/* NULL: there is none. */
struct message *messages_find(const struct messages *t, uint64_t hash);
/* The oldest whose time is not over; NULL: none. */
struct message *messages_oldest(const struct messages *t);
/* Its time is over: it stays to be found, but is no longer the oldest. */
void messages_retire(struct messages *t, struct message *m);
void messages_drop(struct messages *t, struct message *m);
size_t messages_count(const struct messages *t);

#endif
