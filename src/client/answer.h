/* What greylagd answered, in terms that any MTA has. Pure. */
#ifndef GREYLAG_CLIENT_ANSWER_H
#define GREYLAG_CLIENT_ANSWER_H

#include "base/buf.h"

enum answer_kind {
	ANSWER_PASS,
	ANSWER_HEADER,		/* pass, and put text at the top of the message */
	ANSWER_DEFER,
	ANSWER_REJECT,
};

struct answer {
	enum answer_kind kind;
	bool failed;		/* nobody answered: the door's own choice */
	char code[4];		/* SMTP code if the answer names one, else "" */
	char enhanced[12];	/* enhanced code (RFC 3463), else "" */
	char text[480];		/* reply text, or the header; one line of printable ASCII */
};

/* Length of the first whole answer in `in`, its empty line included; 0: not all here. */
size_t answer_frame(struct span in);
/* False when there is no action in it. What is no verdict of greylag's (HOLD,
 * FILTER, ...) passes. */
bool answer_parse(struct span frame, struct answer *out);
/* The answer when nobody answers. */
void answer_failed(struct answer *out, bool defer);
/* "451 4.7.1 text": codes that the answer does not name are the door's own. */
void answer_reply(struct buf *out, const struct answer *a, const char *code, const char *enhanced);

#endif
