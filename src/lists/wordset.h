/* A hash table from words to a set of flags, the ground of name and address
 * sets. Words are folded to lower case (ASCII). Built by adding, then only read. */
#ifndef GREYLAG_LISTS_WORDSET_H
#define GREYLAG_LISTS_WORDSET_H

#include "base/span.h"

#define WORDSET_LONGEST 1024

struct wordset;

struct wordset *wordset_new(void);
void wordset_free(struct wordset **set);
/* Adds the flags to the word's. False when memory is out or the word is too long. */
bool wordset_add(struct wordset *set, struct span word, unsigned flags);
/* The word's flags, 0 when it is not here. The word must be lower case. */
unsigned wordset_find(const struct wordset *set, struct span word);
size_t wordset_count(const struct wordset *set);

#endif
