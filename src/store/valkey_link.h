/* The connection to the server: greets (password, database, scripts), sends
 * commands and hands their answers back in order, gives up on a server that does
 * not answer within the deadline, and comes back by itself, with growing pauses.
 * While it is away nothing is taken: valkey_link_send fails at once. Loop thread. */
#ifndef GREYLAG_STORE_VALKEY_LINK_H
#define GREYLAG_STORE_VALKEY_LINK_H

#include <hiredis/hiredis.h>

#include "store/valkey_command.h"
#include "store/valkey_script.h"
#include "store/valkey_where.h"

#define VALKEY_CALLS_MAX 16384		/* commands under way at once */

struct valkey_link;

/* The answer of a command, NULL when the connection was lost. The reply is
 * hiredis's and ends with the call. */
typedef void valkey_reply_fn(void *arg, void *op, const redisReply *reply);

struct valkey_link_options {
	struct loop *loop;
	struct valkey_where *where;
	unsigned deadline_ms;
	void (*up)(void *arg);		/* it works, for the first time or again */
	void *arg;			/* also of the answers */
};

/* NULL: out of memory. */
struct valkey_link *valkey_link_new(const struct valkey_link_options *options);
/* Begins to connect; it never gives up from then on. */
void valkey_link_start(struct valkey_link *l);
/* What is under way is lost: its answers are NULL. */
void valkey_link_free(struct valkey_link **l);

bool valkey_link_up(const struct valkey_link *l);
/* Free places for commands; 0 while away. */
unsigned valkey_link_room(const struct valkey_link *l);
/* False: not taken, fn will not be called. Otherwise it will, never from within. */
bool valkey_link_send(struct valkey_link *l, struct valkey_command *c, valkey_reply_fn *fn, void *op);
/* The name that EVALSHA knows the script by. */
const char *valkey_link_sha(const struct valkey_link *l, enum valkey_script script);
/* The server has forgotten it: what is sent from now on finds it again. */
void valkey_link_reload(struct valkey_link *l, enum valkey_script script);

/* Blocks until nothing is under way; what takes longer than ms is lost, and with
 * it the connection. */
void valkey_link_drain(struct valkey_link *l, unsigned ms);
/* NULL, or why it is away. */
const char *valkey_link_trouble(const struct valkey_link *l);

#endif
