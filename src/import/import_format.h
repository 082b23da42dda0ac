/* What the formats share. */
#ifndef GREYLAG_IMPORT_IMPORT_FORMAT_H
#define GREYLAG_IMPORT_IMPORT_FORMAT_H

#include "import/import.h"

extern const struct import_format import_greylag, import_greylistd, import_jgreylist, import_milter_greylist,
	import_postgrey, import_qgreylist, import_qmail_spp, import_relaydelay, import_spamdb, import_sqlgrey;

/* Hands a row on, or skips it when it has no usable client or addresses. A single
 * address whose triplet passed is a client that proved itself, as greylagd itself
 * would have it (RFC 6647 section 5.1): that goes on as a row too. */
void import_give(struct import *in, const struct import_row *row);
void import_skip(struct import *in, const char *reason);
/* A network that the source let pass becomes an entry of the list allow: only
 * single addresses are trusted by a record. One wider than /16, IPv6 /32, is skipped. */
void import_give_network(struct import *in, const struct netprefix *net, int64_t expires, const char *comment);

/* Reads a text line by line, "-" being standard input; in->line counts. since: the
 * file's time of change, or in->now. 0, or -1 with why. */
typedef void import_line(struct import *in, void *arg, struct span line);
int import_lines(struct import *in, const char *path, import_line *take, void *arg, struct buf *why);
int64_t import_file_time(const struct import *in, const char *path);

/* "a@b" out of "<a@b>", with blanks around. */
struct span import_address(struct span s);
/* Seconds since 1970, as digits, or "2026-11-21 10:00:00" with or without a fraction
 * and a zone; without a zone it is UTC or the local time. A date of zeros is 0. */
bool import_time(struct span s, bool utc, int64_t *out);
/* An integer that may have a sign. */
bool import_int(struct span s, int64_t *out);
/* True for a prefix that is one address. */
bool import_single(const struct netprefix *p);

#endif
