/* The SMTP sessions of smtpd, as its reports tell them: what a question needs that
 * the filter request itself does not say. Loop thread only. */
#ifndef GREYLAG_DOORS_OSMTPDSESSION_H
#define GREYLAG_DOORS_OSMTPDSESSION_H

#include "client/pool.h"
#include "doors/osmtpdproto.h"

/* smtpd itself holds as many sessions as it has file descriptors. */
#define SESSIONS_MAX 10000
#define SESSION_BUCKETS 4096

/* The texts are cut at the size of their storage; greylagd takes senders of up to
 * 1,024 bytes, and a cut one is still one that is too long. */
struct session {
	struct session *next;			/* in its bucket */
	struct session *older, *newer;
	void *owner;

	struct buf id;
	struct buf name, client, server, server_port, helo, tls;
	bool confirmed;				/* name is the client's in both directions */
	bool authenticated;

	struct buf message, sender;		/* the transaction */
	bool has_sender;
	struct buf header;			/* to be put at the top of the message */

	/* The question on its way; smtpd asks one at a time in a session. */
	bool asking;
	struct buf token, question;
	struct pool_ask ask;

	struct {
		char id[OSMTPD_ID_MAX + 1], name[256], client[64], server[64], server_port[8], helo[256], tls[33];
		char message[OSMTPD_ID_MAX + 1], sender[1100], header[500], token[OSMTPD_ID_MAX + 1];
	} storage;
};

struct sessions {
	struct session *buckets[SESSION_BUCKETS];
	struct session *oldest, *newest;
	unsigned count;
	unsigned headers;			/* sessions with a header to put */
};

/* NULL when there is none. */
struct session *sessions_find(const struct sessions *t, struct span id);
/* A new session; id is not in the table, and the table not full. NULL: no memory. */
struct session *sessions_add(struct sessions *t, struct span id);
/* Its question, if there is one on its way, is cancelled by the caller. */
void sessions_remove(struct sessions *t, struct session *s);

/* What a report says; not for asks. */
void session_note(struct sessions *t, struct session *s, const struct osmtpd_line *line);
/* The first header of a message counts. */
void session_set_header(struct sessions *t, struct session *s, struct span header);
void session_clear_header(struct sessions *t, struct session *s);

#endif
