/* One session of an MTA with the milter: packets in, packets out, questions to
 * greylagd in between. Knows no sockets. Loop thread only. */
#ifndef GREYLAG_DOORS_MILTERSESSION_H
#define GREYLAG_DOORS_MILTERSESSION_H

#include "client/pool.h"
#include "doors/milterproto.h"
#include "doors/options.h"

/* What all sessions share. */
struct milter {
	struct pool *pool;
	const struct door_options *options;
	uint64_t sessions;			/* so far, for transaction ids */
	bool said_macros;			/* which macros the MTA does not send has been logged */
};

struct milter_session;

/* resume is called when an answer has come and session_feed may go on. NULL when
 * memory is out. */
struct milter_session *milter_session_new(struct milter *m, void (*resume)(void *arg), void *arg);
void milter_session_free(struct milter_session **s);

enum milter_state {
	MILTER_WANTS_MORE,		/* all packets are handled */
	MILTER_WAITS,			/* for greylagd; resume will be called */
	MILTER_ENDED,			/* the MTA has said so, or it broke the protocol */
};

/* Handles the packets at the head of `in`; what they take of it is added to *used.
 * Replies are appended to out. */
enum milter_state milter_session_feed(struct milter_session *s, struct span in, size_t *used, struct buf *out);

#endif
