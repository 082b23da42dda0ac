#include "store/rocksdb.h"

#include "base/log.h"
#include "store/rocksdb_db.h"
#include "store/rocksdb_reader.h"
#include "store/rocksdb_writer.h"
#include "store/thread.h"

#define KEEP_FIRST_NS (4 * 3600 * (uint64_t)CLOCK_NS_PER_S)
#define KEEP_EVERY_NS (24 * 3600 * (uint64_t)CLOCK_NS_PER_S)
#define FORCE_ONCE 3	/* kForceOptimized of rocksdb/options.h */

/* The keeper removes expired records: data that no compaction would touch again,
 * because nothing is written near it, is compacted once a day. */
struct keeper {
	pthread_t thread;
	pthread_mutex_t lock;	/* guards stop */
	pthread_cond_t changed;
	bool stop;
	bool started;
};

struct rocksdb_driver {
	struct store_driver driver;
	struct rocksdb_db db;
	struct rocksdb_writer *writer;
	struct rocksdb_reader *reader;
	struct keeper keeper;
};

static struct rocksdb_driver *driver_of(struct store_driver *d)
{
	return (struct rocksdb_driver *)d;
}

/* --- The keeper ------------------------------------------------------------ */

static void compact(struct rocksdb_driver *r)
{
	rocksdb_compactoptions_t *how = rocksdb_compactoptions_create();

	/* Merged values of the last level are only looked at when it is rewritten too. */
	rocksdb_compactoptions_set_bottommost_level_compaction(how, FORCE_ONCE);
	rocksdb_compactoptions_set_exclusive_manual_compaction(how, 0);
	pthread_rwlock_rdlock(&r->db.lock);
	if (r->db.db)
		rocksdb_compact_range_opt(r->db.db, how, NULL, 0, NULL, 0);
	pthread_rwlock_unlock(&r->db.lock);
	rocksdb_compactoptions_destroy(how);
}

