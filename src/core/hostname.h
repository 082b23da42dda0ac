/* What a forward-confirmed host name says about its host. Pure. */
#ifndef GREYLAG_CORE_HOSTNAME_H
#define GREYLAG_CORE_HOSTNAME_H

#include "base/netaddr.h"

/* Letters, digits, hyphens and underscores in labels of 1-63 bytes, at least
 * two labels, at most 253 bytes, the last label not all digits; one final dot is
 * allowed. An address literal is not a host name. */
bool hostname_valid(struct span name);

/* True when the name looks like that of a dial-up line, a DHCP pool or a rented
 * address. Only the part in front of the organisation's domain counts (its last
 * two labels, three under a country's second-level label such as co.uk). There,
 *   - the client's full address makes it dynamic: decimal octets in order or
 *     reversed, separated, joined or zero-padded, hex, one decimal number; IPv6
 *     half an address in nibbles or three groups; unless a mail word (mail, mx,
 *     smtp, out, ...) and no word below is there too;
 *   - without it a word (dyn, pool, dhcp, ppp, dsl, ...) or three octets make it
 *     dynamic, unless a mail word is there.
 * A wrong "dynamic" costs a sender delays, a wrong "static" lets one retry open
 * the door for a provider's customers: in doubt it is dynamic.
 * client may have family 0: then only the words count. */
bool hostname_dynamic(struct span name, const struct netaddr *client);

#endif
