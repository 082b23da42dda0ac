/* The Received fields of a mail (RFC 5321 section 4.4), to find the relay that handed
 * it to us. Pure; spans borrow from the header. */
#ifndef GREYLAG_LEARN_RECEIVED_H
#define GREYLAG_LEARN_RECEIVED_H

#include "base/netaddr.h"

#define RECEIVED_HEADER_MAX ((size_t)256 * 1024)	/* what a longer header has beyond is not read */

/* Who handed the mail over, as one field says. */
struct received_hop {
	struct netaddr client;	/* family 0: the field names no address */
	struct span name;	/* its forward-confirmed name, empty when the field has none */
	bool inside;		/* no SMTP client: written on the spot, by LMTP, fetched by POP3 or IMAP */
	bool authenticated;	/* RFC 3848: a user of that server */
};

/* Reads a field's body, folded as it is. A name counts as confirmed only in the words of
 * servers that confirm it and say so: Postfix, Sendmail, Exim. */
struct received_hop received_parse(struct span body);

struct prefixes {
	const struct netprefix *list;
	size_t count;
};

/* True for loopback, and for what is in the list. */
bool received_trusted(const struct prefixes *trusted, const struct netaddr *client);

enum received_relay {
	RECEIVED_FOUND,
	RECEIVED_NONE,		/* no hop from outside: the mail is from here */
	RECEIVED_USER,		/* it is from a user who had logged in */
	RECEIVED_UNCLEAR,	/* the hop that decides names no address */
};

/* From the topmost field down, over the hops inside and from trusted relays: the first
 * other one is what handed the mail to us. Whatever is below could be forged. */
enum received_relay received_relay(struct span header, const struct prefixes *trusted, struct received_hop *out);

#endif
