/* The log: one line an event, to syslog, stderr or a file. Any thread may log.
 * Lines for a file or stderr are collected and written by log_flush, which the
 * event loop calls once a turn and log_msg itself for errors. */
#ifndef GREYLAG_BASE_LOG_H
#define GREYLAG_BASE_LOG_H

#include "base/buf.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE, LOG_TO_NOWHERE };

struct log_options {
	enum log_target target;
	const char *path;	/* LOG_TO_FILE only */
	const char *ident;	/* syslog ident and first word of lines elsewhere */
	int facility;		/* syslog(3) facility, for example LOG_MAIL */
	enum log_level level;	/* lines above this level are dropped */
};

/* Opens the target; may be called again to change it, or to open a file anew under its
 * name after rotation. On error the former target stays. Returns 0, or -1 with the reason in why. */
int log_open(const struct log_options *options, struct buf *why);
/* Flushes and closes; later lines go to stderr. */
void log_close(void);

bool log_wants(enum log_level level);

/* An operational message. The text is cut at 2,000 bytes; untrusted values in
 * it go through buf_addsafe first. */
void log_msg(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line that is already built (the verdict line); no newline at its end. */
void log_line(enum log_level level, struct span line);

/* Writes what was collected. Lines that a full disk or a closed pipe refuses
 * are dropped and counted; the next line that can be written says how many. */
void log_flush(void);
/* Lines dropped since the start. */
uint64_t log_dropped(void);

#endif
