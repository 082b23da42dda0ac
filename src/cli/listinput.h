/* Lines of files that hold a list's entries, as greylag(1) takes them. Pure. */
#ifndef GREYLAG_CLI_LISTINPUT_H
#define GREYLAG_CLI_LISTINPUT_H

#include "base/buf.h"

#define LISTINPUT_LINE_MAX 1024

enum listinput_format {
	LISTINPUT_AUTO,		/* any of them */
	LISTINPUT_CIDR,		/* addresses and prefixes, written in full */
	LISTINPUT_RELAYDELAY,	/* prefixes of 1 to 4 octets, "# comment" belongs to the entry */
	LISTINPUT_POSTGREY,	/* postgrey_whitelist_clients, _recipients: names as well; "#" is dropped */
};

struct listinput {
	const char *kind;	/* "client", "name", or the one that was asked for */
	struct span value;	/* both point into the line */
	struct span comment;
};

/* "auto", "cidr", "relaydelay", "postgrey"; NULL is "auto". */
bool listinput_format(const char *word, enum listinput_format *out);
/* kind is what the line's value is meant to be, NULL when nobody said. 1; 0 for a
 * line without an entry; -1 with why. */
int listinput_read(enum listinput_format format, const char *kind, struct span line, struct listinput *out,
		   struct buf *why);

#endif
