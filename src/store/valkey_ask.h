/* Commands on their way: each goes to the server that has its keys, follows where
 * that one points (MOVED, ASK), and is sent again when the server has forgotten our
 * script. An operation whose keys may be on several servers becomes several commands,
 * which are under way together. Loop thread. */
#ifndef GREYLAG_STORE_VALKEY_ASK_H
#define GREYLAG_STORE_VALKEY_ASK_H

#include "store/valkey_nodes.h"

struct valkey;
struct valkey_ask;

/* What is asked for one kind of operation. */
struct valkey_question {
	const char *command;		/* NULL: the script */
	enum valkey_script script;
	/* The operation's i-th key. NULL: the command has none and goes to a node. */
	struct span (*key)(const void *op, unsigned i);
	/* Adds what follows the keys. NULL: nothing. */
	void (*tail)(struct valkey *v, const struct valkey_ask *a);
	/* Takes the answer to one command, NULL when it was lost; false: that is none. */
	bool (*take)(struct valkey *v, const struct valkey_ask *a, const redisReply *reply);
	/* All commands are answered; STORE_FAILED when one was not. */
	void (*finish)(struct valkey *v, void *op, enum store_status status);
};

struct valkey_ask {
	const struct valkey_question *question;
	void *op;
	unsigned first, count;		/* its keys among the operation's */
	struct valkey_node *node;
	struct valkey_ask *head;	/* the first command of the operation */
	unsigned left;			/* head: commands that are not answered */
	bool failed;			/* head: one of them */
	bool again;			/* it has been sent once more, with the script */
	unsigned redirects;
	struct valkey_ask *next;	/* free, or parked at its node */
};

struct valkey_asks;

struct valkey_asks *valkey_asks_new(void);
void valkey_asks_free(struct valkey_asks **asks);
/* So many more commands can be under way. */
unsigned valkey_asks_room(const struct valkey_asks *asks);

/* STORE_PENDING: finish will be called, never from within. STORE_FAILED: nothing was
 * sent. With several servers, those that are up get their part in any case. */
enum store_status valkey_ask_keys(struct valkey *v, const struct valkey_question *q, void *op, unsigned count);
/* The same of a command without keys. */
enum store_status valkey_ask_node(struct valkey *v, const struct valkey_question *q, void *op, struct valkey_node *node);

/* The node came up or went: what is parked there is sent, or has failed. */
void valkey_asks_up(struct valkey *v, struct valkey_node *node);
void valkey_asks_away(struct valkey *v, struct valkey_node *node);

#endif
