/* A database of MariaDB, MySQL or a Galera cluster: any number of greylagds share it.
 * What the driver's files know of each other. Loop thread.
 *
 * Target: as in base/dbtarget.h; user, password file, tls-ca, workers and
 * consistent-reads come with the options. Operations are gathered into jobs
 * (mariadb_job.h), which workers carry out (mariadb_pool.h). */
#ifndef GREYLAG_STORE_MARIADB_H
#define GREYLAG_STORE_MARIADB_H

#include "store/mariadb_pool.h"

#define MARIADB_JOBS 128
#define MARIADB_LATER_BITS ((size_t)1 << 16)
#define MARIADB_EXPIRE_STEP 500		/* rows of one statement */

struct mariadb {
	struct store_driver driver;
	const struct clock *clock;
	struct mariadb_where where;
	struct mariadb_pool *pool;
	struct mariadb_job *jobs, *free;
	/* What is being gathered, NULL: nothing. Reads that come after a write under way
	 * for the same key are gathered apart, because they wait for it. */
	struct mariadb_job *reading[2], *writing, *later;
	unsigned free_count, later_jobs;
	uint64_t seq;			/* of the last job that writes */
	uint64_t later_bits[MARIADB_LATER_BITS / 64];	/* a Bloom filter of the keys of jobs MARIADB_LATER */
	unsigned deadline_ms;
	struct loop_timer look, overdue;
	uint64_t overdue_ns;		/* when that timer fires; 0: not set */
	unsigned looks, came_up, expire_steps;
	bool looking, expiring, trusted;
	uint64_t records, disk_bytes, memory_bytes;
};

static inline struct mariadb *mariadb_of(struct store_driver *d)
{
	return (struct mariadb *)d;
}

/* mariadb_gather.c */
enum store_status mariadb_get(struct store_driver *d, struct store_get *op);
enum store_status mariadb_merge(struct store_driver *d, struct store_merge *op);
bool mariadb_ready(const struct store_driver *d);
void mariadb_merge_later(struct store_driver *d, struct span key, const struct record *delta);
enum store_status mariadb_scan(struct store_driver *d, struct store_scan *op);
enum store_status mariadb_remove(struct store_driver *d, struct store_remove *op);
/* Takes the next keys of the removal; false when there are none, or no job is free. */
bool mariadb_remove_next(struct mariadb *m, struct store_remove *op, struct span *rest);
/* A free job with its deadline; NULL: none, or nobody to do it. */
struct mariadb_job *mariadb_begin_job(struct mariadb *m, enum mariadb_kind kind);
void mariadb_free_job(struct mariadb *m, struct mariadb_job *j);
/* Hands it to the workers and clears the pointer. */
void mariadb_submit(struct mariadb *m, struct mariadb_job **j);
/* After everything that was written before it. */
void mariadb_submit_after(struct mariadb *m, struct mariadb_job *j);
/* Hands over what has gathered: all, or as much as finds a worker that is idle. What
 * finds none goes on gathering, and is done at once when one is free. */
void mariadb_hand_over(struct mariadb *m, bool all);
/* True when it was gathering, which is over then. */
bool mariadb_was_gathering(struct mariadb *m, const struct mariadb_job *j);

/* mariadb_done.c */
/* Completes the operations of jobs that are done. */
void mariadb_deliver(struct mariadb *m);
/* The job's operations fail now; it comes back when the server lets go of it. */
void mariadb_give_up(struct mariadb *m, struct mariadb_job *j);
void mariadb_check_deadlines(struct mariadb *m);

/* mariadb.c: the next step of a round of expiry. */
void mariadb_expire_step(struct mariadb *m);

/* mariadb_schema.c: makes the tables or brings them up to date; blocks. 0, or -1 with
 * a reason. */
int mariadb_init(const struct store_options *options, struct buf *why);

#endif
