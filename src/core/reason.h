/* The verdicts and the one list of reasons. A reason word is what stands in the
 * log, names the counter and heads the entry in greylagd(8). */
#ifndef GREYLAG_CORE_REASON_H
#define GREYLAG_CORE_REASON_H

#include "base/span.h"

enum verdict {
	VERDICT_PASS,		/* no opinion: the MTA goes on */
	VERDICT_DEFER,		/* temporary error */
	VERDICT_REJECT,		/* permanent error */
	VERDICT_OBSERVE,	/* would have been deferred or rejected, but only observed */
};
#define VERDICT_COUNT 4

/* X(identifier, word, meaning) */
#define REASONS(X) \
	X(NEW, "new", "first attempt of this triplet") \
	X(EARLY, "early", "retried before the delay was over") \
	X(LAPSED, "lapsed", "retried after the window, so it counts as a first attempt") \
	X(RETRIED, "retried", "first good retry of the triplet") \
	X(KNOWN, "known", "the triplet passed before") \
	X(ALLOWED, "allowed", "the client proved itself by an earlier retry") \
	X(ALLOW_RULE, "allow-rule", "an allow rule matched") \
	X(BLOCK_RULE, "block-rule", "a block rule matched") \
	X(ALLOW_LIST, "allow-list", "an entry of the living list allow matched") \
	X(BLOCK_LIST, "block-list", "an entry of the living list block matched") \
	X(OUTGOING, "outgoing", "an outgoing rule matched: this is mail of ours") \
	X(CORRESPONDENT, "correspondent", "the recipient has written to this sender") \
	X(EXPECTED, "expected", "the recipient expects mail just now") \
	X(AMNESTY, "amnesty", "the store is too young to judge: nothing is delayed, all is remembered") \
	X(TRAP, "trap", "the client wrote to a trap") \
	X(TRAPPED, "trapped", "the client wrote to a trap before and is held") \
	X(HASTY, "hasty", "the client retries far too often, so it waits longer") \
	X(HAMMERING, "hammering", "the client went on and on retrying and is held") \
	X(HOPPING, "hopping", "the same mail comes from several unrelated clients at once") \
	X(UNWELCOME, "unwelcome", "the client kept coming after permanent rejections and is held") \
	X(MISBEHAVED, "misbehaved", "a door reported that the client misbehaves, and it is held") \
	X(SPAM, "spam", "the client was reported to send spam and is held") \
	X(UNRETRIED, "unretried", "first attempt of a client that never retries, so it waits longer") \
	X(AUTHENTICATED, "authenticated", "the client has authenticated") \
	X(NULL_SENDER, "null-sender", "null sender at RCPT, left for DATA so that callouts work") \
	X(TRANSACTION, "transaction", "follows the verdict on an earlier recipient of the transaction") \
	X(STAGE, "stage", "asked at a stage where greylisting decides nothing") \
	X(NO_RECIPIENT, "no-recipient", "the request names no recipient") \
	X(DELIVERED, "delivered", "a door reports that the mail was kept") \
	X(ABORTED, "aborted", "a door reports that the mail was given up before its end") \
	X(DISTRUSTED, "distrusted", "a door reports that the client misbehaves: it is a stranger again") \
	X(LEARNED, "learned", "a report about the client was taken down") \
	X(MALFORMED, "malformed", "the request cannot be judged: it has no usable client address") \
	X(STORE_FAILURE, "store-failure", "the store could not be read or written") \
	X(STORE_TIMEOUT, "store-timeout", "the store did not answer within its deadline") \
	X(OVERLOAD, "overload", "more requests in flight than can be held")

#define REASON_ENUM(identifier, word, meaning) REASON_##identifier,
enum reason { REASONS(REASON_ENUM) REASON_COUNT };
#undef REASON_ENUM

/* "pass", "defer", "reject", "observe". */
const char *verdict_word(enum verdict v);
/* The reason's word, for example "new". */
const char *reason_word(enum reason r);
/* What it means, one clause for the manual and for `greylag why`. */
const char *reason_meaning(enum reason r);

#endif
