/* Appends requests to the journal (requestlog/entry.h): the loop thread puts lines into
 * memory, a thread of its own writes them within a second, so that no disk delays a
 * verdict. What has no room there, or on the disk, is dropped and counted. A file that
 * would grow over its limit becomes FILE.1, FILE.1 becomes FILE.2, and so on; where that
 * fails, it grows on. */
#ifndef GREYLAG_REQUESTLOG_WRITER_H
#define GREYLAG_REQUESTLOG_WRITER_H

#include "requestlog/entry.h"

#define REQUESTLOG_MEMORY ((size_t)1024 * 1024)	/* lines on their way; twice */
#define REQUESTLOG_SIZE_LEAST REQUESTLOG_MEMORY	/* of a file */

struct requestlog;

struct requestlog_options {
	const char *path;
	uint64_t size;			/* bytes of a file, at least REQUESTLOG_SIZE_LEAST */
	unsigned keep;			/* older files that are kept */
	enum privacy_mode privacy;	/* its key is in PATH.key */
};

struct requestlog_stats {
	uint64_t lines;			/* written */
	uint64_t dropped;
	uint64_t waiting;		/* in memory, on their way */
};

/* Makes the file, mode 0600, where there is none. NULL with why. Loop thread, as the others. */
struct requestlog *requestlog_open(const struct requestlog_options *options, struct buf *why);
/* Opens the file anew, under another name or limit perhaps: after a reload. -1 with why:
 * all stays as it was. */
int requestlog_change(struct requestlog *l, const struct requestlog_options *options, struct buf *why);
/* Allocates nothing and never waits for the disk. */
void requestlog_add(struct requestlog *l, const struct inquiry *q);
void requestlog_stats(struct requestlog *l, struct requestlog_stats *out);
/* Takes no more; its thread writes what is there. Puts it into the chain of those left and
 * clears *log. Never waits, so there may be several. */
void requestlog_leave(struct requestlog **log, struct requestlog **left);
/* Frees those that have written all. Does not wait for the disk. */
void requestlog_reap(struct requestlog **left);
/* Waits for those left. A disk that hangs is left to its thread after three seconds:
 * false, and memory stays taken. */
bool requestlog_close(struct requestlog **left);

#endif
