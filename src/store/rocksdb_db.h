/* One RocksDB database: its options, opening with errors in clear words, closing,
 * repair, and the lock under which it may be closed and opened again.
 *
 * Whoever uses `db` holds `lock` for reading and checks that it is not NULL. The
 * loop thread only tries (pthread_rwlock_tryrdlock), so it never waits. Lock
 * order: `lock` before any other mutex of the driver. */
#ifndef GREYLAG_STORE_ROCKSDB_DB_H
#define GREYLAG_STORE_ROCKSDB_DB_H

#include <pthread.h>

#include "store/rocksdb_merge.h"
#include "store/store.h"
#include "store/trouble.h"

#define ROCKSDB_FOLDER_MAX 4096

struct rocksdb_db {
	pthread_rwlock_t lock;
	rocksdb_t *db;
	char folder[ROCKSDB_FOLDER_MAX];
	uint64_t write_buffer_bytes;
	rocksdb_options_t *options;
	rocksdb_block_based_table_options_t *table;
	rocksdb_cache_t *cache;
	rocksdb_compactionfilter_t *filter;
	rocksdb_readoptions_t *read_cached;	/* never goes to the disk */
	rocksdb_readoptions_t *read;
	rocksdb_readoptions_t *read_scan;	/* leaves the cache as it is */
	rocksdb_writeoptions_t *write;
	rocksdb_writeoptions_t *write_synced;
	struct rocksdb_merge merge;
	struct trouble trouble;
};

/* To be called first on each thread that uses the database: RocksDB's counters,
 * which nobody reads, cost a look-up of a thread's variable each. */
void rocksdb_db_thread(void);

/* Makes the folder when only its last component is missing, and opens. Returns 0,
 * or -1 with text in why and nothing to free. */
int rocksdb_db_open(struct rocksdb_db *d, const struct store_options *options, struct buf *why);
/* Frees all; the database must not be in use. Writes out the memory tables. */
void rocksdb_db_close(struct rocksdb_db *d);

/* Closes the database if it is open and opens it anew. Waits until nobody uses it. */
int rocksdb_db_reopen(struct rocksdb_db *d, struct buf *why);

/* Takes an error text of the C API: into why, freed. Returns -1. */
int rocksdb_db_fail(struct buf *why, char *error);

enum rocksdb_found { ROCKSDB_FOUND, ROCKSDB_ABSENT, ROCKSDB_ON_DISK, ROCKSDB_ERROR };
/* Looks one key up; the lock is held and db not NULL. ROCKSDB_ON_DISK only with
 * read_cached. An error goes to trouble_read. */
enum rocksdb_found rocksdb_db_get(struct rocksdb_db *d, const rocksdb_readoptions_t *how,
				  struct span key, struct record *out);

/* Salvages what can be salvaged of a damaged database that nobody has open.
 * Returns 0, or -1 with text in why. */
int rocksdb_db_repair(const char *folder, struct buf *why);

#endif
