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
	FACT_ALLOWED = 4,	/* record of the identity, under decision.allowed_key */
	FACT_ADDRESS = 8,	/* record of the exact address, under decision.address_key */
	FACT_TRIPLET = 16,	/* record of the triplet, under decision.triplet_key */
	FACTS_STORED = FACT_ALLOWED | FACT_ADDRESS | FACT_TRIPLET,
};

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

struct facts {
	unsigned have;			/* FACT_ bits that are filled in */
	bool ruled;			/* FACT_RULING: a rule matched */
	struct ruling ruling;
	struct fact_transaction transaction;
	struct fact_record allowed;
	struct fact_record address;
	struct fact_record triplet;
	/* The store gave up: REASON_STORE_FAILURE or REASON_STORE_TIMEOUT, else REASON_COUNT. */
	enum reason store_fault;
};

enum key_slot { KEY_SLOT_ALLOWED, KEY_SLOT_ADDRESS, KEY_SLOT_TRIPLET };
#define DECISION_DELTAS 3

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
	unsigned delta_count;
	struct decision_delta deltas[DECISION_DELTAS];

	/* Built on the way; valid once `subject` is set, the triplet's key once it has a length. */
	bool subject;
	struct identity identity;
	struct key allowed_key;		/* n == 0: this identity is never allowed altogether */
	struct key address_key;
	struct key triplet_key;
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

/* The key of the record that the request's sender and recipient, normalised, share
 * with the identity. False when they do not fit into one. */
bool decision_triplet(struct key *out, const struct request *r, struct span identity);

struct span decision_key(const struct decision *d, enum key_slot slot);

/* What of the decision the transaction's other recipients follow: true with
 * *out filled in, false when this one is not remembered (exempt, observed by
 * a rule, or not about the transaction). */
bool decision_remember(const struct policy *p, const struct decision *d, int64_t now,
		       struct fact_transaction *out);

#endif
