/* The decision: request + facts + policy + clock -> verdict + deltas (DESIGN section 2).
 *
 * Pure: no I/O, no clock, no allocation, no log. The caller calls decide() with
 * what it knows; as long as facts are missing the function says which, the
 * caller fetches them and calls again. The same code answers a live request, a
 * replayed one, `greylag why` and a row of a test table. */
#ifndef GREYLAG_CORE_DECIDE_H
#define GREYLAG_CORE_DECIDE_H

#include "core/identity.h"
#include "core/key.h"
#include "core/record.h"

/* Facts that decide() may ask for; more than it asked for is welcome. */
enum {
	FACT_RULING = 1,	/* what the rules say */
	FACT_TRANSACTION = 2,	/* the verdict on an earlier recipient of this transaction */
	FACT_AROUND = 4,	/* what has been seen lately beside this request */
	FACT_SPF = 8,		/* whether SPF confirms the sender's domain */
	FACT_RECORDS = 16,	/* from this bit on: the record of each key slot */
};

/* The records that bear on a request. */
enum key_slot {
	KEY_SLOT_ALLOWED,	/* of the identity; no key when it is never allowed altogether */
	KEY_SLOT_ADDRESS,	/* of the exact address */
	KEY_SLOT_TRIPLET,
	KEY_SLOT_PAIR,		/* the recipient wrote to the sender */
	KEY_SLOT_ANYBODY,	/* the recipient has just written to somebody */
	KEY_SLOT_NETWORK,	/* the triplet by the client's network; no key where that is its identity */
};
#define KEY_SLOTS 6

static inline unsigned fact_stored(enum key_slot slot)
{
	return (unsigned)FACT_RECORDS << slot;
}
#define FACTS_STORED ((unsigned)FACT_RECORDS * ((1 << KEY_SLOTS) - 1))

struct fact_record {
	bool found;
	struct record record;
};

/* What is remembered of a transaction's first judged recipient. */
struct fact_transaction {
	bool found;
	enum verdict verdict;		/* VERDICT_PASS or VERDICT_DEFER */
	int64_t passes_at;		/* when deferred: a retry passes from here on */
	bool unproved;			/* passed, but the client is trusted when the mail was kept */
};

/* What the daemon knows without asking anybody. */
struct fact_around {
	bool amnesty;			/* the store is too young to judge by */
	bool expected;			/* the recipient expects mail from this sender, or from anybody */
	unsigned attempts_minute;	/* of this mail by this client, this one included */
	unsigned attempts;		/* the same within the policy's hammering_span_s */
	int64_t hopping_until;		/* mail that several clients brought: held until then; 0: it is not */
	unsigned rejections;		/* of this client within the policy's unwelcome_span_s */
	uint64_t waiting;		/* triplets of this identity that wait for their retry, about */
};

struct fact_spf {
	bool passed;			/* by a mechanism that names the sender's own machines */
	struct span org;		/* registrable domain of the sender's */
};

struct facts {
	unsigned have;			/* FACT_ bits that are filled in */
	bool ruled;			/* FACT_RULING: a rule matched */
	struct ruling ruling;
	struct fact_transaction transaction;
	struct fact_around around;
	struct fact_spf spf;
	struct fact_record records[KEY_SLOTS];
	/* The store gave up: REASON_STORE_FAILURE or REASON_STORE_TIMEOUT, else REASON_COUNT. */
	enum reason store_fault;
};

#define DECISION_DELTAS 4
#define DECISION_KEYS_MAX 8832		/* all keys of one request, at their longest */

struct decision_delta {
	enum key_slot slot;
	struct record delta;
	bool fresh;			/* creates the record, or a new generation of it */
};

struct decision {
	enum verdict verdict;
	enum verdict would;		/* the verdict if nothing were only observed */
	enum reason reason;
	int64_t wait_s;			/* when deferred: seconds until a retry passes, at least 1 */
	int64_t delayed_s;		/* REASON_RETRIED: seconds since the first attempt */
	bool ruled;			/* `ruling` matched and took part */
	struct ruling ruling;
	bool durable;			/* answer only when the deltas are safe */
	bool prompt;			/* answer at once, but store them at once too */
	unsigned delta_count;
	struct decision_delta deltas[DECISION_DELTAS];

	/* Built on the way; identity is valid once `subject` is set, a key once it has a length. */
	bool subject;
	struct identity identity;
	struct { uint16_t at, n; } keys[KEY_SLOTS];
	size_t keys_used;
	char keys_text[DECISION_KEYS_MAX];
};

/* Makes *d ready for the first decide() of a request. */
void decision_begin(struct decision *d);
void facts_begin(struct facts *f);

/* Returns 0 when *d holds the decision, else the FACT_ bits it needs. now in
 * seconds since 1970. */
unsigned decide(const struct policy *p, const struct request *r, const struct facts *f,
		int64_t now, struct decision *d);

/* Turns a decision whose deltas could not be stored into what the policy says
 * about that; fault is REASON_STORE_FAILURE, _TIMEOUT or REASON_OVERLOAD. */
void decision_fault(const struct policy *p, struct decision *d, enum reason fault);

/* Who writes to whom, normalised (mailaddr.h). */
struct correspondents {
	struct buf sender, recipient;
	char texts[2][REQUEST_ADDRESS_MAX + 1];
};
/* False when one of them does not fit. */
bool correspondents_of(struct correspondents *out, struct span sender, struct span recipient);

/* The key of the record that the request's sender and recipient, normalised, share
 * with the identity. False when they do not fit into one. */
bool decision_triplet(struct key *out, const struct request *r, struct span identity);

/* Empty while it is not built, or when there is none. */
struct span decision_key(const struct decision *d, enum key_slot slot);

/* What of the decision the transaction's other recipients follow: true with
 * *out filled in, false when this one is not remembered (exempt, observed by
 * a rule, or not about the transaction). */
bool decision_remember(const struct policy *p, const struct decision *d, int64_t now,
		       struct fact_transaction *out);

#endif
