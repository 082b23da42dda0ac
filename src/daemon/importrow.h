/* A row of the control command import: what is to be in the store under which key. */
#ifndef GREYLAG_DAEMON_IMPORTROW_H
#define GREYLAG_DAEMON_IMPORTROW_H

#include <jansson.h>

#include "core/key.h"
#include "core/policy.h"
#include "core/record.h"

struct importrow {
	struct key key;
	struct record record;
	bool trust;		/* a client that proved itself */
	bool own;		/* a record of greylag's, its generation included */
	bool entry;		/* of a living list */
	const char *why;	/* it was refused */
};

/* "what" is passed, waiting, trusted (with "client", an address or a network, "sender",
 * "recipient") or record (with "key", as control_export.c writes it); the fields of the
 * record are numbers. What is missing the policy gives. Times that are still to come
 * become now. False with r->why. */
bool importrow_read(struct importrow *r, const json_t *row, const struct policy *policy, int64_t now);

/* Appends a stored key as ASCII: bytes over 0x7f as %XX, which nothing else in a key is. */
void importrow_add_key(struct buf *out, struct span key);

#endif
