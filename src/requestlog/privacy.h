/* Addresses that must not be readable in the journal of requests: a keyed hash stands in
 * their place, so that equal ones stay equal. What is hashed is the normalised form
 * (core/mailaddr.h), for retries come under several spellings. */
#ifndef GREYLAG_REQUESTLOG_PRIVACY_H
#define GREYLAG_REQUESTLOG_PRIVACY_H

#include "core/request.h"
#include "base/buf.h"

#define PRIVACY_KEY_BYTES 32

enum privacy_mode {
	PRIVACY_NONE,
	PRIVACY_LOCAL_PARTS,	/* user names are hashed, domains stay */
	PRIVACY_CLIENT,		/* only who the client is stays readable */
};

struct privacy {
	enum privacy_mode mode;
	unsigned char key[PRIVACY_KEY_BYTES];
};

/* Reads the key from the file, which is made (mode 0600) where there is none. 0, or -1
 * with why. */
int privacy_key(struct privacy *p, const char *file, struct buf *why);

/* Each appends what stands for the text; with PRIVACY_NONE the text itself. Nothing for
 * nothing. Neither allocates. */
void privacy_address(const struct privacy *p, struct buf *out, struct span address, struct span recipient, bool sender);
void privacy_word(const struct privacy *p, struct buf *out, struct span word);

#endif
