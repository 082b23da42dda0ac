/* Deltas that nobody waits for, added up per key until they are handed on.
 * Fixed memory, no allocation after later_new. Loop thread. */
#ifndef GREYLAG_STORE_LATER_H
#define GREYLAG_STORE_LATER_H

#include "core/record.h"

struct later;
typedef void later_fn(void *arg, struct span key, const struct record *delta);

/* NULL when memory is out. */
struct later *later_new(void);
void later_free(struct later **l);
/* False when there is no room: hand on first. */
bool later_add(struct later *l, struct span key, const struct record *delta);
/* The delta gathered for the key, NULL when there is none. Valid until the next change. */
const struct record *later_find(const struct later *l, struct span key);
/* Drops what was gathered for the key. */
void later_forget(struct later *l, struct span key);
bool later_empty(const struct later *l);
/* Calls fn for each and empties the table. */
void later_hand_on(struct later *l, later_fn *fn, void *arg);

#endif
