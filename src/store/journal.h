/* Deltas that could not be stored, kept until the store works again, added up for each
 * key, within a bound; over it the newest are lost and counted. Records merge, so
 * whatever others wrote meanwhile does no harm, and order does not matter.
 *
 * Times may be merged twice, counts may not. So of a delta that may have been merged
 * already, because its answer is missing, only the times are kept: its counts are
 * merged at most once. Loop thread. */
#ifndef GREYLAG_STORE_JOURNAL_H
#define GREYLAG_STORE_JOURNAL_H

#include "store/store.h"

struct journal;

/* file "": in memory only. NULL with why. */
struct journal *journal_new(struct store *store, const struct store_options *options, struct buf *why);
/* What is in the file stays there. */
void journal_free(struct journal **j);

/* maybe: it may have been merged. */
void journal_keep(struct journal *j, struct span key, const struct record *delta, bool maybe);
bool journal_room(const struct journal *j);
/* NULL: nothing is kept for the key. */
const struct record *journal_find(const struct journal *j, struct span key);
void journal_forget(struct journal *j, struct span key);
/* Somebody else's merge has worked: what still does not is not the store's fault. */
void journal_works(struct journal *j);
/* Takes no more and sends no more: the store is being closed. */
void journal_stop(struct journal *j);
void journal_stats(const struct journal *j, struct store_stats *out);

/* Leaves of a delta what may be merged twice. */
void journal_void_counts(struct record *delta);

#endif
