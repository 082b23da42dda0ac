/* The connection to one server: greets (password, database, scripts), sends
 * commands and hands their answers back in order, gives up on a server that does
 * not answer within the deadline, and comes back by itself, with growing pauses.
 * While it is away nothing is taken: valkey_link_send fails at once, so that only
 * those wait in vain who had asked when it went. Loop thread. */
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

/* What must be true of the server before it is up. */
enum valkey_greeting {
	VALKEY_GREET_STORE,		/* it knows us, the database and our scripts */
	VALKEY_GREET_PRIMARY,		/* the same, and it is a primary */
	VALKEY_GREET_SENTINEL,		/* it talks to us; it gets our password only when it wants one */
};

struct valkey_link_options {
	struct loop *loop;
	struct valkey_where *where;
	const struct valkey_server *server;	/* copied; NULL: not known before valkey_link_move */
	enum valkey_greeting greeting;
	unsigned deadline_ms;
	void (*up)(void *arg);		/* it works, for the first time or again */
	void (*away)(void *arg);	/* it does not, or the next attempt has failed */
	void *arg;			/* also of the answers */
};

/* NULL: out of memory. */
struct valkey_link *valkey_link_new(const struct valkey_link_options *options);
/* Begins to connect; it never gives up from then on. */
void valkey_link_start(struct valkey_link *l);
/* From now on it leads to that server; what is under way at another one is lost.
 * Connects at once, unless it is there already. */
void valkey_link_move(struct valkey_link *l, const struct valkey_server *server);
/* Gives the connection up, for a reason of the caller's, and connects anew. */
void valkey_link_drop(struct valkey_link *l, const char *what);
const struct valkey_server *valkey_link_server(const struct valkey_link *l);
/* What is under way is lost: its answers are NULL. */
void valkey_link_free(struct valkey_link **l);

bool valkey_link_up(const struct valkey_link *l);
/* Connecting, and not known to be in vain. */
bool valkey_link_coming(const struct valkey_link *l);
/* Commands under way. */
unsigned valkey_link_busy(const struct valkey_link *l);
/* Free places for commands; 0 while away. */
unsigned valkey_link_room(const struct valkey_link *l);
/* False: not taken, fn will not be called. Otherwise it will, never from within. */
bool valkey_link_send(struct valkey_link *l, struct valkey_command *c, valkey_reply_fn *fn, void *op);
/* The name that EVALSHA knows the script by. */
const char *valkey_link_sha(const struct valkey_link *l, enum valkey_script script);
/* The server has forgotten it: what is sent from now on finds it again. */
void valkey_link_reload(struct valkey_link *l, enum valkey_script script);

/* Waits at most ms for the server, outside of the loop, and does what is due. */
void valkey_link_poll(struct valkey_link *l, unsigned ms);
/* NULL, or why it is away and since when; stays until the next call. */
const char *valkey_link_trouble(struct valkey_link *l);

#endif
