/* A set of host names. Forms of an entry:
 *   example.org       the name and all below it (postgrey's meaning of a bare name)
 *   .example.org      only those below it; "*.example.org" is the same
 *   =mx.example.org   exactly this name
 * Without regard to letter case; a final dot does not count. */
#ifndef GREYLAG_LISTS_NAMESET_H
#define GREYLAG_LISTS_NAMESET_H

#include "lists/wordset.h"

/* Letters, digits, '-', '_' and single dots, at most 253 bytes; not empty. Bytes
 * from 0x80 on are refused: what is looked up is in A-labels. */
bool nameset_name(struct span name);

/* 1 when added, 0 when it does not look like a host name, -1 when memory is out. */
int nameset_add(struct wordset *set, struct span entry);
/* The cost depends on the name's labels, not on the size of the set. */
bool nameset_find(const struct wordset *set, struct span name);

#endif
