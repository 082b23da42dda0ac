/* Two threads that do what may have to wait for a disk: gets that the cache could
 * not answer, pages of scans, backups.
 *
 * All functions: loop thread. Lock order: rocksdb_db.lock before reader's lock. */
#ifndef GREYLAG_STORE_ROCKSDB_READER_H
#define GREYLAG_STORE_ROCKSDB_READER_H

#include "store/driver.h"
#include "store/rocksdb_db.h"

struct rocksdb_reader;

/* NULL with text in why. */
struct rocksdb_reader *rocksdb_reader_new(struct rocksdb_db *db, struct store *store,
					  struct loop *loop, struct buf *why);

/* STORE_PENDING, or STORE_FAILED when too many wait already. */
enum store_status rocksdb_reader_get(struct rocksdb_reader *r, struct store_get *op);
enum store_status rocksdb_reader_scan(struct rocksdb_reader *r, struct store_scan *op);
/* One at a time. */
enum store_status rocksdb_reader_backup(struct rocksdb_reader *r, struct store_backup *op);

/* Takes nothing more; the threads end when the queue is empty. */
void rocksdb_reader_stop(struct rocksdb_reader *r);
/* Waits for them, without a limit. Any thread, after rocksdb_reader_stop. */
void rocksdb_reader_join(struct rocksdb_reader *r);
/* After the join: completes what was still to complete. */
void rocksdb_reader_free(struct rocksdb_reader **r);
/* A thread hangs: everything pending fails, and the threads will touch nothing of
 * the loop's when they come back. Their memory is left to them. */
void rocksdb_reader_abandon(struct rocksdb_reader *r);

#endif
