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

enum reason_kind {
	REASON_KIND_MAIL,	/* a verdict on mail */
	REASON_KIND_SOON,	/* too soon: the mail is judged at a later stage, if at all */
	REASON_KIND_REPORT,	/* told by a door or by somebody: no mail */
	REASON_KIND_TROUBLE,	/* a setting decides, because something is wrong */
};

/* X(identifier, kind, word, meaning) */
#define REASONS(X) \
	X(NEW, MAIL, "new", "first attempt of this triplet") \
	X(EARLY, MAIL, "early", "retried before the delay was over") \
	X(LAPSED, MAIL, "lapsed", "retried after the window, so it counts as a first attempt") \
	X(RETRIED, MAIL, "retried", "first good retry of the triplet") \
	X(KNOWN, MAIL, "known", "the triplet passed before") \
	X(ALLOWED, MAIL, "allowed", "the client proved itself by an earlier retry") \
	X(ALLOW_RULE, MAIL, "allow-rule", "an allow rule matched") \
	X(BLOCK_RULE, MAIL, "block-rule", "a block rule matched") \
	X(ALLOW_LIST, MAIL, "allow-list", "an entry of the living list allow matched") \
	X(BLOCK_LIST, MAIL, "block-list", "an entry of the living list block matched") \
	X(OUTGOING, MAIL, "outgoing", "an outgoing rule matched: this is mail of ours") \
	X(CORRESPONDENT, MAIL, "correspondent", "the recipient has written to this sender") \
	X(EXPECTED, MAIL, "expected", "the recipient expects mail just now") \
	X(AMNESTY, MAIL, "amnesty", "the store is too young to judge: nothing is delayed, all is remembered") \
	X(TRAP, MAIL, "trap", "the client wrote to a trap") \
	X(TRAPPED, MAIL, "trapped", "the client wrote to a trap before and is held") \
	X(HASTY, MAIL, "hasty", "the client retries far too often, so it waits longer") \
	X(HAMMERING, MAIL, "hammering", "the client went on and on retrying and is held") \
	X(HOPPING, MAIL, "hopping", "the same mail comes from several unrelated clients at once") \
	X(UNWELCOME, MAIL, "unwelcome", "the client kept coming after permanent rejections and is held") \
	X(MISBEHAVED, MAIL, "misbehaved", "a door reported that the client misbehaves, and it is held") \
	X(SPAM, MAIL, "spam", "the client was reported to send spam and is held") \
	X(UNRETRIED, MAIL, "unretried", "first attempt of a client that never retries, so it waits longer") \
	X(AUTHENTICATED, MAIL, "authenticated", "the client has authenticated") \
	X(NULL_SENDER, SOON, "null-sender", "null sender at RCPT, left for DATA so that callouts work") \
	X(TRANSACTION, MAIL, "transaction", "follows the verdict on an earlier recipient of the transaction") \
	X(STAGE, SOON, "stage", "asked at a stage where greylisting decides nothing") \
	X(NO_RECIPIENT, SOON, "no-recipient", "the request names no recipient") \
	X(DELIVERED, REPORT, "delivered", "a door reports that the mail was kept") \
	X(ABORTED, REPORT, "aborted", "a door reports that the mail was given up before its end") \
	X(DISTRUSTED, REPORT, "distrusted", "a door reports that the client misbehaves: it is a stranger again") \
	X(LEARNED, REPORT, "learned", "a report about the client was taken down") \
	X(MALFORMED, TROUBLE, "malformed", "the request cannot be judged: it has no usable client address") \
	X(STORE_FAILURE, TROUBLE, "store-failure", "the store could not be read or written") \
	X(STORE_TIMEOUT, TROUBLE, "store-timeout", "the store did not answer within its deadline") \
	X(OVERLOAD, TROUBLE, "overload", "more requests in flight than can be held")

#define REASON_ENUM(identifier, kind, word, meaning) REASON_##identifier,
enum reason { REASONS(REASON_ENUM) REASON_COUNT };
#undef REASON_ENUM

/* "pass", "defer", "reject", "observe". */
const char *verdict_word(enum verdict v);
enum reason_kind reason_kind(enum reason r);
/* The reason's word, for example "new". */
const char *reason_word(enum reason r);
/* What it means, one clause for the manual and for `greylag why`. */
const char *reason_meaning(enum reason r);

#endif
