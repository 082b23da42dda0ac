/* What the lines of mail logs have in front: the time, the program, its process. Pure
 * but for the local time zone. */
#ifndef GREYLAG_LEARN_LOGLINE_H
#define GREYLAG_LEARN_LOGLINE_H

#include "base/buf.h"

struct logline {
	int64_t at;		/* seconds since 1970 */
	struct span program;	/* "postfix/smtpd"; empty where the log is of one program alone */
	struct span pid;	/* its process id as text, or empty */
	struct span text;
};

/* Turns local times to seconds; lines of the same minute cost nothing. */
struct logclock {
	int64_t now;		/* no line is of the future, which gives the year that syslog leaves out */
	char minute[20];
	int64_t at;
};

void logclock_init(struct logclock *c, int64_t now);

/* Understands
 *   "Nov 21 10:00:00 HOST PROGRAM[PID]: TEXT"		syslog, RFC 3164
 *   "2026-11-21T10:00:00.123456+01:00 HOST PROGRAM[PID]: TEXT"	rsyslog, journalctl -o short-iso
 *   "<22>1 2026-11-21T10:00:00Z HOST PROGRAM PID ID - TEXT"	RFC 5424
 *   "2026-11-21 10:00:00.123 +0100 [PID] TEXT"		Exim's own files, tai64nlocal(8)
 *   "@40000000691f3c0a12345678 TEXT"			TAI64N, multilog(8)
 * a syslog priority "<22>" may come first. False: the line has no such head. */
bool logline_parse(struct logclock *c, struct span line, struct logline *out);

#endif
