/* One question, waited for: for doors that are a process a session. */
#ifndef GREYLAG_CLIENT_ASK_H
#define GREYLAG_CLIENT_ASK_H

#include "client/answer.h"
#include "base/endpoint.h"

/* A connection that is kept between questions. */
struct asker {
	struct endpoint endpoint;
	unsigned deadline_ms;
	bool defer;			/* when nobody answers: defer, else pass */
	int fd;				/* -1: not connected */
};

/* What is tried again while greylagd starts anew. */
#define ASK_RESTART_MS 1000

void asker_init(struct asker *a, const struct endpoint *endpoint, unsigned deadline_ms, bool defer);
/* Sends the question and waits for its answer, at most deadline_ms. True with
 * greylagd's answer; false with the door's own choice in *out and why. */
bool asker_ask(struct asker *a, struct span question, struct answer *out, struct buf *why);
void asker_close(struct asker *a);

#endif
