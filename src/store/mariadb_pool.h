/* Workers with a connection each, and the queue of jobs between them and the loop
 * thread. They connect by themselves, one at a time: to the servers in turn, with
 * growing pauses when none serves. A server that let one job wait beyond its deadline
 * is taken for dead: all connections to it are dropped (the circuit breaker), and
 * until there is one again nothing is taken and what is queued fails at once.
 *
 * Functions are the loop thread's. Lock: one, the pool's own. */
#ifndef GREYLAG_STORE_MARIADB_POOL_H
#define GREYLAG_STORE_MARIADB_POOL_H

#include "store/mariadb_job.h"
#include "store/mariadb_where.h"

struct mariadb_pool;

struct mariadb_pool_options {
	struct loop *loop;
	struct mariadb_where *where;	/* the pool's from now on: it reads the password again */
	unsigned workers;		/* at least 1 */
	/* On the loop: jobs are done, or there is room for some. */
	loop_bell_fn *ring;
	void *arg;
};

/* Starts to connect. NULL with a reason. */
struct mariadb_pool *mariadb_pool_new(const struct mariadb_pool_options *options, struct buf *why);
/* Ends the workers; what is queued or under way fails, see mariadb_pool_done. False: one
 * hangs and keeps the pool and its job; nothing of theirs may be freed. */
bool mariadb_pool_end(struct mariadb_pool *p);
/* After it has ended. */
void mariadb_pool_free(struct mariadb_pool **p);

/* False: a job would fail at once. */
bool mariadb_pool_serves(const struct mariadb_pool *p);
/* How many times connections have come up after there were none. */
unsigned mariadb_pool_came_up(struct mariadb_pool *p);
/* Workers that would begin at once. */
unsigned mariadb_pool_room(struct mariadb_pool *p);
void mariadb_pool_submit(struct mariadb_pool *p, struct mariadb_job *j);
/* The job took too long: it fails as soon as the server lets go of it. True: it had not
 * been begun. */
bool mariadb_pool_give_up(struct mariadb_pool *p, struct mariadb_job *j);
/* The jobs that are done, linked; they are the caller's again. */
struct mariadb_job *mariadb_pool_done(struct mariadb_pool *p);
/* Blocks until a job is done; false when that time (CLOCK_MONOTONIC) came first. */
bool mariadb_pool_wait(struct mariadb_pool *p, uint64_t until_ns);
/* Blocks until it serves, or all servers have failed once, or that time has come. */
void mariadb_pool_settle(struct mariadb_pool *p, uint64_t until_ns);

/* NULL, or what is wrong; the text stays until the next call. */
const char *mariadb_pool_health(struct mariadb_pool *p);

#endif
