/* The messages of a file (one message, or an mbox), a Maildir, a folder of files, or
 * standard input: their headers, one after the other. */
#ifndef GREYLAG_LEARN_MAILBOX_H
#define GREYLAG_LEARN_MAILBOX_H

#include "base/buf.h"

struct mailbox_reader {
	/* A message's header with its line ends as LF, cut at RECEIVED_HEADER_MAX bytes;
	 * valid during the call. */
	void (*message)(struct mailbox_reader *r, struct span header);
	/* A file that could not be read to its end; the others are read all the same. */
	void (*trouble)(struct mailbox_reader *r, const char *path, const char *why);
	/* Called now and then with how many bytes have been read since the last call. NULL: not. */
	void (*progress)(struct mailbox_reader *r, uint64_t bytes);
};

/* Reads what path names; "-" is standard input. Files may be compressed by gzip. An mbox
 * begins with "From "; within it a message begins at such a line after an empty one. */
void mailbox_read(struct mailbox_reader *r, const char *path);
/* Bytes that mailbox_read is going to read; 0 when that is not known. */
uint64_t mailbox_size(const char *path);

#endif
