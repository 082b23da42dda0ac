/* One condition of a rule: a kind, and the values of which one must match. */
#ifndef GREYLAG_LISTS_CONDITION_H
#define GREYLAG_LISTS_CONDITION_H

#include "core/request.h"
#include "lists/lookup.h"

struct condition;
struct condition_kind;

/* The kind of this name, or NULL. */
const struct condition_kind *condition_kind(struct span name);
/* Names of all kinds, for messages: index from 0, NULL after the last. */
const char *condition_kind_name(unsigned index);
/* True when what it looks at can be forged by a stranger, so that it must not allow. */
bool condition_forgeable(const struct condition_kind *kind);

/* True when a stranger can make it hold for mail of his, so that alone it must not allow. */
bool condition_no_proof(const struct condition *c);

/* True when it looks at the time of the day or the day of the week; at the country. */
bool condition_wants_clock(const struct condition *c);
bool condition_wants_country(const struct condition *c);
/* Its look-ups, from 0; NULL after the last. Whoever builds the rules numbers them. */
struct lookup *condition_lookup(struct condition *c, unsigned i);

/* NULL when memory is out. */
struct condition *condition_new(const struct condition_kind *kind, bool negated);
void condition_free(struct condition **c);
/* Adds what a bare word stands for (dynamic, none, yes, mon-fri); false when it stands for nothing here. */
bool condition_add_word(struct condition *c, struct span word);
/* Adds a value as it is written in a rule or a list file. 0, or -1 with why. */
int condition_add(struct condition *c, struct span value, struct buf *why);
/* Adds the values of another condition of the same kind, which must live as long, have
 * no `not`, and no sets itself. 0, or -1 with why. */
int condition_add_set(struct condition *c, const struct condition *set, struct buf *why);
/* Number of values, those of its sets included. */
uint64_t condition_count(const struct condition *c);
/* True when it holds, or does not, whatever the request; false when that cannot be seen. */
bool condition_always(const struct condition *c);
bool condition_never(const struct condition *c);
/* A fingerprint: the same for the same kind with the same values in any order. */
uint64_t condition_print(const struct condition *c);
enum holds { HOLDS_NOT, HOLDS, HOLDS_UNKNOWN };
/* Whether it holds, `not` included. Of what cannot be found out neither it nor its
 * `not` holds. HOLDS_UNKNOWN: *wanted gets the bits of the look-ups that would tell. */
enum holds condition_holds(const struct condition *c, const struct request *r, const struct lookup_answers *answers,
			   uint64_t *wanted);

#endif
