/* Domain names by the public suffix list (libpsl) and in A-labels (libidn2).
 * One object, built at start; afterwards read-only and callable from any thread. */
#ifndef GREYLAG_NAMES_NAMES_H
#define GREYLAG_NAMES_NAMES_H

#include "base/buf.h"

struct names;

/* Loads the system's suffix list when it is newer than the one built into
 * libpsl. NULL with the reason in why. */
struct names *names_new(struct buf *why);
void names_free(struct names **names);
/* Where the suffix list came from, for the log: a path or "built-in". */
const char *names_source(const struct names *names);

/* The registrable domain of a host name ("mail.example.co.uk" gives
 * "example.co.uk"), as a span into name, without a final dot. Private suffixes
 * of the list count, so that two customers under one are two organisations.
 * Empty when the name is itself a public suffix, has no dot, or is longer
 * than 253 bytes. Letter case does not matter. */
struct span names_org(const struct names *names, struct span name);

/* Appends address with a domain that has bytes >= 0x80 turned to A-labels
 * (IDNA 2008, RFC 6531); the local part stays as it is. A domain that cannot be
 * turned is appended unchanged. Returns true when something was changed. */
bool names_ascii(struct buf *out, struct span address);

#endif
