/* A verdict in the words of the policy protocol. */
#ifndef GREYLAG_DAEMON_REPLY_H
#define GREYLAG_DAEMON_REPLY_H

#include "engine/engine.h"

#define REPLY_MAX 2048

/* Appends "action=...\n\n". hostname names this machine in the X-Greylist
 * header. Always one line of printable ASCII, never empty. */
void reply_add(struct buf *out, const struct inquiry *q, const char *hostname);

/* The text of a reply: placeholders %s seconds left, %r recipient domain, %w
 * reason word, %u help URL, %% a per cent sign. */
void reply_text(struct buf *out, const char *text, const struct inquiry *q);

#endif
