/* The journal's file: what was kept and forgotten, a line each, so that it outlives
 * the process. Lines are not synced: a kill loses nothing, a power cut may. Only the
 * mark is, because without it counts might be merged a second time.
 *
 *   greylag journal 1
 *   d HEX KEY		a delta, as record_encode writes it
 *   f KEY		what stands above for this key is forgotten
 *   m			from here on deltas above may have been merged: their counts are void
 *
 * Loop thread. */
#ifndef GREYLAG_STORE_JOURNALFILE_H
#define GREYLAG_STORE_JOURNALFILE_H

#include "base/buf.h"
#include "store/later.h"

struct journalfile;

/* Opens or makes it, locks it and puts into the table what is in it. Damaged lines are
 * left out, and the log says so. NULL with why: not readable, in use, not a journal. */
struct journalfile *journalfile_open(const char *path, struct later *table, struct buf *why);
void journalfile_close(struct journalfile **f);

/* Each gives false when it could not be written, which the log says once. */
bool journalfile_delta(struct journalfile *f, struct span key, const struct record *delta);
bool journalfile_forget(struct journalfile *f, struct span key);
bool journalfile_mark(struct journalfile *f);
/* Writes it anew, with what is in the table. */
bool journalfile_renew(struct journalfile *f, struct later *table);
/* True when it has grown so large that it should be renewed. */
bool journalfile_large(const struct journalfile *f);

#endif
