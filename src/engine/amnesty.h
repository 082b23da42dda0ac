/* Amnesty: a store that knows nothing of the last while, because it is new, was restored
 * or stood still, cannot tell known senders from strangers; for a time nothing is
 * delayed and all is remembered. A record of its own says when the store was last in
 * use, and until when an amnesty runs, so a restart does not end it. Loop thread. */
#ifndef GREYLAG_ENGINE_AMNESTY_H
#define GREYLAG_ENGINE_AMNESTY_H

#include "base/clock.h"
#include "base/loop.h"
#include "store/store.h"

#define AMNESTY_KEY "m alive"		/* a kind of key of its own */

struct amnesty;

/* length_s: how long it lasts, and how long the store must have been out of use; 0: there
 * is none, and the store is marked all the same. NULL when memory is out. */
struct amnesty *amnesty_new(struct loop *loop, const struct clock *clock, struct store *store, int64_t length_s);
/* The store must be closed before. */
void amnesty_free(struct amnesty **a);
/* True while it runs; and, when one may be asked for, until the store has said. */
bool amnesty_on(const struct amnesty *a, int64_t now);
/* Until when it runs, in seconds since 1970; 0: there is none, or it is not known yet. */
int64_t amnesty_until(const struct amnesty *a);

#endif
