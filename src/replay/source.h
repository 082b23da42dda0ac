/* The requests of several files in the order of their time: journals of requests
 * (requestlog/entry.h), compressed by gzip or not, and logs of mail servers
 * (replay/maillogline.h). Each file must be in order in itself. */
#ifndef GREYLAG_REPLAY_SOURCE_H
#define GREYLAG_REPLAY_SOURCE_H

#include "requestlog/entry.h"

struct sources;

struct sources_options {
	int64_t now;			/* the time of the reading, which gives logs their year */
	/* Called for a line that cannot be read, and with line 0 for a file that ends in trouble. */
	void (*bad)(void *arg, const char *path, uint64_t line, const char *why);
	void *arg;
};

struct sources *sources_new(const struct sources_options *options);
void sources_free(struct sources **s);
/* Opens another file; "-" is standard input. 0, or -1 with why. */
int sources_add(struct sources *s, const char *path, struct buf *why);
/* The next request, valid until the next call; NULL at the end. */
struct entry *sources_next(struct sources *s);
/* Lines that were read so far, and how many of them could not be read. */
uint64_t sources_lines(const struct sources *s);
uint64_t sources_bad(const struct sources *s);
/* Requests among them that are of logs, which tell less than a journal. */
uint64_t sources_logged(const struct sources *s);
/* Bytes of the files that were read. */
uint64_t sources_offset(const struct sources *s);

#endif
