/* The Postfix policy delegation protocol (SMTPD_POLICY_README): requests of
 * name=value lines ended by an empty line. Total on any input; pure. */
#ifndef GREYLAG_DAEMON_POLICYPROTO_H
#define GREYLAG_DAEMON_POLICYPROTO_H

#include "core/request.h"

/* Length of the first request in `in`, its empty line included, or 0 while it
 * is not complete. Lines end in LF or CRLF. *scanned remembers between calls how far the
 * search has come; start it at 0 for each request. */
size_t policyproto_frame(struct span in, size_t *scanned);

/* Reads one framed request into *out, whose spans borrow from it. Unknown
 * attributes and lines without '=' are passed over (*junk counts the latter).
 * Of a value over its maximum the end is kept: what a stranger writes must not be a
 * way round being judged. Of an attribute that comes twice the last counts. Returns 0, or -1 with the
 * reason in why when it is not a policy request at all: "request" missing or
 * of another kind. Then the connection should be closed without an answer,
 * which Postfix takes as trouble. */
int policyproto_parse(struct span frame, struct request *out, unsigned *junk, struct buf *why);

/* Sets one attribute of a request, "policy_context" say; its spans borrow from value. One
 * that is not known changes nothing. */
void policyproto_set(struct request *r, struct span name, struct span value);

#endif
