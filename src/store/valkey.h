/* Servers that speak the Redis protocol (Valkey, Redis): any number of greylagds
 * share them. What the driver's files know of each other. Loop thread.
 *
 * Target: see base/kvtarget.h; user, password file, database and prefix come with the
 * options. A record is the value of the key PREFIX + key, so a server that also serves
 * others needs a prefix of its own or, better, a database. */
#ifndef GREYLAG_STORE_VALKEY_H
#define GREYLAG_STORE_VALKEY_H

#include "store/driver.h"
#include "store/valkey_ask.h"

struct valkey_walks;
struct valkey_batch;
struct valkey_sweep;

#define VALKEY_CURSOR 24

enum valkey_side { VALKEY_READING, VALKEY_WRITING };

struct valkey {
	struct store_driver driver;
	const struct clock *clock;
	struct valkey_where where;
	struct valkey_nodes *nodes;
	struct valkey_asks *asks;
	struct valkey_command command;		/* the one that is being built */
	struct valkey_walks *walks;
	struct valkey_batch *batch;		/* deltas that nobody waits for; NULL: none */
	struct valkey_sweep *sweep;		/* NULL: none under way */
	unsigned deadline_ms;
	struct loop_timer look;			/* at the servers' figures */
	uint64_t odd_records;
	bool trusted;
	bool unending;				/* there may be records without an expiry */
	/* What a server refused last, until it works again. */
	char refused[2][300];
};

static inline struct valkey *valkey_of(struct store_driver *d)
{
	return (struct valkey *)d;
}

/* True when the answer is one; else what the server refused is noted. */
bool valkey_sound(struct valkey *v, const redisReply *reply, enum valkey_side side);
void valkey_count_removed(struct valkey_node *node, const redisReply *reply);
/* Adds what follows SCAN in one step, for keys that start with the prefix. */
void valkey_add_scan(struct valkey *v, const char *cursor, struct span prefix, unsigned count);
/* Reads a SCAN's answer: the next cursor, and the keys (NULL when it is none). */
const redisReply *valkey_scanned(struct valkey *v, const redisReply *reply, char cursor[VALKEY_CURSOR]);
/* The key of ours that an element names; empty when it is none. */
struct span valkey_own_key(const struct valkey *v, const redisReply *element);
/* The record in an answer's element; false: nothing there, or something odd. */
bool valkey_record(struct valkey *v, const redisReply *element, struct record *out);

/* valkey_merge.c */
enum store_status valkey_merge(struct store_driver *d, struct store_merge *op);
void valkey_merge_later(struct store_driver *d, struct span key, const struct record *delta);
/* Sends what merge_later has gathered. */
void valkey_send_batch(struct valkey *v);

/* valkey_scan.c */
struct valkey_walks *valkey_walks_new(struct valkey *v, struct loop *loop);
void valkey_walks_free(struct valkey_walks **w);
enum store_status valkey_scan(struct store_driver *d, struct store_scan *op);

/* valkey_remove.c */
enum store_status valkey_remove(struct store_driver *d, struct store_remove *op);

/* valkey_sweep.c */
/* Gives records without an expiry one, in the background. */
void valkey_sweep(struct valkey *v);
void valkey_maintain(struct store_driver *d);

#endif
