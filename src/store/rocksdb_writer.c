#include "store/rocksdb_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/key.h"
#include "store/thread.h"

#define TICK_NS ((uint64_t)CLOCK_NS_PER_S)	/* between syncs of lazy writes, and between repairs */
#define GATHER_BYTES ((size_t)16 * 1024 * 1024)
#define GATHER_OPERATIONS 65536
#define BATCHES 3
#define PROBE_BYTES 4096
#define DISK_PROBE_BYTES ((size_t)64 * 1024)

/* The loop thread fills a batch, the writer thread writes it; operations are
 * only ever touched by the loop thread. */
struct batch {
	rocksdb_writebatch_t *writes;
	struct store_merge *merges, **merges_end;
	struct store_remove *removes, **removes_end;
	struct store_remove *eviction;	/* pending_only: judged by the writer thread */
	struct buf eviction_keys;
	uint64_t evicted;
	unsigned operations;
	unsigned later;			/* those of them that nobody waits for */
	size_t bytes;
	bool waited;			/* someone waits for it: sync */
	bool failed;
};

enum hand { HAND_EMPTY, HAND_OVER, HAND_WRITTEN };

struct rocksdb_writer {
	struct rocksdb_db *db;
	struct store *store;
	bool lazy;
	void (*at_end)(void *arg);
	void *at_end_arg;
	struct loop_bell *bell;
	pthread_t thread;
	pthread_mutex_t lock;		/* guards hand, busy, stop, ended, abandoned */
	pthread_cond_t changed;
	enum hand hand;
	struct batch *busy;		/* the writer thread's while HAND_OVER */
	bool stop;
	bool ended;			/* the thread is about to return */
	bool abandoned;
	bool failing;			/* atomic */
	uint64_t syncs;			/* atomic */
	/* The loop thread's: one gathers, one is being written, one is being completed. */
	struct batch batches[BATCHES];
	struct batch *gather;
	struct batch *spare[BATCHES];
	unsigned spares;
	unsigned later_waiting;		/* deltas of rocksdb_writer_later not yet written */
	uint64_t later_lost;
	bool dirty;			/* writer thread: written without sync */
	uint64_t tick_ns;		/* writer thread: last sync or repair */
};

/* --- Batches (loop thread) ------------------------------------------------- */

static void batch_clear(struct batch *b)
{
	rocksdb_writebatch_clear(b->writes);
	b->merges = NULL;
	b->merges_end = &b->merges;
	b->removes = NULL;
	b->removes_end = &b->removes;
	b->eviction = NULL;
	buf_clear(&b->eviction_keys);
	b->evicted = 0;
	b->operations = b->later = 0;
	b->bytes = 0;
	b->waited = b->failed = false;
}

static void batch_merge(struct batch *b, struct span key, const struct record *delta)
{
	unsigned char value[RECORD_SIZE];

	record_encode(delta, value);
	rocksdb_writebatch_merge(b->writes, key.p, key.n, (const char *)value, sizeof value);
	b->operations++;
	b->bytes += key.n + sizeof value;
}

static void complete_operations(struct rocksdb_writer *w, struct batch *b, enum store_status status)
{
	while (b->merges) {
		struct store_merge *op = b->merges;
		b->merges = op->next;
		store_done_merge(w->store, op, status);
	}
	while (b->removes) {
		struct store_remove *op = b->removes;
		b->removes = op->next;
		store_done_remove(w->store, op, status);
	}
	if (b->eviction) {
		b->eviction->removed = status == STORE_DONE ? b->evicted : 0;
		store_done_remove(w->store, b->eviction, status);
	}
}

static bool failing(const struct rocksdb_writer *w)
{
	return __atomic_load_n(&w->failing, __ATOMIC_RELAXED);
}

bool rocksdb_writer_ready(const struct rocksdb_writer *w)
{
	return !failing(w) && w->gather->operations < GATHER_OPERATIONS &&
	       w->gather->bytes < GATHER_BYTES;
}

enum store_status rocksdb_writer_merge(struct rocksdb_writer *w, struct store_merge *op)
{
	struct batch *b = w->gather;

