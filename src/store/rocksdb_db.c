#include "store/rocksdb_db.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/thread.h"

#define PERF_DISABLE 1	/* kDisable of rocksdb/perf_level.h */
#define MB ((size_t)1024 * 1024)
#define READ_TIER_CACHE 1	/* kBlockCacheTier of rocksdb/options.h */
#define INFO_LOG_WARN 2		/* WARN_LEVEL of rocksdb/env.h */

/* --- Options --------------------------------------------------------------- */

/* Filters and indexes stay outside the block cache: inside, they were evicted
 * and read again, and the rate fell to a sixth at a million records. */
static void set_table(struct rocksdb_db *d, uint64_t cache_bytes)
{
	d->cache = rocksdb_cache_create_lru(cache_bytes);
	d->table = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(d->table, d->cache);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(d->table, 0);
	rocksdb_block_based_options_set_filter_policy(d->table, rocksdb_filterpolicy_create_bloom_full(10));
	rocksdb_block_based_options_set_whole_key_filtering(d->table, 1);
	/* Four times fewer index entries in memory than with 4 kB blocks. */
	rocksdb_block_based_options_set_block_size(d->table, 16 * 1024);
	rocksdb_block_based_options_set_format_version(d->table, 5);
	rocksdb_options_set_block_based_table_factory(d->options, d->table);
}

static void set_options(struct rocksdb_db *d)
{
	rocksdb_options_t *o = d->options;

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_write_buffer_size(o, d->write_buffer_bytes);
	rocksdb_options_set_max_write_buffer_number(o, 3);
	rocksdb_options_set_max_total_wal_size(o, 8 * d->write_buffer_bytes);
	/* A busy client's counter gets a delta every second: without this a look-up
	 * would add up all of them since the last flush. */
	rocksdb_options_set_max_successive_merges(o, 32);
	/* Most keys that are asked for were never seen. One thread writes. */
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.02);
	rocksdb_options_set_memtable_whole_key_filtering(o, 1);
	rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	rocksdb_options_set_bottommost_compression(o, rocksdb_zstd_compression);
	rocksdb_options_set_compaction_style(o, rocksdb_level_compaction);
	/* A file's filter is built in memory, so files are small. */
	rocksdb_options_set_target_file_size_base(o, 16 * MB);
	rocksdb_options_set_max_bytes_for_level_base(o, 64 * MB);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_max_open_files(o, 256);
	/* One shard, so that no few files push each other out. */
	rocksdb_options_set_table_cache_numshardbits(o, 0);
	rocksdb_options_set_max_background_jobs(o, 2);
	rocksdb_options_set_bytes_per_sync(o, MB);
	rocksdb_options_set_info_log_level(o, INFO_LOG_WARN);
	rocksdb_options_set_max_log_file_size(o, MB);
	rocksdb_options_set_keep_log_file_num(o, 2);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_max_manifest_file_size(o, 4 * MB);
	rocksdb_options_set_merge_operator(o, rocksdb_merge_operator(&d->merge));
	d->filter = rocksdb_merge_filter(&d->merge);
	rocksdb_options_set_compaction_filter(o, d->filter);
}

static void make_handles(struct rocksdb_db *d, const struct store_options *options)
{
	d->options = rocksdb_options_create();
	set_table(d, options->block_cache_bytes);
	set_options(d);
	d->read_cached = rocksdb_readoptions_create();
	rocksdb_readoptions_set_read_tier(d->read_cached, READ_TIER_CACHE);
	d->read = rocksdb_readoptions_create();
	d->read_scan = rocksdb_readoptions_create();
	rocksdb_readoptions_set_fill_cache(d->read_scan, 0);
	d->write = rocksdb_writeoptions_create();
	d->write_synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(d->write_synced, 1);
}

static void free_handles(struct rocksdb_db *d)
{
	rocksdb_writeoptions_destroy(d->write_synced);
	rocksdb_writeoptions_destroy(d->write);
	rocksdb_readoptions_destroy(d->read_scan);
	rocksdb_readoptions_destroy(d->read);
	rocksdb_readoptions_destroy(d->read_cached);
	rocksdb_options_destroy(d->options);
	rocksdb_compactionfilter_destroy(d->filter);
	rocksdb_block_based_options_destroy(d->table);
	rocksdb_cache_destroy(d->cache);
	trouble_end(&d->trouble);
	pthread_rwlock_destroy(&d->lock);
}

