/* Values of the living lists: their one normal form, and which values a name or an
 * address may be found under. Their forms are those of nameset.h and addrset.h; a
 * client is an address or a prefix, octet prefixes ("192.168") included. Pure. */
#ifndef GREYLAG_LISTS_LISTVALUE_H
#define GREYLAG_LISTS_LISTVALUE_H

#include "base/netaddr.h"
#include "core/listkey.h"

/* Appends the normal form: a prefix with its host bits cleared, without /32 and
 * /128; names and addresses in lower case without a final dot, "*.x" as ".x",
 * without <> but for the null sender; a domain is a name without any mark. 1, 0 with why when the value is none, -1
 * with why when memory is out. */
int listvalue_read(enum list_kind kind, struct span text, struct buf *out, struct buf *why);

/* The normal form of a client. */
void listvalue_add_client(struct buf *out, const struct netprefix *p);

/* Called with a value in normal form; true ends the walk. */
typedef bool listvalue_fn(void *arg, struct span value);
/* Calls fn for each value under which the name, or the address, would be listed,
 * the most exact first. True when fn ended it. */
bool listvalue_of_name(struct span name, listvalue_fn *fn, void *arg);
bool listvalue_of_pair(struct span recipient, struct span domain, listvalue_fn *fn, void *arg);
bool listvalue_of_address(struct span address, listvalue_fn *fn, void *arg);

#endif
