/* Lines of a file, compressed by gzip or not, or of standard input. */
#ifndef GREYLAG_LEARN_TEXTFILE_H
#define GREYLAG_LEARN_TEXTFILE_H

#include "base/buf.h"

#define TEXTFILE_LINE_MAX ((size_t)16 * 1024)	/* what a longer line has beyond is dropped */

struct textfile;

/* "-" is standard input. NULL with why. */
struct textfile *textfile_open(const char *path, struct buf *why);
void textfile_close(struct textfile **f);
/* The next line without its end (LF or CR LF), valid until the next call: 1; 0 at the
 * end; -1 with why, after which there are no more lines: a gzip file was cut short or
 * is damaged, or could not be read. A last line without LF is a line. */
int textfile_line(struct textfile *f, struct span *line, struct buf *why);
/* The next bytes as they stand, for who looks for no lines; valid until the next call.
 * 1, 0 or -1 as above. */
int textfile_part(struct textfile *f, struct span *part, struct buf *why);
/* Bytes of the file that have been read, compressed as they are. */
uint64_t textfile_offset(const struct textfile *f);
/* Size of the file in bytes; 0 when it is none. */
uint64_t textfile_size(const char *path);

#endif
