/* The side of greylog.c that its formats see. */
#ifndef GREYLAG_LEARN_GREYLOG_INSIDE_H
#define GREYLAG_LEARN_GREYLOG_INSIDE_H

#include "learn/greylog.h"
#include "learn/logline.h"

#define GREYMAIL_KEY_MAX 40
#define GREYMAIL_NAME_MAX 254
#define GREYMAIL_ADDRESS_MAX 400
#define GREYMAIL_REFUSED 4	/* recipients that were deferred before the sender was logged */

/* A mail whose lines come one by one, under its queue id. */
struct greymail {
	char key[GREYMAIL_KEY_MAX + 1];
	uint64_t used;			/* the oldest makes room */
	int64_t at;			/* when it came */
	bool has_peer, has_sender;
	struct netaddr client;
	char name[GREYMAIL_NAME_MAX + 1], sender[GREYMAIL_ADDRESS_MAX + 1];
	char refused[GREYMAIL_REFUSED][GREYMAIL_ADDRESS_MAX + 1];
	unsigned refused_count;
};

/* The mail of this queue id; an empty one, in place of what was there under it, when there
 * is none or `anew`. NULL when the key is empty or too long. `kind` keeps logs apart. */
struct greymail *greylog_mail(struct greylog *g, char kind, struct span key, bool anew);
/* NULL when there is none. */
struct greymail *greylog_find(struct greylog *g, char kind, struct span key);
void greymail_set_peer(struct greymail *m, const struct peer *p);
void greymail_set_sender(struct greymail *m, struct span sender);

void greylog_tell(struct greylog *g, const struct greylog_event *e);
/* An event of a mail whose peer and sender are known; nothing without them. */
void greylog_tell_mail(struct greylog *g, const struct greymail *m, bool deferred, struct span recipient);

/* True when the text says that somebody was greylisted. */
bool greylog_greylisted(struct span text);
/* What stands between the first `open` and the next byte `close` behind it; false: nothing does. */
bool greylog_between(struct span s, const char *open, char close, struct span *out);
/* The same from the last `open`: what clients wrote stands before it. */
bool greylog_between_last(struct span s, const char *open, char close, struct span *out);

/* One format's way with a line. */
typedef enum maillog_line greylog_take(struct greylog *g, const struct logline *l);
greylog_take greylog_postfix, greylog_sendmail, greylog_exim;	/* greylog_mta.c */
greylog_take greylog_qmail, greylog_greylagd, greylog_postgrey, greylog_sqlgrey, greylog_milter;	/* greylog_lister.c */

#endif
