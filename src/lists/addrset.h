/* A set of mail addresses. Forms of an entry:
 *   user@example.org   this address, and user+anything@example.org
 *   user@              this local part at any domain, and with +anything
 *   @example.org       any local part at exactly this domain
 *   example.org        any local part at this domain or below it
 *   <>                 the null sender
 * Without regard to letter case; a final dot does not count. postgrey's recipient lists have these forms. */
#ifndef GREYLAG_LISTS_ADDRSET_H
#define GREYLAG_LISTS_ADDRSET_H

#include "lists/wordset.h"

/* 1 when added, 0 when it does not look like an address, -1 when memory is out. */
int addrset_add(struct wordset *set, struct span entry);
bool addrset_find(const struct wordset *set, struct span address);

#endif
