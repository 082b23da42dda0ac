/* The compiled rules: an immutable snapshot, built once by the configuration
 * parser and swapped whole at reload. Matching allocates nothing and does no I/O.
 * Reading is safe from any thread, matching from one thread at a time (PCRE2
 * match data is shared). */
#ifndef GREYLAG_LISTS_RULESET_H
#define GREYLAG_LISTS_RULESET_H

#include "core/policy.h"
#include "core/request.h"
#include "lists/lookup.h"

struct ruleset;

enum match {
	MATCH_NONE,
	MATCH_CHANGED,		/* rules that go on matched: *out has their parameters and ACTION_DEFER, the default */
	MATCH_DECIDED,
	MATCH_WANTS,		/* look-ups have to be made first */
};

/* The first rule that matches and does not go on decides, with the parameters of
 * the matching rules before it where it has none of its own. *out is filled in unless
 * MATCH_NONE; file and line are those of the last rule that took part. out->text and
 * out->file live as long as the ruleset.
 * answers: what has been looked up, NULL: nothing can be. After MATCH_WANTS *wanted has
 * a bit for each look-up that could matter, of all rules at once, so that they are made
 * in parallel; it is asked only for what the other conditions of its rule leave open. */
enum match ruleset_match(const struct ruleset *rules, const struct request *r, const struct lookup_answers *answers,
			 struct ruling *out, uint64_t *wanted);
/* The look-up with this index, from 0; NULL after the last. */
const struct lookup *ruleset_lookup(const struct ruleset *rules, unsigned index);

/* True when a rule looks at the local time, which the request must then have. */
bool ruleset_wants_clock(const struct ruleset *rules);
/* The same for the client's country. */
bool ruleset_wants_country(const struct ruleset *rules);
/* What the rule at index (from 0, in order) says. */
const struct ruling *ruleset_ruling(const struct ruleset *rules, unsigned index);
/* True when that rule only changes parameters. */
bool ruleset_goes_on(const struct ruleset *rules, unsigned index);
/* Number of rules, and of the entries in all their lists. */
unsigned ruleset_rules(const struct ruleset *rules);
uint64_t ruleset_entries(const struct ruleset *rules);
void ruleset_free(struct ruleset **rules);

#endif
