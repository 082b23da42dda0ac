/* Deltas that nobody waits for, added up per key until they are handed on.
 * Fixed memory, no allocation after later_new. Loop thread. */
#ifndef GREYLAG_STORE_LATER_H
#define GREYLAG_STORE_LATER_H

#include "core/record.h"

struct later;

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
/* There is room for any key. */
bool later_room(const struct later *l);
/* The next that is not forgotten, from *at on, which begins at 0; false at the end. *key
 * is valid until the next change. */
bool later_walk(struct later *l, size_t *at, struct span *key, struct record **delta);
/* Empties the table. */
void later_clear(struct later *l);

#endif
