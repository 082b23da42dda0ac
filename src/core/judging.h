/* What the steps of the decision share; for core/ only. The steps stand, in their
 * order, in core/decide.c; those of one matter in a file of their own. */
#ifndef GREYLAG_CORE_JUDGING_H
#define GREYLAG_CORE_JUDGING_H

#include "core/decide.h"

/* One pass over the order of judgement. */
struct judging {
	const struct policy *policy;
	const struct request *request;
	const struct facts *facts;
	int64_t now;
	struct greylist times;		/* the policy's, or the matching rule's */
	struct decision *decision;
	struct fact_record adopted;	/* triplet.c: the network's record, as it goes on under the name */
	unsigned need;
};

enum step { STEP_ON, STEP_DECIDED, STEP_NEEDS };

enum step judging_verdict(struct judging *j, enum verdict v, enum reason reason);
/* Defers until passes_at, for a second at least. */
enum step judging_defer(struct judging *j, enum reason reason, int64_t passes_at);
enum step judging_needs(struct judging *j, unsigned facts);
/* The same for records: a store that failed answers everything from here on. */
enum step judging_stored(struct judging *j, unsigned facts);
/* Writes a delta, if the slot has a key. */
void judging_write(struct judging *j, enum key_slot slot, struct record delta, bool fresh);
/* Puts a key into its slot; false when it is empty or does not fit. */
bool judging_key(struct judging *j, enum key_slot slot, const struct key *k);

static inline const struct fact_record *judging_record(const struct judging *j, enum key_slot slot)
{
	return &j->facts->records[slot];
}

static inline bool judging_live(const struct fact_record *f, int64_t now)
{
	return f->found && !record_expired(&f->record, now);
}

/* Generation in which a record starts, or goes on while it lives. */
static inline uint32_t judging_generation(const struct fact_record *f, int64_t now)
{
	return !f->found ? 0 : f->record.generation + (record_expired(&f->record, now) ? 1 : 0);
}

/* An earlier recipient of the transaction was deferred. */
static inline bool judging_follows_deferral(const struct judging *j)
{
	return j->facts->transaction.found && j->facts->transaction.verdict == VERDICT_DEFER;
}

/* --- The steps ------------------------------------------------------------------- */

/* core/standing.c: who is trusted, who is held. */
enum step standing_report(struct judging *j);
enum step standing_client(struct judging *j);
enum step standing_trap(struct judging *j);
enum step standing_trusted_identity(struct judging *j);
enum step standing_trusted_address(struct judging *j);
enum step standing_penalties(struct judging *j);
enum step standing_held(struct judging *j);
/* The client is trusted from now on; pass says since when and for how long. */
void standing_trust(struct judging *j, struct record pass);
/* True when the client has waited for the retries of many triplets for long. */
bool standing_never_retries(struct judging *j);

/* core/outgoing.c: whom we write to. */
enum step outgoing_authenticated(struct judging *j);
/* The request is mail of ours, for the reason given. */
enum step outgoing_pass(struct judging *j, enum reason reason);
/* The keys of what the recipient wrote to the sender. */
void outgoing_reverse(struct judging *j, const struct correspondents *c);
enum step outgoing_expected(struct judging *j);

/* core/triplet.c: greylisting proper. */
enum step triplet_correspondents(struct judging *j);
/* Has the triplet's record fetched, and that of the client's network, which may go on
 * under the client's name; triplet_record is the one that counts. */
enum step triplet_records(struct judging *j);
const struct fact_record *triplet_record(const struct judging *j);
enum step triplet_transaction(struct judging *j);
enum step triplet_judge(struct judging *j);
/* Remembers a refused attempt; the triplet's record must have been fetched. */
void triplet_attempt(struct judging *j);

#endif