	if (!rocksdb_writer_ready(w))
		return STORE_FAILED;
	for (unsigned i = 0; i < op->count; i++)
		batch_merge(b, op->deltas[i].key, &op->deltas[i].delta);
	b->waited = true;
	*b->merges_end = op;
	b->merges_end = &op->next;
	return STORE_PENDING;
}

void rocksdb_writer_later(struct rocksdb_writer *w, struct span key, const struct record *delta)
{
	batch_merge(w->gather, key, delta);
	w->gather->later++;
	w->later_waiting++;
}

bool rocksdb_writer_settled(const struct rocksdb_writer *w)
{
	return w->later_waiting == 0;
}

static enum store_status evict(struct rocksdb_writer *w, struct store_remove *op)
{
	struct batch *b = w->gather;

	if (b->eviction || op->keys.n > b->eviction_keys.max)
		return STORE_FAILED;
	buf_addspan(&b->eviction_keys, op->keys);
	if (b->eviction_keys.over)
		return STORE_FAILED;
	b->eviction = op;
	b->waited = true;
	return STORE_PENDING;
}

enum store_status rocksdb_writer_remove(struct rocksdb_writer *w, struct store_remove *op)
{
	struct batch *b = w->gather;
	struct span rest = op->keys, key;

	if (!rocksdb_writer_ready(w))
		return STORE_FAILED;
	if (op->pending_only)
		return evict(w, op);
	while (span_cut(&rest, '\n', &key)) {
		rocksdb_writebatch_delete(b->writes, key.p, key.n);
		b->operations++;
		b->bytes += key.n;
		op->removed++;
	}
	b->waited = true;
	*b->removes_end = op;
	b->removes_end = &op->next;
	return STORE_PENDING;
}

uint64_t rocksdb_writer_syncs(const struct rocksdb_writer *w)
{
	return __atomic_load_n(&w->syncs, __ATOMIC_RELAXED);
}

uint64_t rocksdb_writer_lost(const struct rocksdb_writer *w)
{
	return w->later_lost;
}

static bool gathered(const struct rocksdb_writer *w)
{
	return w->gather->operations || w->gather->waited;
}

/* With the lock held: passes on what has gathered when the thread is free. */
static void hand_over(struct rocksdb_writer *w)
{
	if (w->hand != HAND_EMPTY || !gathered(w) || w->spares == 0)
		return;
	w->busy = w->gather;
	w->gather = w->spare[--w->spares];
	w->hand = HAND_OVER;
	pthread_cond_signal(&w->changed);
}

void rocksdb_writer_turn(struct rocksdb_writer *w)
{
	if (!gathered(w))
		return;
	pthread_mutex_lock(&w->lock);
	hand_over(w);
	pthread_mutex_unlock(&w->lock);
}

/* Completes what was written, if anything. The thread gets its next batch first,
 * so that it does not wait for the callbacks. */
