/* An engine with a clock of its own and a store in memory, which judges one request after
 * the other. Timers of the engine run in real time; what they do to records in the long
 * run (expiry, counting) is done as the clock goes on. One thread. */
#ifndef GREYLAG_REPLAY_WORLD_H
#define GREYLAG_REPLAY_WORLD_H

#include "engine/engine.h"

struct world {
	struct loop *loop;
	struct clock_fake clock;
	struct store *store;
	struct livinglists *living;	/* NULL: none */
	struct engine *engine;
	bool answered;
	int64_t kept_at, counted_at;	/* when records were last removed, and counted */
};

struct world_options {
	const struct names *names;
	struct config *config;		/* the world's from here on, even when it cannot begin */
	int64_t now;			/* where its clock stands */
	bool living;			/* with living lists */
	bool offline;			/* struct engine_options */
	bool in_memory;			/* whatever store the configuration names */
};

/* 0, or -1 with why. world_end in either case. */
int world_begin(struct world *w, const struct world_options *options, struct buf *why);
void world_end(struct world *w);
/* Sets the clock, which may go back. */
void world_at(struct world *w, int64_t now);
/* Judges an inquiry of the world's engine: true with the decision in it. False: no
 * answer came, which leaves the inquiry on its way. */
bool world_ask(struct world *w, struct inquiry *q);
/* After world_ask: gives the inquiry back, and writes what nobody waits for. */
void world_done(struct world *w, struct inquiry **q);

#endif
