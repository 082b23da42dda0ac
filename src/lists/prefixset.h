/* A set of network prefixes: a path-compressed binary trie for each family.
 * Built by adding, then only read; reading is safe from any thread. */
#ifndef GREYLAG_LISTS_PREFIXSET_H
#define GREYLAG_LISTS_PREFIXSET_H

#include "base/netaddr.h"

struct prefixset;

/* NULL when memory is out. */
struct prefixset *prefixset_new(void);
void prefixset_free(struct prefixset **set);
/* False when memory is out. Adding a prefix twice is harmless. */
bool prefixset_add(struct prefixset *set, const struct netprefix *p);
/* True when a prefix of the set contains the address; *longest (may be NULL)
 * becomes the longest such prefix. */
bool prefixset_find(const struct prefixset *set, const struct netaddr *a, struct netprefix *longest);
/* Number of different prefixes. */
size_t prefixset_count(const struct prefixset *set);

#endif
