/* Which records a person means: "client 192.0.2.0/24", "sender example.org". Pure. */
#ifndef GREYLAG_DAEMON_RECORDFILTER_H
#define GREYLAG_DAEMON_RECORDFILTER_H

#include "base/netaddr.h"
#include "core/key.h"

enum recordfilter_field { RECORDFILTER_ALL, RECORDFILTER_CLIENT, RECORDFILTER_SENDER, RECORDFILTER_RECIPIENT };

struct recordfilter {
	enum recordfilter_field field;
	char pattern[1025];
	char normal[1025];		/* the pattern as addresses are stored */
	bool glob, is_prefix;
	struct netprefix prefix;
};

/* Field "all", "client", "sender" or "recipient".
 * client: an address or prefix matches identities in it and networks that
 * contain it; a host name its organisation, and all names below it.
 * sender, recipient: user@domain, user@, @domain, domain (and below).
 * Any of them: a pattern with * ? [. Letter case does not count.
 * 0, or -1 with why. */
int recordfilter_parse(struct recordfilter *f, const char *field, const char *pattern, struct buf *why);
bool recordfilter_matches(const struct recordfilter *f, const struct key_parts *parts);
/* True when it would match every record of its field. */
bool recordfilter_matches_all(const struct recordfilter *f);

#endif
