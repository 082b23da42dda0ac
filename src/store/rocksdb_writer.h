/* The one thread that writes to RocksDB. Merges and removes gather on the loop
 * thread into one batch; the writer thread writes it, synced, while the next one
 * gathers (group commit). When a write fails it tries every second, for ever, to
 * make writing work again.
 *
 * All functions: loop thread. Lock order: rocksdb_db.lock before writer's lock. */
#ifndef GREYLAG_STORE_ROCKSDB_WRITER_H
#define GREYLAG_STORE_ROCKSDB_WRITER_H

#include "store/driver.h"
#include "store/rocksdb_db.h"

struct rocksdb_writer;

/* at_end runs last on the writer thread, when it has been told to stop. Returns
 * NULL with text in why. */
struct rocksdb_writer *rocksdb_writer_new(struct rocksdb_db *db, struct store *store,
					  const struct store_options *options,
					  void (*at_end)(void *arg), void *arg, struct buf *why);

enum store_status rocksdb_writer_merge(struct rocksdb_writer *w, struct store_merge *op);
enum store_status rocksdb_writer_remove(struct rocksdb_writer *w, struct store_remove *op);
bool rocksdb_writer_ready(const struct rocksdb_writer *w);
void rocksdb_writer_later(struct rocksdb_writer *w, struct span key, const struct record *delta);
/* False while a delta of rocksdb_writer_later waits to be written. */
bool rocksdb_writer_settled(const struct rocksdb_writer *w);
/* Hands what has gathered to the thread, if it is free. */
void rocksdb_writer_turn(struct rocksdb_writer *w);
uint64_t rocksdb_writer_syncs(const struct rocksdb_writer *w);
/* Deltas of rocksdb_writer_later that were in a batch that failed. */
uint64_t rocksdb_writer_lost(const struct rocksdb_writer *w);

/* Writes all that has gathered and completes it, then ends the thread. False when
 * that was not done at that time (CLOCK_MONOTONIC): call rocksdb_writer_abandon. */
bool rocksdb_writer_stop(struct rocksdb_writer *w, uint64_t until_ns);
/* After a stop that worked. */
void rocksdb_writer_free(struct rocksdb_writer **w);
/* The thread hangs: everything pending fails, and the thread will touch nothing
 * of the loop's when it comes back. Its memory is left to it. */
void rocksdb_writer_abandon(struct rocksdb_writer *w);

#endif
