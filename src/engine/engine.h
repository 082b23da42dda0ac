/* The life of a request: from a question to a verdict that may be given.
 *
 * The engine fetches the facts that the decision asks for, writes its deltas,
 * and keeps the promise that a verdict of "deferred" or "first pass" is
 * answered only when its record is safe. It knows no sockets, so the daemon,
 * replays and tests use the same code. Loop thread only. */
#ifndef GREYLAG_ENGINE_ENGINE_H
#define GREYLAG_ENGINE_ENGINE_H

#include "base/clock.h"
#include "config/config.h"
#include "core/decide.h"
#include "engine/livinglists.h"
#include "engine/forwarders.h"
#include "engine/history.h"
#include "engine/lookups.h"
#include "engine/metrics.h"
#include "names/names.h"
#include "store/store.h"

struct engine;
struct snapshot;

/* What was found out about a request when it was judged first; a replay judges it again. */
struct recalled {
	bool amnesty, expected;		/* of struct fact_around */
	bool listed;			/* a living list, `list`, decided it: "allow", "block" or "trap" */
	enum action list;
	int64_t since;			/* records of before this time may be recalled */
	struct fact_record records[KEY_SLOTS];
};

/* One request on its way. The asker fills in `request` and hands it over. */
struct inquiry {
	struct request request;
	struct facts facts;
	struct decision decision;
	int64_t now;			/* wall clock at which it is judged */
	bool dry;			/* explain only: all facts, no writes, no log, no count */
	const struct recalled *recalled;	/* in place of living lists and a store's past; NULL: look at those */

	/* The engine's: */
	struct engine *engine;
	struct snapshot *snapshot;
	void (*answer)(struct inquiry *q);
	void *arg;
	uint64_t started_ns;
	uint64_t store_since_ns;	/* the store's deadline counts from here */
	bool answered;
	bool released;
	bool in_store;			/* an operation of the store still points here */
	struct inquiry *earlier, *later;	/* waiting for the store, oldest first */
	struct lookups_found found;	/* what the rules looked up */
	struct living_hit hit;		/* with decision.ruling.listed: the entry */
	struct store_get get;
	enum key_slot slots[STORE_GET_MAX];	/* what each key of get stands for */
	struct store_merge merge;
	struct buf sender, recipient;	/* over the texts below, when A-labels had to be written */
	char sender_text[REQUEST_ADDRESS_MAX + 1];
	char recipient_text[REQUEST_ADDRESS_MAX + 1];
};

struct engine_options {
	struct loop *loop;
	const struct clock *clock;
	const struct names *names;
	struct store *store;
	struct livinglists *living;	/* NULL: none. Must live as long */
	struct config *config;		/* the engine's from here on, even when it cannot begin */
	bool offline;			/* the DNS is not asked: DNS lists are not tested */
	/* Called once for each verdict that is given, to log it. May be NULL. */
	void (*report)(const struct inquiry *q, const struct config *config, void *arg);
	void *report_arg;
};

struct engine *engine_new(const struct engine_options *options, struct buf *why);
/* Hands what was only counted in memory to the store, which is to be closed next. */
void engine_stop(struct engine *engine);
/* Inquiries that still wait are answered as store-failure. The store must be closed before. */
void engine_free(struct engine **engine);

/* An empty inquiry to fill in. There is always one: when more than `limit
 * in-flight` wait, engine_ask answers with reason overload. NULL only when
 * memory is out. */
struct inquiry *engine_inquiry(struct engine *engine);
/* Judges it; calls answer(q) exactly once, perhaps before it returns. The bytes
 * that q->request borrows must stay until then. */
void engine_ask(struct inquiry *q, void (*answer)(struct inquiry *q), void *arg);
/* Gives the inquiry back and clears the caller's pointer: after its answer, or
 * instead of asking. An asker that has gone meanwhile waits for the answer,
 * which comes within the budget of the DNS and the store's deadline. */
void engine_release(struct inquiry **q);

/* The configuration in force; valid until the next turn of the loop. */
const struct config *engine_config(const struct engine *engine);
/* The configuration this inquiry is judged by. */
const struct config *inquiry_config(const struct inquiry *q);
/* Swaps the configuration whole; what is on its way ends under the old one. */
void engine_swap(struct engine *engine, struct config *config);

const struct metrics *engine_metrics(const struct engine *engine);
struct store *engine_store(const struct engine *engine);
struct history *engine_history(const struct engine *engine);
const struct forwarders *engine_forwarders(const struct engine *engine);
const struct lookups *engine_lookups(const struct engine *engine);
/* Until when nothing is delayed because the store is too young (engine/amnesty.h); 0: it is not. */
int64_t engine_amnesty_until(const struct engine *engine);
unsigned engine_in_flight(const struct engine *engine);

#endif
