#include "store/rocksdb_reader.h"

#include <errno.h>
#include <sys/stat.h>

#include "core/key.h"
#include "store/thread.h"

#define THREADS 2
#define QUEUE_MAX 4096

/* What a thread works on. It reads and writes its own copies only, so that an
 * operation can be given up while a disk hangs. */
struct slot {
	struct rocksdb_reader *reader;
	pthread_t thread;
	bool started;
	struct store_get *get;		/* under the reader's lock: what this slot works for */
	struct store_scan *scan;
	struct store_backup *backup;
	struct store_get my_get;
	char keys[STORE_GET_MAX][KEY_MAX];
	struct store_scan my_scan;
	char prefix[KEY_MAX], from[KEY_MAX + 1];
	struct record *records;		/* STORE_SCAN_MAX */
	char directory[ROCKSDB_FOLDER_MAX];
	char why[TROUBLE_TEXT];
};

/* Finished operations, in [1] those that failed. */
struct finished {
	struct store_get *gets[2];
	struct store_scan *scans[2];
	struct store_backup *backups[2];
};

struct rocksdb_reader {
	struct rocksdb_db *db;
	struct store *store;
	struct loop_bell *bell;
	pthread_mutex_t lock;		/* guards all below */
	pthread_cond_t work;
	struct store_get *gets, **gets_end;
	struct store_scan *scans, **scans_end;
	struct store_backup *backup;
	unsigned waiting;
	bool backing_up;
	bool stop;
	bool abandoned;
	struct finished finished;
	struct slot slots[THREADS];
};

/* --- Work, on the slot's copies; the lock is not held ---------------------- */

static bool do_get(struct rocksdb_db *db, struct slot *s)
{
	for (unsigned i = 0; i < s->my_get.count; i++) {
		enum rocksdb_found found = rocksdb_db_get(db, db->read, s->my_get.keys[i],
							  &s->my_get.records[i]);
		if (found == ROCKSDB_ERROR || found == ROCKSDB_ON_DISK)
			return false;
		s->my_get.found[i] = found == ROCKSDB_FOUND;
	}
	return true;
}

static bool add_row(struct rocksdb_db *db, struct store_scan *op, const rocksdb_iterator_t *it)
{
	size_t n;
	const char *p = rocksdb_iter_key(it, &n);
	struct span key = span_make(p, n);
	struct record record;

	if (!span_starts(key, op->prefix))
		return false;
	p = rocksdb_iter_value(it, &n);
	bool decoded = rocksdb_merge_decode(&db->merge, span_make(p, n), &record);
	if (key.n <= KEY_MAX && decoded && !store_scan_add(op, key, &record)) {
		op->more = true;
		return false;
	}
	buf_clear(&op->from);
	buf_addspan(&op->from, key);
	return true;
}

static void seek(rocksdb_iterator_t *it, const struct store_scan *op)
{
	struct span from = buf_span(&op->from);
	size_t n;

	if (from.n == 0 || !span_starts(from, op->prefix)) {
		rocksdb_iter_seek(it, op->prefix.p, op->prefix.n);
		return;
	}
	rocksdb_iter_seek(it, from.p, from.n);
	if (!rocksdb_iter_valid(it))
		return;
	const char *p = rocksdb_iter_key(it, &n);
	if (span_eq(span_make(p, n), from))
		rocksdb_iter_next(it);
}

static bool do_scan(struct rocksdb_db *db, struct slot *s)
{
	struct store_scan *op = &s->my_scan;
	rocksdb_iterator_t *it = rocksdb_create_iterator(db->db, db->read_scan);
	char *error = NULL;

	for (seek(it, op); rocksdb_iter_valid(it); rocksdb_iter_next(it))
		if (!add_row(db, op, it))
			break;
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	if (!error)
		return true;
	trouble_read(&db->trouble, db->folder, error);
	rocksdb_free(error);
	return false;
}

static int checkpoint(struct rocksdb_db *db, const char *directory, struct buf *why)
{
	char *error = NULL;
	struct stat st;

	if (lstat(directory, &st) == 0)
		return buf_fail(why, "%s exists already", directory);
	rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(db->db, &error);
	if (!error) {
		rocksdb_checkpoint_create(c, directory, 0, &error);
		rocksdb_checkpoint_object_destroy(c);
	}
	return error ? rocksdb_db_fail(why, error) : 0;
}

static bool do_backup(struct rocksdb_db *db, struct slot *s)
{
	struct buf why = BUF_ON(s->why);

	return checkpoint(db, s->directory, &why) == 0;
}

static bool work(struct rocksdb_db *db, struct slot *s)
{
	bool ok = false;

	pthread_rwlock_rdlock(&db->lock);
	if (!db->db)
		snprintf(s->why, sizeof s->why, "the store is not open: its disk fails");
	else if (s->get)
		ok = do_get(db, s);
	else if (s->scan)
		ok = do_scan(db, s);
	else
		ok = do_backup(db, s);
	pthread_rwlock_unlock(&db->lock);
	return ok;
}