static void init_db(struct rocksdb_db *d, const struct store_options *options)
{
	*d = (struct rocksdb_db){ .lock = PTHREAD_RWLOCK_INITIALIZER };
	d->write_buffer_bytes = options->write_buffer_bytes;
	d->merge.clock = options->clock;
	trouble_init(&d->trouble);
	make_handles(d, options);
}

/* --- The folder ------------------------------------------------------------ */

struct contents {
	bool current;		/* there is a database */
	bool tables;		/* there are at least parts of one */
	bool log;		/* RocksDB has begun to make one */
	bool foreign;
};

static void look_at_entry(struct contents *c, struct span name)
{
	static const struct span foreign_but_harmless = SPAN("lost+found");

	if (span_eq(name, span_of("CURRENT")))
		c->current = true;
	else if (span_ends(name, span_of(".sst")))
		c->tables = true;
	else if (span_starts(name, span_of("LOG")) || span_eq(name, span_of("LOCK")))
		c->log = true;
	else if (name.p[0] != '.' && !span_eq(name, foreign_but_harmless))
		c->foreign = true;
}

static int damaged(const char *folder, const char *text, struct buf *why)
{
	return buf_fail(why, "the store in %s is damaged: %s; restore a backup, or move the folder "
			"away to begin with an empty store", folder, text);
}

static int check_contents(const char *folder, struct buf *why)
{
	struct contents c = { 0 };
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (!dir)
		return buf_fail(why, "store folder %s: %s", folder, strerror(errno));
	while ((entry = readdir(dir)))
		look_at_entry(&c, span_of(entry->d_name));
	closedir(dir);
	/* RocksDB would begin a new database there and delete what is left of the old. */
	if (c.tables && !c.current)
		return damaged(folder, "the file CURRENT is missing", why);
	if (c.foreign && !c.current && !c.log)
		return buf_fail(why, "store folder %s holds other files and no store", folder);
	return 0;
}

static int make_folder(const char *folder, struct buf *why)
{
	if (mkdir(folder, 0700) == 0)
		return 0;
	if (errno == ENOENT)
		return buf_fail(why, "store folder %s: the folder above it is missing", folder);
	return buf_fail(why, "store folder %s does not exist and cannot be made: %s", folder,
			strerror(errno));
}

