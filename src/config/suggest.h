/* "Did you mean": the keyword that a mistyped word is near to. Pure. */
#ifndef GREYLAG_CONFIG_SUGGEST_H
#define GREYLAG_CONFIG_SUGGEST_H

#include "base/buf.h"

struct suggest {
	struct span word;
	unsigned distance;	/* of the best so far */
	const char *best;	/* NULL: none is near */
};

void suggest_begin(struct suggest *s, struct span word);
/* Considers a keyword. Near is one letter changed, added, left out or swapped
 * with its neighbour; two of these when the keyword has six letters or more. */
void suggest_try(struct suggest *s, const char *keyword);
/* Appends "; did you mean KEYWORD?", or nothing. */
void suggest_add(struct buf *out, const struct suggest *s);

#endif