/* --- Taking and finishing; the lock is held -------------------------------- */

static struct span copied(char *room, struct span s)
{
	if (s.n)
		memcpy(room, s.p, s.n);
	return span_make(room, s.n);
}

static void take_get(struct rocksdb_reader *r, struct slot *s)
{
	s->get = r->gets;
	r->gets = s->get->next;
	if (!r->gets)
		r->gets_end = &r->gets;
	s->my_get.count = s->get->count;
	for (unsigned i = 0; i < s->get->count; i++)
		s->my_get.keys[i] = copied(s->keys[i], s->get->keys[i]);
}

static void take_scan(struct rocksdb_reader *r, struct slot *s)
{
	struct store_scan *op = &s->my_scan;

	s->scan = r->scans;
	r->scans = s->scan->next;
	if (!r->scans)
		r->scans_end = &r->scans;
	op->prefix = copied(s->prefix, s->scan->prefix);
	op->from = buf_on(s->from, sizeof s->from);
	buf_addspan(&op->from, buf_span(&s->scan->from));
	op->limit = s->scan->limit;
	op->records = s->records;
	op->count = 0;
	op->more = false;
	buf_clear(&op->keys);
}

static void take_backup(struct rocksdb_reader *r, struct slot *s)
{
	s->backup = r->backup;
	r->backup = NULL;
	snprintf(s->directory, sizeof s->directory, "%s", s->backup->directory);
}

static bool take(struct rocksdb_reader *r, struct slot *s)
{
	while (!r->gets && !r->scans && !r->backup && !r->stop)
		pthread_cond_wait(&r->work, &r->lock);
	s->why[0] = '\0';
	if (r->gets)
		take_get(r, s);
	else if (r->scans)
		take_scan(r, s);
	else if (r->backup)
		take_backup(r, s);
	else
		return false;
	r->waiting--;
	return true;
}

static void finish_scan(struct slot *s, struct store_scan *op)
{
	op->count = s->my_scan.count;
	op->more = s->my_scan.more;
	memcpy(op->records, s->records, op->count * sizeof *op->records);
	buf_addspan(&op->keys, buf_span(&s->my_scan.keys));
	buf_clear(&op->from);
	buf_addspan(&op->from, buf_span(&s->my_scan.from));
}

static void finish(struct rocksdb_reader *r, struct slot *s, bool failed)
{
	if (r->abandoned) {
		return;
	}
	if (s->get) {
		memcpy(s->get->found, s->my_get.found, sizeof s->get->found);
		memcpy(s->get->records, s->my_get.records, sizeof s->get->records);
		s->get->next = r->finished.gets[failed];
		r->finished.gets[failed] = s->get;
	} else if (s->scan) {
		finish_scan(s, s->scan);
		failed |= s->scan->keys.over;
		s->scan->next = r->finished.scans[failed];
		r->finished.scans[failed] = s->scan;
	} else {
		buf_clear(s->backup->why);
		buf_adds(s->backup->why, s->why);
		r->finished.backups[failed] = s->backup;
	}
	s->get = NULL;
	s->scan = NULL;
	s->backup = NULL;
	loop_bell_ring(r->bell);
}

