/* Checks of single settings that a range or a list of words cannot express.
 * Each returns 0, or -1 with why. */
#ifndef GREYLAG_CONFIG_OPTIONCHECK_H
#define GREYLAG_CONFIG_OPTIONCHECK_H

#include "base/buf.h"

/* DEFER_IF_PERMIT, DEFER, or a code 4xx. */
int optioncheck_defer(struct span value, struct buf *why);
/* REJECT, DEFER, or a code 4xx or 5xx. */
int optioncheck_block(struct span value, struct buf *why);
/* "4.x.y" (RFC 3463) or none. */
int optioncheck_enhanced(struct span value, struct buf *why);
/* Printable ASCII; '%' only before s, r, w, u or another '%'. */
int optioncheck_text(struct span value, struct buf *why);
/* Printable ASCII. */
int optioncheck_plain(struct span value, struct buf *why);
/* The same without blanks. */
int optioncheck_prefix(struct span value, struct buf *why);
/* Addresses and prefixes of networks, blanks between them. */
int optioncheck_networks(struct span value, struct buf *why);

#endif
