/* What was learned of each client: one row an address, within a bound. */
#ifndef GREYLAG_LEARN_TALLY_H
#define GREYLAG_LEARN_TALLY_H

#include "learn/peer.h"

#define TALLY_MAX ((size_t)1000000)	/* rows; clients beyond are counted, not kept */

struct tally_row {
	struct netaddr client;
	char *name;		/* the confirmed name seen last, NULL: none */
	int64_t at;		/* when something was seen last, seconds since 1970; 0: no time */
	uint32_t good, bad;	/* messages accepted, sessions lost; or messages */
};

struct tally {
	struct tally_row *rows;		/* in the order in which the clients came */
	size_t count;
	uint64_t left_out;
	size_t room;
	uint32_t *slots;		/* hash: row number + 1 */
	size_t slot_count;
};

/* A zeroed tally is empty. */
void tally_add(struct tally *t, const struct peer *p, bool good, int64_t at);
void tally_free(struct tally *t);

#endif
