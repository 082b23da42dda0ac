/* The side of maillog.c that the formats see. A format is a file of its own with a row
 * in maillog.c. */
#ifndef GREYLAG_LEARN_MAILLOG_FORMAT_H
#define GREYLAG_LEARN_MAILLOG_FORMAT_H

#include "learn/logline.h"
#include "learn/maillog.h"
#include "learn/sessions.h"

struct maillog_format {
	const char *name;
	/* True when the line is of this server. */
	bool (*mine)(const struct logline *l);
	enum maillog_line (*take)(struct maillog *m, const struct logline *l);
};

extern const struct maillog_format maillog_postfix, maillog_sendmail, maillog_exim, maillog_qmail, maillog_opensmtpd;

struct sessions *maillog_sessions(struct maillog *m);
/* Reports the client's message or misdeed. Returns MAILLOG_READ. */
enum maillog_line maillog_accepted(struct maillog *m, const struct logline *l, struct peer p);
enum maillog_line maillog_lost(struct maillog *m, const struct logline *l, struct peer p);
/* Reports as lost whom peer_read finds at the beginning of text. MAILLOG_BAD: nobody. */
enum maillog_line maillog_lost_text(struct maillog *m, const struct logline *l, struct span text);

#endif
