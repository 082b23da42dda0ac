/* What the formats of replay/maillogline.h share. */
#ifndef GREYLAG_REPLAY_MAILLOGLINE_INSIDE_H
#define GREYLAG_REPLAY_MAILLOGLINE_INSIDE_H

#include "learn/logline.h"
#include "learn/peer.h"
#include "replay/maillogline.h"

#define QUEUED 8192		/* messages whose last line has not come yet; a newer one takes an older one's place */

/* What is known of a message in a mail server's queue. */
struct queued {
	char id[32];
	char client[NETADDR_TEXT], name[REQUEST_NAME_MAX + 1];
	char sender[REQUEST_ADDRESS_MAX + 1];
	char refused[REQUEST_ADDRESS_MAX + 1];	/* a recipient that was deferred, Sendmail */
	bool sender_known, ours;
};

struct maillogline {
	struct logclock clock;
	bool verdicts;			/* the log has verdict lines of greylagd */
	struct queued queued[QUEUED];
};

/* An empty place for the message of this id, NULL: the id is none. */
struct queued *queued_open(struct maillogline *m, struct span id);
struct queued *queued_find(struct maillogline *m, struct span id);
void queued_set(char *out, size_t size, struct span s);
void queued_set_peer(struct queued *q, const struct peer *p);

/* A request is begun, filled in, and ended, which returns what maillogline_read does. */
void logged_begin(struct entry *e, int64_t at, enum verdict verdict);
/* With \xHH undone, as buf_addsafe makes it. */
void logged_put(struct entry *e, struct span *field, struct span value, size_t most);
void logged_put_peer(struct entry *e, const struct peer *p);
int logged_end(struct entry *e, struct buf *why);
/* The queue's message as a request to this recipient. */
int logged_queued(struct entry *e, const struct logline *l, const struct queued *q, enum verdict verdict, struct span recipient,
		  struct buf *why);
/* What stands between `key` and the next `stop`, or the end. */
bool logged_value(struct span text, const char *key, const char *stop, struct span *out);

/* Each takes a line of its server: as maillogline_read. */
int logged_exim(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why);
int logged_sendmail(struct maillogline *m, const struct logline *l, struct entry *e, struct buf *why);

#endif
