/* Requests that can be told from logs:
 *   greylagd   its verdict lines: client, name, HELO, sender, recipient, verdict, reason
 *   others     what learn/greylog.h reads of mail servers and other greylistings: client,
 *              confirmed name, sender, recipient, whether it was deferred or accepted
 * Once a log has verdict lines of greylagd, what its mail server says of the same mail is
 * passed over. What no log tells: the transaction, who had logged in, TLS, where it was
 * asked, what the DNS said. */
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
/* The next request of the line that was read last. */
bool maillogline_next(struct maillogline *m, struct entry *out);

#endif
