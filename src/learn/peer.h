/* A client as mail logs name it. Pure; spans borrow from the text. */
#ifndef GREYLAG_LEARN_PEER_H
#define GREYLAG_LEARN_PEER_H

#include "base/netaddr.h"

struct peer {
	struct netaddr client;
	struct span name;	/* forward-confirmed, or empty */
};

/* The name, when it can be a host's: at least two labels of letters, digits, '-' and '_';
 * else empty ("unknown" among others). */
struct span peer_name(struct span name);

/* "name[addr]", "name [addr]", "[addr]:port", "user@name [addr] (may be forged)" at the
 * beginning of s, as Postfix and Sendmail write; the latter means that the name is not
 * confirmed, which leaves it empty. False: no address. */
bool peer_read(struct span s, struct peer *out);

/* What follows the first `text` in s; false when it is not there. */
bool peer_after(struct span s, const char *text, struct span *rest);
/* The same for the last one. */
bool peer_after_last(struct span s, const char *text, struct span *rest);

#endif