static void take_written(struct rocksdb_writer *w)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&w->lock);
	if (w->hand == HAND_WRITTEN) {
		b = w->busy;
		w->hand = HAND_EMPTY;
		hand_over(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (!b)
		return;
	w->later_waiting -= b->later;
	if (b->failed)
		w->later_lost += b->later;
	complete_operations(w, b, b->failed ? STORE_FAILED : STORE_DONE);
	batch_clear(b);
	w->spare[w->spares++] = b;
}

static void on_bell(void *arg)
{
	take_written(arg);
}

/* --- Writing (writer thread) ----------------------------------------------- */

static void write_failed(struct rocksdb_writer *w, char *error)
{
	trouble_write(&w->db->trouble, w->db->folder, error);
	rocksdb_free(error);
	__atomic_store_n(&w->failing, true, __ATOMIC_RELAXED);
	w->tick_ns = thread_now_ns();
}

static bool write_out(struct rocksdb_writer *w, rocksdb_writebatch_t *writes, bool sync)
{
	char *error = NULL;

	rocksdb_write(w->db->db, sync ? w->db->write_synced : w->db->write, writes, &error);
	if (error) {
		write_failed(w, error);
		return false;
	}
	/* A sync covers what was written without one before. */
	w->dirty = !sync;
	if (sync)
		__atomic_fetch_add(&w->syncs, 1, __ATOMIC_RELAXED);
	return true;
}

/* Only this thread writes, so between look and removal no record can pass. */
static bool write_eviction(struct rocksdb_writer *w, struct batch *b)
{
	struct span rest = buf_span(&b->eviction_keys), key;
	struct record r;

	rocksdb_writebatch_clear(b->writes);
	while (span_cut(&rest, '\n', &key)) {
		if (rocksdb_db_get(w->db, w->db->read, key, &r) != ROCKSDB_FOUND || !record_pending(&r))
			continue;
		rocksdb_writebatch_delete(b->writes, key.p, key.n);
		b->evicted++;
	}
	return b->evicted == 0 || write_out(w, b->writes, false);
}

static void write_batch(struct rocksdb_writer *w, struct batch *b)
{
	bool ok = false;

	if (!failing(w)) {
		pthread_rwlock_rdlock(&w->db->lock);
		ok = w->db->db && (b->operations == 0 || write_out(w, b->writes, b->waited && !w->lazy));
		if (ok && b->eviction)
			ok = write_eviction(w, b);
		pthread_rwlock_unlock(&w->db->lock);
	}
	b->failed = !ok;
}

static void sync_lazy(struct rocksdb_writer *w)
{
	char *error = NULL;

	if (!w->dirty)
		return;
	pthread_rwlock_rdlock(&w->db->lock);
	if (w->db->db)
		rocksdb_flush_wal(w->db->db, 1, &error);
	pthread_rwlock_unlock(&w->db->lock);
	if (error) {
		write_failed(w, error);
		return;
	}
	w->dirty = false;
	__atomic_fetch_add(&w->syncs, 1, __ATOMIC_RELAXED);
}

/* --- Repair (writer thread) ------------------------------------------------ */

/* A log-only entry goes to the write-ahead log and leaves no key behind. */
static bool write_probe(struct rocksdb_writer *w)
{
	static const char blob[PROBE_BYTES];
	rocksdb_writebatch_t *probe = rocksdb_writebatch_create();
	char *error = NULL;
	bool ok = false;

	rocksdb_writebatch_put_log_data(probe, blob, sizeof blob);
	pthread_rwlock_rdlock(&w->db->lock);
	if (w->db->db) {
		rocksdb_write(w->db->db, w->db->write_synced, probe, &error);
		ok = !error;
	}
	pthread_rwlock_unlock(&w->db->lock);
	rocksdb_writebatch_destroy(probe);
	if (error) {
		trouble_write(&w->db->trouble, w->db->folder, error);
		rocksdb_free(error);
	}
	return ok;
}

static bool write_file(int fd)
{
	static const char block[DISK_PROBE_BYTES];

	return write(fd, block, sizeof block) == (ssize_t)sizeof block && fsync(fd) == 0;
}

/* While the disk takes nothing, the open database is kept: it can still be read,
 * and opening it anew would fail. */
static bool disk_takes(struct rocksdb_writer *w)
{
	struct statvfs fs;
	char path[ROCKSDB_FOLDER_MAX];

	if (statvfs(w->db->folder, &fs) != 0)
		return true;
	if ((uint64_t)fs.f_bavail * fs.f_frsize < w->db->write_buffer_bytes)
		return false;
	if (snprintf(path, sizeof path, "%s/.greylag-probe", w->db->folder) >= (int)sizeof path)
		return true;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool written = write_file(fd);
	close(fd);
	unlink(path);
	return written;
}

static void try_repair(struct rocksdb_writer *w)
{
	char text[TROUBLE_TEXT];
	struct buf why = BUF_ON(text);

	if (!write_probe(w)) {
		if (!disk_takes(w))
			return;
		if (rocksdb_db_reopen(w->db, &why) != 0) {
			trouble_write(&w->db->trouble, w->db->folder, buf_str(&why));
			return;
		}
		if (!write_probe(w))
			return;
	}
	__atomic_store_n(&w->failing, false, __ATOMIC_RELAXED);
	trouble_over(&w->db->trouble, w->db->folder);
}

/* --- The thread ------------------------------------------------------------ */

static void tick(struct rocksdb_writer *w)
{
	if (thread_now_ns() - w->tick_ns < TICK_NS)
		return;
	if (failing(w))
		try_repair(w);
	else
		sync_lazy(w);
	w->tick_ns = thread_now_ns();
}

/* With the lock held. True when there is a batch, false to look round. */
static bool wait_for_batch(struct rocksdb_writer *w)
{
	while (w->hand != HAND_OVER && !w->stop) {
		if (!w->dirty && !failing(w))
			pthread_cond_wait(&w->changed, &w->lock);
		else if (!thread_wait_until(&w->changed, &w->lock, w->tick_ns + TICK_NS))
			break;
	}
	return w->hand == HAND_OVER;
}

static void written(struct rocksdb_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->hand = HAND_WRITTEN;
	pthread_cond_broadcast(&w->changed);
	if (!w->abandoned)
		loop_bell_ring(w->bell);
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct rocksdb_writer *w = arg;

	rocksdb_db_thread();
	for (;;) {
		pthread_mutex_lock(&w->lock);
		bool batch = wait_for_batch(w);
		bool stop = w->stop && !batch;
		pthread_mutex_unlock(&w->lock);
		if (stop)
			break;
		if (batch) {
			write_batch(w, w->busy);
			written(w);
		}
		tick(w);
	}
	if (!failing(w))
		sync_lazy(w);
	w->at_end(w->at_end_arg);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void free_writer(struct rocksdb_writer *w)
{
	for (size_t i = 0; i < BATCHES; i++) {
		rocksdb_writebatch_destroy(w->batches[i].writes);
		buf_free(&w->batches[i].eviction_keys);
	}
	loop_bell_free(&w->bell);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}

struct rocksdb_writer *rocksdb_writer_new(struct rocksdb_db *db, struct store *store,
					  const struct store_options *options,
					  void (*at_end)(void *arg), void *arg, struct buf *why)
{
	struct rocksdb_writer *w = calloc(1, sizeof *w);

	if (!w) {
		buf_fail(why, "store: out of memory");
		return NULL;
	}
	if (thread_cond_init(&w->changed, why) != 0) {
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	w->db = db;
	w->store = store;
	w->lazy = options->durability == STORE_LAZY;
	w->at_end = at_end;
	w->at_end_arg = arg;
	for (size_t i = 0; i < BATCHES; i++) {
		w->batches[i].writes = rocksdb_writebatch_create();
		w->batches[i].eviction_keys = buf_heap((size_t)STORE_SCAN_MAX * (KEY_MAX + 1));
		batch_clear(&w->batches[i]);
		w->spare[w->spares++] = &w->batches[i];
	}
	w->gather = w->spare[--w->spares];
	w->bell = loop_bell_new(options->loop, on_bell, w, why);
	if (!w->bell || thread_start(&w->thread, run, w, why) != 0) {
		free_writer(w);
		return NULL;
	}
	return w;
}

/* Waits until the thread has written what it was handed; false when it has not. */
static bool wait_written(struct rocksdb_writer *w, uint64_t until_ns)
{
	pthread_mutex_lock(&w->lock);
	while (w->hand == HAND_OVER)
		if (!thread_wait_until(&w->changed, &w->lock, until_ns))
			break;
	bool done = w->hand != HAND_OVER;
	pthread_mutex_unlock(&w->lock);
	return done;
}

bool rocksdb_writer_stop(struct rocksdb_writer *w, uint64_t until_ns)
{
	bool written_all;

	while ((written_all = wait_written(w, until_ns))) {
		take_written(w);
		if (!gathered(w) && w->spares == BATCHES - 1)
			break;
		rocksdb_writer_turn(w);
	}
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	while (written_all && !w->ended && thread_wait_until(&w->changed, &w->lock, until_ns))
		;
	bool ended = w->ended;
	pthread_mutex_unlock(&w->lock);
	if (ended)
		pthread_join(w->thread, NULL);
	return ended;
}

void rocksdb_writer_free(struct rocksdb_writer **w)
{
	if (*w)
		free_writer(*w);
	*w = NULL;
}

void rocksdb_writer_abandon(struct rocksdb_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->abandoned = true;
	pthread_mutex_unlock(&w->lock);
	loop_bell_free(&w->bell);
	pthread_detach(w->thread);
	/* Operations are the loop's even in the batch that hangs; the rest of it
	 * stays as it is for the thread. */
	for (size_t i = 0; i < BATCHES; i++)
		complete_operations(w, &w->batches[i], STORE_FAILED);
}

