/* A policy request as a door sends it (SMTPD_POLICY_README of Postfix). Pure. */
#ifndef GREYLAG_CLIENT_QUESTION_H
#define GREYLAG_CLIENT_QUESTION_H

#include "base/buf.h"

/* The most that greylagd takes by default. */
#define QUESTION_MAX ((size_t)60 * 1024)

/* Starts a request at STAGE: "RCPT", "DATA", "END-OF-MESSAGE". */
void question_begin(struct buf *b, const char *stage);
/* Adds an attribute; one with an empty value is left out. A line feed or NUL in
 * the value becomes '?': both would end it. */
void question_add(struct buf *b, const char *name, struct span value);
/* The same of one that says something when it is empty: there is none. */
void question_tell(struct buf *b, const char *name, struct span value);
/* sender= and recipient=, from the argument of MAIL or RCPT: without <>, a quoted
 * local part unquoted as Postfix sends it. An empty sender is sent. */
void question_address(struct buf *b, const char *name, struct span argument);
void question_end(struct buf *b);

#endif
