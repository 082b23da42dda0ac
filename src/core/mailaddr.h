/* Mail addresses as they go into a triplet's key: one text for every spelling
 * in which a correspondent's address may come back on a retry (RFC 6647 section
 * 4.2; VERP, BATV, SRS, ezmlm, mailman). Pure.
 *
 * Input: as doors send it, with or without <>, local part quoted (milter) or
 * bare (policy protocol). Domains have been turned to A-labels before (names.h);
 * other bytes from 0x80 on are opaque. Output is lower case (ASCII). When out is
 * full, out->over is set. Normalising what was normalised changes nothing. */
#ifndef GREYLAG_CORE_MAILADDR_H
#define GREYLAG_CORE_MAILADDR_H

#include "base/buf.h"

/* Longer addresses are only turned to lower case. REQUEST_ADDRESS_MAX is less. */
#define MAILADDR_MAX 2048

/* Appends the normalised recipient: <>, source route and quoting undone, lower
 * case, final dots of the domain dropped. */
void mailaddr_recipient(struct buf *out, struct span address);

/* Appends the normalised sender: as a recipient, and in the local part
 *   - SRS0 and SRS1 lose hash, timestamp and the forwarder between, and become
 *     "srs0=domain=user";
 *   - BATV (prvs=TAG=user, prvs=user=TAG, btv1==TAG==user, user=TAG, and
 *     SparkPost's msprvs1=TAG=user) becomes the user;
 *   - an embedded copy of the recipient (user=domain, user_domain, user**domain,
 *     user==a==domain and the like) becomes "%r";
 *   - +extension (and its VERP form list+bounces-...) is cut where something precedes it;
 *   - tokens made by machines (UUIDs, hexadecimal, mixtures of letters and digits)
 *     and numbers become '#'. One or two digits beside a letter stay (john1, us12):
 *     they belong to names, and a counter soon has three.
 * So ezmlm (list-return-123-user=dom) and mailman (list-bounces+user=dom) end up
 * the same for every message of a list. The null sender appends nothing.
 * recipient is the normalised recipient. */
void mailaddr_sender(struct buf *out, struct span address, struct span recipient);

#endif
