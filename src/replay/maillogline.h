/* Requests that can be told from the logs of mail servers:
 *   greylagd   its verdict lines: client, name, HELO, sender, recipient, verdict, reason
 *   postgrey   its lines "action=..., reason=..."
 *   Postfix    "reject: RCPT from" with a greylisting's 4xx, and deliveries
 *   Exim       "temporarily rejected RCPT" by a greylisting, and deliveries
 *   Sendmail   "Milter: to=<...>, reject=4xx" by a greylisting, and deliveries
 * Once a log has verdict lines of greylagd, what its mail server says of the same mail is
 * passed over. What no log tells: the transaction, where it was asked, what the DNS said,
 * TLS; and of a reverse name only what was confirmed. */
#ifndef GREYLAG_REPLAY_MAILLOGLINE_H
#define GREYLAG_REPLAY_MAILLOGLINE_H

#include "requestlog/entry.h"

struct maillogline;

/* One for each file. NULL when memory is out. */
struct maillogline *maillogline_new(int64_t now);
void maillogline_free(struct maillogline **m);
/* 1: *out is a request; 0: the line has none; -1 with why: it has no time, or a request
 * that cannot be read. */
int maillogline_read(struct maillogline *m, struct span line, struct entry *out, struct buf *why);

#endif