static int prepare_folder(const char *folder, struct buf *why)
{
	struct stat st;

	if (folder[0] == '\0')
		return buf_fail(why, "store rocksdb needs a folder");
	if (strlen(folder) >= ROCKSDB_FOLDER_MAX - NAME_MAX)
		return buf_fail(why, "the name of the store folder is too long");
	if (stat(folder, &st) != 0) {
		if (errno == ENOENT)
			return make_folder(folder, why);
		return buf_fail(why, "store folder %s: %s", folder, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return buf_fail(why, "store folder %s is not a folder", folder);
	if (access(folder, R_OK | W_OK | X_OK) != 0)
		return buf_fail(why, "store folder %s is not writable: %s", folder, strerror(errno));
	return check_contents(folder, why);
}

/* --- Opening --------------------------------------------------------------- */

int rocksdb_db_fail(struct buf *why, char *error)
{
	buf_clear(why);
	buf_addsafe(why, span_of(error), 300);
	rocksdb_free(error);
	return -1;
}

static int explain(const char *folder, char *error, struct buf *why)
{
	char text[400];
	struct buf safe = BUF_ON(text);

	bool locked = strstr(error, "lock hold by current process") ||
		      (strstr(error, "While lock file") && strstr(error, "temporarily unavailable"));
	bool broken = strstr(error, "Corruption") || strstr(error, "No such file or directory");
	rocksdb_db_fail(&safe, error);
	if (locked)
		return buf_fail(why, "store folder %s: another greylagd uses it", folder);
	if (broken)
		return damaged(folder, buf_str(&safe), why);
	return buf_fail(why, "store folder %s: %s", folder, buf_str(&safe));
}

static int open_locked(struct rocksdb_db *d, struct buf *why)
{
	char *error = NULL;
	sigset_t old;

	/* RocksDB starts threads here; signals are the loop thread's. */
	thread_signals_off(&old);
	d->db = rocksdb_open(d->options, d->folder, &error);
	thread_signals_back(&old);
	if (!error)
		return 0;
	d->db = NULL;
	return explain(d->folder, error, why);
}

void rocksdb_db_thread(void)
{
	rocksdb_set_perf_level(PERF_DISABLE);
}

int rocksdb_db_open(struct rocksdb_db *d, const struct store_options *options, struct buf *why)
{
	if (prepare_folder(options->target, why) != 0)
		return -1;
	rocksdb_db_thread();
	init_db(d, options);
	snprintf(d->folder, sizeof d->folder, "%s", options->target);
	if (open_locked(d, why) == 0)
		return 0;
	free_handles(d);
	return -1;
}

/* A folder that is gone may come back (a disk that is mounted again), so a new
 * store is never begun in its place while the process runs. */
static int check_present(const struct rocksdb_db *d, struct buf *why)
{
	char path[ROCKSDB_FOLDER_MAX + 16];

	snprintf(path, sizeof path, "%s/CURRENT", d->folder);
	return access(path, F_OK) == 0 ? 0 : buf_fail(why, "%s is missing: %s", path, strerror(errno));
}

int rocksdb_db_reopen(struct rocksdb_db *d, struct buf *why)
{
	/* A compaction of ours holds the lock; end it. */
	pthread_rwlock_rdlock(&d->lock);
	if (d->db)
		rocksdb_disable_manual_compaction(d->db);
	pthread_rwlock_unlock(&d->lock);

	pthread_rwlock_wrlock(&d->lock);
	if (d->db)
		rocksdb_close(d->db);
	d->db = NULL;
	int opened = check_present(d, why);
	if (opened == 0)
		opened = open_locked(d, why);
	pthread_rwlock_unlock(&d->lock);
	return opened;
}

void rocksdb_db_close(struct rocksdb_db *d)
{
	if (d->db)
		rocksdb_close(d->db);
	d->db = NULL;
	free_handles(d);
}

/* --- Reading --------------------------------------------------------------- */

static enum rocksdb_found explain_get(struct rocksdb_db *d, char *error)
{
	bool on_disk = span_starts(span_of(error), span_of("Result incomplete"));

	if (!on_disk)
		trouble_read(&d->trouble, d->folder, error);
	rocksdb_free(error);
	return on_disk ? ROCKSDB_ON_DISK : ROCKSDB_ERROR;
}

enum rocksdb_found rocksdb_db_get(struct rocksdb_db *d, const rocksdb_readoptions_t *how,
				  struct span key, struct record *out)
{
	char *error = NULL;
	size_t n = 0;
	rocksdb_pinnableslice_t *value = rocksdb_get_pinned(d->db, how, key.p, key.n, &error);

	if (error)
		return explain_get(d, error);
	if (!value)
		return ROCKSDB_ABSENT;
	const char *p = rocksdb_pinnableslice_value(value, &n);
	/* In a file that is not open yet RocksDB 7.8 does not look when it may not wait, and
	 * answers with an empty value instead of an error. No record is empty. */
	if (n == 0 && how == d->read_cached) {
		rocksdb_pinnableslice_destroy(value);
		return ROCKSDB_ON_DISK;
	}
	bool decoded = rocksdb_merge_decode(&d->merge, span_make(p, n), out);
	rocksdb_pinnableslice_destroy(value);
	return decoded ? ROCKSDB_FOUND : ROCKSDB_ABSENT;
}

/* --- Repair ---------------------------------------------------------------- */

int rocksdb_db_repair(const char *folder, struct buf *why)
{
	struct store_options options = { .clock = &clock_system, .write_buffer_bytes = 8 * MB,
					 .block_cache_bytes = MB };
	struct rocksdb_db d;
	char *error = NULL;

	init_db(&d, &options);
	/* The clock may be what is wrong; a repair drops nothing as expired. */
	d.merge.untrusted = true;
	rocksdb_repair_db(d.options, folder, &error);
	free_handles(&d);
	if (!error)
		return 0;
	return explain(folder, error, why);
}
