/* The verdict line: one key=value line a verdict, made here and nowhere else. */
#ifndef GREYLAG_DAEMON_VERDICTLOG_H
#define GREYLAG_DAEMON_VERDICTLOG_H

#include "engine/engine.h"

/* Most bytes of a name and of a mail address in a line. */
#define VERDICTLOG_NAME 100
#define VERDICTLOG_ADDRESS 200

/* Appends, without a newline:
 *   verdict=defer reason=new wait=60 client=192.0.2.1 name=mx.example.org
 *   identity=example.org helo=mx.example.org from=<a@example.org> to=<b@example.net>
 *   stage=RCPT ...
 * Values are escaped and capped; what is empty is left out. */
void verdictlog_add(struct buf *out, const struct inquiry *q);

/* Logs it, when the settings want the line. */
void verdictlog_report(const struct inquiry *q, const struct config *config);

#endif
