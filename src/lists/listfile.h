/* Files that hold a list: an entry a line, '#' starts a comment, blanks around
 * an entry do not count. In a line that begins with '/' a '#' before the slash
 * that closes the /pattern/ belongs to the pattern. */
#ifndef GREYLAG_LISTS_LISTFILE_H
#define GREYLAG_LISTS_LISTFILE_H

#include "base/buf.h"

#define LISTFILE_MAX ((size_t)64 * 1024 * 1024)
#define LISTFILE_LINE_MAX 1024

/* Called for each entry, and with problem != NULL for a line that cannot be one. */
typedef void listfile_fn(void *arg, unsigned line, struct span entry, const char *problem);

/* Reads all of a regular file, as far as out's maximum. 1; 0 with why when it
 * does not exist; -1 with why: not readable, no regular file, larger than that
 * maximum. why does not name the file. Never blocks on a FIFO. */
int listfile_read(const char *path, struct buf *out, struct buf *why);
/* Calls fn for the entries of a text. */
void listfile_parse(struct span text, listfile_fn *fn, void *arg);

#endif
