/* What would become of recorded mail under another configuration.
 *
 * Requests come in the order of their time. Both sides judge each; what one of them would
 * not have seen, because it had let the message in before, is kept from it. A message that
 * was accepted then and is deferred by a side is tried again: after as long as its server
 * waited the last time, or REPLAY_RETRY_S, and twice as long each further time, for
 * REPLAY_GIVE_UP_S. Memory grows with the messages of a greylisting window, not with the
 * journal. One thread. */
#ifndef GREYLAG_REPLAY_COMPARE_H
#define GREYLAG_REPLAY_COMPARE_H

#include "replay/message.h"
#include "replay/side.h"

#define REPLAY_RETRY_S 300		/* Postfix's minimal_backoff_time, the shortest of the common servers */
#define REPLAY_RETRY_MOST_S 14400
#define REPLAY_GIVE_UP_S (5 * 86400)	/* RFC 5321 section 4.5.4.1 */

enum change {
	CHANGE_LATER,		/* let in by both, later now */
	CHANGE_SOONER,
	CHANGE_REFUSED,		/* let in before, never now */
	CHANGE_ACCEPTED,	/* never let in before, now it is */
};
#define CHANGES 4
/* "later", "sooner", "refused", "accepted". */
const char *change_word(enum change c);

/* What kind of mail it seems to be:
 *   legitimate  it was retried and let in, or the client was known or allowed;
 *   spam        the client met a trap, a penalty or a block rule, or was reported; or the
 *               message never came back after its deferral;
 *   unclear     all else. */
enum guess { GUESS_LEGITIMATE, GUESS_SPAM, GUESS_UNCLEAR };
#define GUESSES 3
const char *guess_word(enum guess g);

struct replay_change {
	enum change what;
	enum guess guess;
	int64_t by_s;			/* how much later or sooner */
	const struct message *message;	/* views[0]: before, views[1]: now */
	const struct entry *entry;	/* a request of it */
};

struct replay_totals {
	uint64_t requests, messages;
	int64_t first_at, last_at;
	uint64_t faults;		/* requests that met a failing store then: not compared */
	uint64_t unanswered;		/* requests for which a condition had no recorded answer */
	uint64_t made_up;		/* retries */
	uint64_t changes[CHANGES][GUESSES];
	int64_t median_s[CHANGES], most_s[CHANGES];	/* of later and sooner */
	uint64_t spam_more, spam_fewer;	/* attempts at spam that are refused now, or not any more */
};

struct replay;

struct replay_options {
	const struct names *names;
	struct config *config;		/* the replay's from here on, as the next */
	struct config *against;		/* NULL: the recorded verdicts */
	void (*changed)(void *arg, const struct replay_change *c);	/* may be NULL */
	void *arg;
};

/* NULL with why. */
struct replay *replay_new(const struct replay_options *options, int64_t begins_at, struct buf *why);
/* Takes the next request; false when memory is out. */
bool replay_take(struct replay *r, struct entry *e);
/* Lets all that waits come to its end. */
void replay_end(struct replay *r, struct replay_totals *out);
void replay_free(struct replay **r);

#endif