static void *run(void *arg)
{
	struct slot *s = arg;
	struct rocksdb_reader *r = s->reader;

	rocksdb_db_thread();
	pthread_mutex_lock(&r->lock);
	while (!r->abandoned && take(r, s)) {
		pthread_mutex_unlock(&r->lock);
		bool ok = work(r->db, s);
		pthread_mutex_lock(&r->lock);
		finish(r, s, !ok);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* --- The loop thread's side ------------------------------------------------ */

static void complete(struct rocksdb_reader *r, struct finished *f)
{
	for (int failed = 0; failed < 2; failed++) {
		enum store_status status = failed ? STORE_FAILED : STORE_DONE;
		while (f->gets[failed]) {
			struct store_get *op = f->gets[failed];
			f->gets[failed] = op->next;
			store_done_get(r->store, op, status);
		}
		while (f->scans[failed]) {
			struct store_scan *op = f->scans[failed];
			f->scans[failed] = op->next;
			store_done_scan(r->store, op, status);
		}
		if (f->backups[failed]) {
			r->backing_up = false;
			store_done_backup(r->store, f->backups[failed], status);
		}
	}
}

static void on_bell(void *arg)
{
	struct rocksdb_reader *r = arg;

	pthread_mutex_lock(&r->lock);
	struct finished f = r->finished;
	r->finished = (struct finished){ 0 };
	pthread_mutex_unlock(&r->lock);
	complete(r, &f);
}

enum store_status rocksdb_reader_get(struct rocksdb_reader *r, struct store_get *op)
{
	enum store_status status = STORE_FAILED;

	op->next = NULL;
	pthread_mutex_lock(&r->lock);
	if (r->waiting < QUEUE_MAX && !r->stop) {
		*r->gets_end = op;
		r->gets_end = &op->next;
		r->waiting++;
		pthread_cond_signal(&r->work);
		status = STORE_PENDING;
	}
	pthread_mutex_unlock(&r->lock);
	return status;
}

enum store_status rocksdb_reader_scan(struct rocksdb_reader *r, struct store_scan *op)
{
	enum store_status status = STORE_FAILED;

	pthread_mutex_lock(&r->lock);
	if (r->waiting < QUEUE_MAX && !r->stop) {
		*r->scans_end = op;
		r->scans_end = &op->next;
		r->waiting++;
		pthread_cond_signal(&r->work);
		status = STORE_PENDING;
	}
	pthread_mutex_unlock(&r->lock);
	return status;
}

enum store_status rocksdb_reader_backup(struct rocksdb_reader *r, struct store_backup *op)
{
	if (r->backing_up) {
		buf_fail(op->why, "another backup is being made");
		return STORE_FAILED;
	}
	if (strlen(op->directory) >= ROCKSDB_FOLDER_MAX) {
		buf_fail(op->why, "the name of the backup's folder is too long");
		return STORE_FAILED;
	}
	r->backing_up = true;
	pthread_mutex_lock(&r->lock);
	r->backup = op;
	r->waiting++;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->lock);
	return STORE_PENDING;
}

void rocksdb_reader_stop(struct rocksdb_reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
}

void rocksdb_reader_join(struct rocksdb_reader *r)
{
	for (size_t i = 0; i < THREADS; i++)
		if (r->slots[i].started)
			pthread_join(r->slots[i].thread, NULL);
}

void rocksdb_reader_free(struct rocksdb_reader **r)
{
	if (!*r)
		return;
	complete(*r, &(*r)->finished);
	for (size_t i = 0; i < THREADS; i++) {
		buf_free(&(*r)->slots[i].my_scan.keys);
		free((*r)->slots[i].records);
	}
	loop_bell_free(&(*r)->bell);
	pthread_mutex_destroy(&(*r)->lock);
	pthread_cond_destroy(&(*r)->work);
	free(*r);
	*r = NULL;
}

/* Moves everything that is not finished to where the failed ones are. */
static struct finished give_up(struct rocksdb_reader *r)
{
	struct finished f = r->finished;

	*r->gets_end = f.gets[1];
	f.gets[1] = r->gets;
	*r->scans_end = f.scans[1];
	f.scans[1] = r->scans;
	if (r->backup)
		f.backups[1] = r->backup;
	for (size_t i = 0; i < THREADS; i++) {
		struct slot *s = &r->slots[i];
		if (s->get) {
			s->get->next = f.gets[1];
			f.gets[1] = s->get;
		}
		if (s->scan) {
			s->scan->next = f.scans[1];
			f.scans[1] = s->scan;
		}
		if (s->backup)
			f.backups[1] = s->backup;
	}
	return f;
}

void rocksdb_reader_abandon(struct rocksdb_reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->abandoned = true;
	struct finished f = give_up(r);
	r->gets = NULL;
	r->scans = NULL;
	r->backup = NULL;
	r->stop = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	loop_bell_free(&r->bell);
	complete(r, &f);
}

static bool start_slots(struct rocksdb_reader *r, struct buf *why)
{
	for (size_t i = 0; i < THREADS; i++) {
		struct slot *s = &r->slots[i];
		s->reader = r;
		s->my_scan.keys = buf_heap((size_t)STORE_SCAN_MAX * (KEY_MAX + 1));
		s->records = calloc(STORE_SCAN_MAX, sizeof *s->records);
		if (!s->records) {
			buf_fail(why, "store: out of memory");
			return false;
		}
		if (thread_start(&s->thread, run, s, why) != 0)
			return false;
		s->started = true;
	}
	return true;
}

struct rocksdb_reader *rocksdb_reader_new(struct rocksdb_db *db, struct store *store,
					  struct loop *loop, struct buf *why)
{
	struct rocksdb_reader *r = calloc(1, sizeof *r);

	if (!r) {
		buf_fail(why, "store: out of memory");
		return NULL;
	}
	if (thread_cond_init(&r->work, why) != 0) {
		free(r);
		return NULL;
	}
	pthread_mutex_init(&r->lock, NULL);
	r->db = db;
	r->store = store;
	r->gets_end = &r->gets;
	r->scans_end = &r->scans;
	r->bell = loop_bell_new(loop, on_bell, r, why);
	if (r->bell && start_slots(r, why))
		return r;
	rocksdb_reader_stop(r);
	rocksdb_reader_join(r);
	rocksdb_reader_free(&r);
	return NULL;
}
