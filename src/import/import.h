/* What other greylisting systems remember, as rows that greylagd takes. A file a
 * format; each reads what its program wrote, as its manual or source describes it,
 * and leaves out, with a reason, what has no counterpart here. */
#ifndef GREYLAG_IMPORT_IMPORT_H
#define GREYLAG_IMPORT_IMPORT_H

#include "base/netaddr.h"

#define IMPORT_ADDRESS_MAX 1024
#define IMPORT_NEVER INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */
#define IMPORT_DAY ((int64_t)86400)

enum import_kind {
	IMPORT_PASSED,		/* a triplet whose retry was good */
	IMPORT_WAITING,		/* a triplet that waits for its retry */
	IMPORT_TRUSTED,		/* a client that proved itself: one address */
	IMPORT_ENTRY,		/* an entry of a living list */
	IMPORT_RECORD,		/* a record of greylag's own, under its key */
};
#define IMPORT_KINDS 5

/* Times in seconds since 1970; 0: not known. Spans are valid during the call. */
struct import_row {
	enum import_kind kind;
	struct netprefix client;	/* of triplets and trusted clients; a single address has all bits */
	struct span sender, recipient;	/* without <>; an empty sender is the null sender */
	int64_t first_seen, last_seen, passed_at;
	int64_t expires;		/* 0: as the daemon's settings say; of an entry: it has no end */
	uint64_t blocked, passed;
	const char *list, *value_kind;	/* of an entry, as greylag(1) calls them */
	struct span value, comment;
	struct span key;		/* of a record, with what follows */
	uint32_t generation, strikes;
	int64_t held_until;
	uint8_t held_for;
};

/* The reader of one source. Who imports embeds it as its first member. */
struct import {
	void (*row)(struct import *in, const struct import_row *row);
	/* Something was left out, at in->file and in->line. */
	void (*skipped)(struct import *in, const char *reason);
	void (*progress)(struct import *in, uint64_t bytes);
	int64_t now;
	int64_t delay_s;		/* the source's; 0: its default */
	const char *user, *password_file;	/* of databases; NULL: none */

	const char *file;		/* what is being read */
	uint64_t line;			/* 0: it has no lines */
};

struct import_format {
	const char *name;
	const char *source;		/* "DIR", "FILE", ... */
	/* 0, or -1 with why: the source could not be read to its end. */
	int (*read)(struct import *in, const char *source, struct buf *why);
};

/* NULL when there is none of that name. */
const struct import_format *import_find(const char *name);
/* "postgrey DIR, sqlgrey FILE|DSN, ...", for messages. */
void import_add_names(struct buf *out);
/* "passed", ... as the daemon calls them. */
const char *import_kind_word(enum import_kind kind);

#endif
