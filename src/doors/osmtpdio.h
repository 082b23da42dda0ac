/* Lines in on standard input, lines out on standard output, neither ever waited
 * for. smtpd writes without looking at our answers and reads them when it can, so
 * reading stops while much of the output is still unsent. Loop thread only. */
#ifndef GREYLAG_DOORS_OSMTPDIO_H
#define GREYLAG_DOORS_OSMTPDIO_H

#include "base/loop.h"

struct osmtpd_io {
	/* A line without its line feed, its head alone when it is longer than line_max. */
	void (*line)(void *arg, struct span line);
	void *arg;

	/* Its own: */
	struct loop *loop;
	struct loop_watch in, out;
	struct loop_timer last_words;	/* how long the output may take after the input's end */
	struct buf input, output;
	size_t sent;			/* of output */
	bool skipping;			/* in the tail of a line that was too long */
	bool deaf;			/* nobody reads the output any more */
	bool ended;
};

/* line and arg are set by the caller. The loop stops at the end of the input.
 * 0, or -1 with why: standard input is a file, for example. */
int osmtpd_io_start(struct osmtpd_io *io, struct loop *loop, size_t line_max, struct buf *why);
void osmtpd_io_free(struct osmtpd_io *io);
/* Adds a line of fields with '|' between them; the last may hold one itself. A line
 * that finds no memory is left out whole. */
void osmtpd_io_put(struct osmtpd_io *io, const struct span *fields, size_t count);
/* Writes what it can of the output; call it once a turn. */
void osmtpd_io_flush(struct osmtpd_io *io);

#endif
