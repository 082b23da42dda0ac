/* Building a ruleset, rule by rule; for the configuration parser. */
#ifndef GREYLAG_LISTS_RULESET_BUILD_H
#define GREYLAG_LISTS_RULESET_BUILD_H

#include "lists/condition.h"
#include "lists/ruleset.h"

#define RULE_CONDITIONS_MAX 8
#define RULESET_SETS_MAX 1000

/* NULL when memory is out. `file` names the configuration, for rulings. */
struct ruleset *ruleset_new(const char *file);

/* Owns the set, which rules can then refer to by its name, from then on; false when
 * there are too many. `line` is where it stands. */
bool ruleset_add_set(struct ruleset *rules, struct span name, struct condition *set, unsigned line);
/* The set of this name (letter case counts), or NULL. */
const struct condition *ruleset_set(const struct ruleset *rules, struct span name);
/* Number of sets, and their names. */
unsigned ruleset_sets(const struct ruleset *rules);
const char *ruleset_set_name(const struct ruleset *rules, unsigned index);

/* True when the rule at index matches every request, or none; false when that cannot be seen. */
bool ruleset_always(const struct ruleset *rules, unsigned index);
bool ruleset_never(const struct ruleset *rules, unsigned index);
/* A fingerprint of its conditions: the same for the same ones in any order. */
uint64_t ruleset_print(const struct ruleset *rules, unsigned index);

/* Starts a rule that stands in `line`. Its parameters are changed through the
 * ruling that is returned: delay_s, window_s, keep_s, observe. NULL when memory
 * is out. Valid until the next rule begins. */
struct ruling *ruleset_begin(struct ruleset *rules, enum action action, unsigned line);
/* Adds a condition, with its values, to the rule begun last and owns it from then on;
 * false when the rule has too many, or there are more than LOOKUPS_MAX look-ups. */
bool ruleset_add(struct ruleset *rules, struct condition *c);
/* Makes the rule begun last, of ACTION_DEFER, one that only changes parameters for what follows. */
void ruleset_go_on(struct ruleset *rules);
/* Sets the reply text, or the reply code, of the rule begun last; copied. False when memory is out. */
bool ruleset_text(struct ruleset *rules, struct span text);
bool ruleset_code(struct ruleset *rules, struct span code);
/* True when every condition of the rule begun last is one that proves nothing. */
bool ruleset_no_proof(const struct ruleset *rules);

#endif
