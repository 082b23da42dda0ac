/* The servers that hold the records: the one of the configuration, the primary that
 * sentinels name, or those of a cluster, each with some of the slots. Keeps a link
 * to each and knows which has a key. Loop thread. */
#ifndef GREYLAG_STORE_VALKEY_NODES_H
#define GREYLAG_STORE_VALKEY_NODES_H

#include "store/valkey_link.h"
#include "store/valkey_slot.h"

#define VALKEY_NODES_MAX 256		/* primaries of a cluster, and servers of the configuration */

struct valkey_nodes;
struct valkey_cluster;
struct valkey_sentinels;
struct valkey_ask;

struct valkey_node {
	struct valkey_nodes *nodes;
	struct valkey_link *link;
	bool serving;			/* holds records: has slots, or is the only one */
	bool named;			/* by the configuration */
	uint64_t records, memory_bytes;	/* as it says itself */
	struct valkey_ask *parked;	/* valkey_ask.c: wait until it is up */
};

struct valkey_nodes_options {
	struct loop *loop;
	struct valkey_where *where;
	unsigned deadline_ms;
	void (*up)(void *arg, struct valkey_node *node);
	void (*away)(void *arg, struct valkey_node *node);
	void *arg;
};

/* NULL: out of memory. Does not connect yet. */
struct valkey_nodes *valkey_nodes_new(const struct valkey_nodes_options *options);
void valkey_nodes_start(struct valkey_nodes *n);
void valkey_nodes_free(struct valkey_nodes **n);

/* True when keys of one command must be in one slot. */
bool valkey_nodes_split(const struct valkey_nodes *n);
/* The node that has the key prefix + key; NULL when none is known to. */
struct valkey_node *valkey_nodes_of(const struct valkey_nodes *n, struct span key);
/* The serving node with the least number >= *at, which it gets; NULL: none. */
struct valkey_node *valkey_nodes_serving(const struct valkey_nodes *n, unsigned *at);

/* All that should serve are up. */
bool valkey_nodes_up(const struct valkey_nodes *n);
/* Free places for commands at the fullest; 0 unless all are up. */
unsigned valkey_nodes_room(const struct valkey_nodes *n);
/* NULL, or what is wrong; stays until the next call. */
const char *valkey_nodes_trouble(struct valkey_nodes *n);
/* Blocks until nothing is under way, or with `until_up` until all are up, at most ms.
 * Without `until_up` what takes longer is lost, and with it its connection. */
void valkey_nodes_drain(struct valkey_nodes *n, unsigned ms, bool until_up);

/* A server answered that the slot is elsewhere: "moved", for good, or "ask", for now.
 * The node to ask instead; NULL: that makes no sense. */
struct valkey_node *valkey_nodes_redirect(struct valkey_nodes *n, struct valkey_node *from, struct span place,
					  uint64_t slot, bool moved);
/* The server is a primary no more, or the cluster is not whole: somebody is asked who is. */
void valkey_nodes_doubt(struct valkey_nodes *n, struct valkey_node *node, const char *what);

/* --- For valkey_cluster.c and valkey_sentinel.c ------------------------------ */

/* The node at that server, which is connected to if it is new. NULL: no room. */
struct valkey_node *valkey_nodes_find(struct valkey_nodes *n, const struct valkey_server *server);
struct valkey_node *valkey_nodes_at(const struct valkey_nodes *n, unsigned at);
/* Forgets nodes that hold nothing. Not from within an answer. */
void valkey_nodes_reap(struct valkey_nodes *n);
const struct valkey_nodes_options *valkey_nodes_options(const struct valkey_nodes *n);

/* valkey_cluster.c: keeps the map of the slots true. NULL: out of memory. */
struct valkey_cluster *valkey_cluster_new(struct valkey_nodes *n);
void valkey_cluster_free(struct valkey_cluster **c);
struct valkey_node *valkey_cluster_node(const struct valkey_cluster *c, unsigned slot);
void valkey_cluster_move(struct valkey_cluster *c, unsigned slot, struct valkey_node *node);
/* The map may be wrong: asks for it soon. */
void valkey_cluster_doubt(struct valkey_cluster *c);
/* A node came up: asks it when nobody has been asked yet. */
void valkey_cluster_greet(struct valkey_cluster *c, struct valkey_node *node);
/* True when each slot has a node. */
bool valkey_cluster_whole(const struct valkey_cluster *c);

/* valkey_sentinel.c: moves the link to whom the sentinels call the primary. */
struct valkey_sentinels *valkey_sentinels_new(const struct valkey_nodes_options *options, struct valkey_link *primary);
void valkey_sentinels_start(struct valkey_sentinels *s);
void valkey_sentinels_free(struct valkey_sentinels **s);
void valkey_sentinels_poll(struct valkey_sentinels *s, unsigned ms);
/* Asks all of them now. */
void valkey_sentinels_doubt(struct valkey_sentinels *s);
/* NULL when one has named the primary, else why none has. */
const char *valkey_sentinels_trouble(struct valkey_sentinels *s);

#endif
