/* What the store tests share: a store with its loop and a clock that stands still,
 * and operations that wait for their end. A failure to complete fails the test. */
#ifndef GREYLAG_TESTS_STORE_HARNESS_H
#define GREYLAG_TESTS_STORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "core/key.h"
#include "store/driver.h"

#define HARNESS_NOW 1700000000
#define HARNESS_WAIT_S 60

struct harness_driver {
	const char *name;
	bool keeps;			/* what was stored is there after a reopen */
	bool files;			/* in files of our own */
	const char *no_backup;		/* what it says instead of making one; NULL: it makes one */
	bool (*there)(void);		/* false when this machine has no server for it; NULL: needs none */
	const char *needs;		/* what it then lacks */
};

struct harness_server {
	pid_t pid;			/* 0: none */
	char folder[80];
};

struct harness {
	struct loop *loop;
	struct clock_fake clock;
	struct store *store;
	struct store_options options;
	char base[64];			/* folder of this test, removed at its end */
	char target[128];
	struct harness_server server;
	bool drop;			/* the database of target is this test's */
	unsigned turns;			/* of the loop */
	uint64_t turned_ms;		/* time that they took, of each at most 20 ms: a stall of the machine is not in it */
	char why_text[1000];
	struct buf why;
};

/* driver "valkey sentinel", "valkey cluster": one for all tests of the program, emptied.
 * driver NULL target: a folder inside base, or a server of its own. Does not open yet. */
void harness_begin(struct harness *h, const char *driver, const char *target);
void harness_end(struct harness *h);
/* Fails the test when the store does not open. */
void harness_open(struct harness *h);
bool harness_try_open(struct harness *h);
void harness_close(struct harness *h);
void harness_reopen(struct harness *h);
/* A server for the driver valkey (harness_server.c), on the socket FOLDER/socket;
 * password NULL: none. False when this machine has none. */
bool harness_server_there(void);
const char *harness_server_program(void);
void harness_server_start(struct harness_server *s, const char *folder, const char *password);
void harness_server_signal(struct harness_server *s, int signal);
/* Kills it and waits for its end. */
void harness_server_stop(struct harness_server *s);
/* Sends one command line by hand and waits for an answer that is no error. */
void harness_server_ask(struct harness_server *s, const char *command);

/* The server for the driver mariadb (harness_mariadb.c), one for all tests of the
 * program; starting it again goes on with the same data. */
bool harness_mariadb_there(void);
void harness_mariadb_start(void);
/* Kills it. */
void harness_mariadb_stop(void);
void harness_mariadb_signal(int signal);
void harness_mariadb_ask(const char *sql);
/* A fresh database without tables: writes the store's target. */
void harness_mariadb_database(char *target, size_t size);
void harness_mariadb_drop(const char *target);

/* One turn of the loop. */
void harness_turn(struct harness *h);
/* At least so long; what was due by then has happened. */
void harness_turn_for(struct harness *h, unsigned ms);
uint64_t harness_now_ms(void);

/* Each waits until the operation has completed. */
enum store_status harness_try_get(struct harness *h, struct span key, bool *found, struct record *out);
bool harness_get(struct harness *h, const char *key, struct record *out);
/* Reads it until it holds so many attempts and passes together, for deltas that nobody waits for. */
void harness_wait_counts(struct harness *h, const char *key, uint64_t counts, struct record *out);
enum store_status harness_try_merge(struct harness *h, struct span key, const struct record *delta, bool fresh);
void harness_merge(struct harness *h, const char *key, struct record delta);
void harness_remove(struct harness *h, const char *keys);
enum store_status harness_backup(struct harness *h, const char *directory);

/* The same of one attempt, whatever comes of it. */
enum store_status harness_merge_one(struct harness *h, const char *key);
enum store_status harness_get_one(struct harness *h, const char *key);

void harness_assert_healthy(struct harness *h);
/* Its health has that word. */
void harness_assert_trouble(struct harness *h, const char *word);
/* Each waits for at most HARNESS_WAIT_S. */
void harness_wait_healthy(struct harness *h);
void harness_wait_trouble(struct harness *h);
void harness_wait_text(struct harness *h, const char *word);

/* A whole scan in pages of limit rows, calling row for each; returns the count. */
typedef void harness_row_fn(void *arg, struct span key, const struct record *r);
unsigned harness_scan(struct harness *h, const char *prefix, unsigned limit, harness_row_fn *row, void *arg);

/* Many merges at once, each of one delta; completes them all. */
struct harness_flood {
	struct store_merge *ops;
	struct key *keys;
	unsigned count, done, failed;
};
void harness_flood_begin(struct harness_flood *f, unsigned most);
void harness_flood_add(struct harness *h, struct harness_flood *f, struct span key,
		       const struct record *delta, bool fresh);
void harness_flood_end(struct harness *h, struct harness_flood *f);

/* Runs the tests once a driver, with its row (struct harness_driver) as *state.
 * A new driver joins the table in harness.c. */
int harness_run_drivers(const struct CMUnitTest *tests, size_t count);

/* Merges one attempt into each of "a keyNNNNNN", from <= N < to; all must work. */
void harness_fill(struct harness *h, unsigned from, unsigned to);

/* A pending triplet's first attempt, expiring two days after seen. */
struct record harness_attempt(int64_t seen);
/* Makes "t IDENTITY sN@example.org rN@example.net". */
void harness_triplet(struct key *k, const char *identity, unsigned n);
void harness_wait_census(struct harness *h);

/* Writes the password into a file of this test; path becomes its name. */
void harness_password_file(const struct harness *h, char path[128], const char *password);
void harness_assert_record(const struct record *a, const struct record *b);
uint64_t harness_random(uint64_t *state);
/* Of values that a store can hold. */
struct record harness_random_record(uint64_t *seed);

#endif
