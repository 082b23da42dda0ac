/* What livingchange.c sees of livinglists.c. */
#ifndef GREYLAG_ENGINE_LIVINGLISTS_INSIDE_H
#define GREYLAG_ENGINE_LIVINGLISTS_INSIDE_H

#include "engine/livinglists.h"

struct livinglists {
	struct loop *loop;
	const struct clock *clock;
	struct store *store;
	struct livingindex *index;
	bool shared;			/* others change the store too */
	bool loaded;
	bool stale;			/* a pass failed: another is due */
	bool again;			/* what was read may have changed meanwhile: so is it then */
	bool failing;			/* said so already */
	uint64_t changes;		/* the counter's value that the index is up to; own changes included */
	struct loop_timer step;		/* the next look at the counter, or the next page */
	struct loop_timer sweep;
	struct store_get poll;
	struct store_scan scan;
	bool scanning, polling;		/* scan, or poll, is under way */
	uint64_t scan_began_ns, scan_not_before_ns;
	uint64_t refused;		/* entries of this pass for which there was no room */
	struct record *records;
	char from[KEY_MAX + 1];
	struct key entry;		/* the last entry's key: its notes follow */
	struct record entry_record;
};

#endif