static void *keep(void *arg)
{
	struct rocksdb_driver *r = arg;
	struct keeper *k = &r->keeper;
	uint64_t due = thread_now_ns() + KEEP_FIRST_NS;

	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		if (thread_wait_until(&k->changed, &k->lock, due))
			continue;
		pthread_mutex_unlock(&k->lock);
		compact(r);
		due = thread_now_ns() + KEEP_EVERY_NS;
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static int start_keeper(struct rocksdb_driver *r, struct buf *why)
{
	struct keeper *k = &r->keeper;

	pthread_mutex_init(&k->lock, NULL);
	if (thread_cond_init(&k->changed, why) != 0)
		return -1;
	if (thread_start(&k->thread, keep, r, why) != 0) {
		pthread_cond_destroy(&k->changed);
		return -1;
	}
	k->started = true;
	return 0;
}

static void stop_keeper(struct keeper *k)
{
	if (!k->started)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

/* --- Open and close -------------------------------------------------------- */

static void flush(struct rocksdb_db *db)
{
	rocksdb_flushoptions_t *how = rocksdb_flushoptions_create();
	char text[TROUBLE_TEXT], *error = NULL;
	struct buf why = BUF_ON(text);

	rocksdb_flush(db->db, how, &error);
	rocksdb_flushoptions_destroy(how);
	if (!error)
		return;
	rocksdb_db_fail(&why, error);
	log_msg(LOG_LEVEL_WARNING, "store %.100s: not all could be written out at the end, the next "
		"start reads it from the log: %s", db->folder, buf_str(&why));
}

/* On the writer thread, because each of these may wait for a disk. */
static void end_on_writer(void *arg)
{
	struct rocksdb_driver *r = arg;

	if (r->db.db)
		rocksdb_disable_manual_compaction(r->db.db);
	if (r->keeper.started)
		pthread_join(r->keeper.thread, NULL);
	rocksdb_reader_join(r->reader);
	if (r->db.db && rocksdb_writer_ready(r->writer))
		flush(&r->db);
	rocksdb_db_close(&r->db);
}

static void free_driver(struct rocksdb_driver *r)
{
	pthread_mutex_destroy(&r->keeper.lock);
	if (r->keeper.started)
		pthread_cond_destroy(&r->keeper.changed);
	free(r);
}

static bool close_rocksdb(struct store_driver *d)
{
	struct rocksdb_driver *r = driver_of(d);
	uint64_t until = thread_now_ns() + STORE_CLOSE_S * (uint64_t)CLOCK_NS_PER_S;

	stop_keeper(&r->keeper);
	rocksdb_reader_stop(r->reader);
	if (rocksdb_writer_stop(r->writer, until)) {
		rocksdb_reader_free(&r->reader);
		rocksdb_writer_free(&r->writer);
		free_driver(r);
		return true;
	}
	log_msg(LOG_LEVEL_ERROR, "store %.100s: its disk does not answer; closing without it",
		r->db.folder);
	rocksdb_reader_abandon(r->reader);
	rocksdb_writer_abandon(r->writer);
	return false;
}

static struct store_driver *open_rocksdb(struct store *store, const struct store_options *options,
					 struct buf *why)
{
	struct rocksdb_driver *r = calloc(1, sizeof *r);

	if (!r) {
		buf_fail(why, "store: out of memory");
		return NULL;
	}
	r->driver = (struct store_driver){ &store_rocksdb_ops, store };
	if (rocksdb_db_open(&r->db, options, why) != 0) {
		free(r);
		return NULL;
	}
	r->reader = rocksdb_reader_new(&r->db, store, options->loop, why);
	if (!r->reader) {
		rocksdb_db_close(&r->db);
		free(r);
		return NULL;
	}
	r->writer = rocksdb_writer_new(&r->db, store, options, end_on_writer, r, why);
	if (!r->writer) {
		rocksdb_reader_stop(r->reader);
		rocksdb_reader_join(r->reader);
		rocksdb_reader_free(&r->reader);
		rocksdb_db_close(&r->db);
		free(r);
		return NULL;
	}
	if (start_keeper(r, why) == 0)
		return &r->driver;
	close_rocksdb(&r->driver);
	return NULL;
}

int store_rocksdb_repair(const char *folder, struct buf *why)
{
	return rocksdb_db_repair(folder, why);
}

/* --- Operations ------------------------------------------------------------ */

static enum rocksdb_found get_cached(struct rocksdb_driver *r, struct store_get *op)
{
	enum rocksdb_found found = ROCKSDB_ABSENT;

	if (pthread_rwlock_tryrdlock(&r->db.lock) != 0)
		return ROCKSDB_ERROR;
	if (!r->db.db)
		found = ROCKSDB_ERROR;
	for (unsigned i = 0; i < op->count && found <= ROCKSDB_ABSENT; i++) {
		found = rocksdb_db_get(&r->db, r->db.read_cached, op->keys[i], &op->records[i]);
		op->found[i] = found == ROCKSDB_FOUND;
	}
	pthread_rwlock_unlock(&r->db.lock);
	return found;
}

static enum store_status get(struct store_driver *d, struct store_get *op)
{
	struct rocksdb_driver *r = driver_of(d);

	switch (get_cached(r, op)) {
	case ROCKSDB_FOUND:
	case ROCKSDB_ABSENT: return STORE_DONE;
	case ROCKSDB_ON_DISK: return rocksdb_reader_get(r->reader, op);
	case ROCKSDB_ERROR: break;
	}
	return STORE_FAILED;
}

static enum store_status merge(struct store_driver *d, struct store_merge *op)
{
	return rocksdb_writer_merge(driver_of(d)->writer, op);
}

static bool ready(const struct store_driver *d)
{
	return rocksdb_writer_ready(((const struct rocksdb_driver *)d)->writer);
}

static void merge_later(struct store_driver *d, struct span key, const struct record *delta)
{
	rocksdb_writer_later(driver_of(d)->writer, key, delta);
}

static bool settled(const struct store_driver *d)
{
	return rocksdb_writer_settled(((const struct rocksdb_driver *)d)->writer);
}

static enum store_status scan(struct store_driver *d, struct store_scan *op)
{
	return rocksdb_reader_scan(driver_of(d)->reader, op);
}

static enum store_status remove_keys(struct store_driver *d, struct store_remove *op)
{
	return rocksdb_writer_remove(driver_of(d)->writer, op);
}

static enum store_status backup(struct store_driver *d, struct store_backup *op)
{
	return rocksdb_reader_backup(driver_of(d)->reader, op);
}

static void turn(struct store_driver *d)
{
	rocksdb_writer_turn(driver_of(d)->writer);
}

static const char *health(struct store_driver *d)
{
	return trouble_health(&driver_of(d)->db.trouble);
}

static uint64_t property(rocksdb_t *db, const char *name)
{
	uint64_t value = 0;

	return rocksdb_property_int(db, name, &value) == 0 ? value : 0;
}

static void stats(struct store_driver *d, struct store_stats *out)
{
	struct rocksdb_driver *r = driver_of(d);

	out->syncs = rocksdb_writer_syncs(r->writer);
	out->later_dropped += rocksdb_writer_lost(r->writer);
	out->odd_records = __atomic_load_n(&r->db.merge.odd, __ATOMIC_RELAXED);
	if (pthread_rwlock_tryrdlock(&r->db.lock) != 0)
		return;
	rocksdb_t *db = r->db.db;
	if (db) {
		uint64_t tables = property(db, "rocksdb.size-all-mem-tables");
		out->records = property(db, "rocksdb.estimate-num-keys");
		/* The write-ahead log holds what the memory tables hold. */
		out->disk_bytes = property(db, "rocksdb.total-sst-files-size") + tables;
		out->memory_bytes = tables + property(db, "rocksdb.block-cache-usage") +
				    property(db, "rocksdb.estimate-table-readers-mem");
	}
	pthread_rwlock_unlock(&r->db.lock);
}

static void trust_clock(struct store_driver *d, bool trusted)
{
	__atomic_store_n(&driver_of(d)->db.merge.untrusted, !trusted, __ATOMIC_RELAXED);
}

static void maintain(struct store_driver *d)
{
	compact(driver_of(d));
}

const struct store_ops store_rocksdb_ops = {
	.name = "rocksdb",
	.open = open_rocksdb,
	.close = close_rocksdb,
	.get = get,
	.merge = merge,
	.ready = ready,
	.merge_later = merge_later,
	.settled = settled,
	.scan = scan,
	.remove = remove_keys,
	.backup = backup,
	.turn = turn,
	.health = health,
	.stats = stats,
	.trust_clock = trust_clock,
	.maintain = maintain,
};
