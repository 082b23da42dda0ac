/* What mail logs say of greylisting, whoever did it: which mail was deferred, which was
 * accepted. One reader, one thread.
 *
 * Read are
 *   Postfix	"reject: RCPT from NAME[ADDR]: 450 4.2.0 <R>: ... Greylisted ...; from=<S> to=<R> ...",
 *		milter-reject alike; client=, from=, to= of a queue id
 *   Sendmail	"Milter: to=<R>, reject=451 ... Greylisting ...", "ruleset=check_rcpt, arg1=<R>, ...";
 *		from=, to= of a queue id
 *   Exim	"H=NAME (HELO) [ADDR] F=<S> temporarily rejected RCPT <R>: greylisted"; <=, => and the like
 *   qmail	"qmail-smtpd: pid N Deferred::SNDR::Grey_Listed: ... S:NAME:ADDR ... F:S T:R" (s/qmail), Accept;
 *		jgreylist's "ADDR: GREY first time", "ADDR: OK known"
 *   greylagd, postgrey, sqlgrey, milter-greylist	their own lines
 * A deferral is one for greylisting when its text says "greylist" or "graylist", in any case. */
#ifndef GREYLAG_LEARN_GREYLOG_H
#define GREYLAG_LEARN_GREYLOG_H

#include "learn/maillog.h"

struct greylog_event {
	bool deferred;			/* else accepted */
	int64_t at;			/* seconds since 1970 */
	struct peer peer;
	struct span sender, recipient;	/* as the log writes them, without <>; both empty: the log names none */
};

struct greylog;

/* NULL when memory is out. now: the time of the reading. */
struct greylog *greylog_new(int64_t now, void (*event)(void *arg, const struct greylog_event *e), void *arg);
void greylog_free(struct greylog **g);
/* Takes the next line, which may call event. MAILLOG_BAD: it has no time. */
enum maillog_line greylog_line(struct greylog *g, struct span line);
/* The time of a line, which is not taken. False: it has none. */
bool greylog_time(struct greylog *g, struct span line, int64_t *at);

#endif
