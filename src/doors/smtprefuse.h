/* What is said to a client on standard input and output without starting a server. */
#ifndef GREYLAG_DOORS_SMTPREFUSE_H
#define GREYLAG_DOORS_SMTPREFUSE_H

#include "base/buf.h"

enum greet_wait { GREET_QUIET, GREET_TALKED, GREET_GONE };

/* Waits before the greeting (RFC 5321 section 4.3.1: a client waits for it). Returns
 * early when the client goes or talks; what it said is not read. */
enum greet_wait greet_wait(unsigned ms);
/* One line, to a client that may not take it. */
void smtprefuse_line(struct span line);
/* Just enough SMTP that every recipient is answered with `reply`: 20 commands, 60 s. */
void smtprefuse_session(struct span host, struct span reply);
/* The reply to one command without its line end, added to out; false after QUIT. */
bool smtprefuse_command(struct span command, struct span host, struct span reply, struct buf *out);

#endif
