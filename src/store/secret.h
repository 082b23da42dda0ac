/* A password that stands in a file of its own. Any thread. */
#ifndef GREYLAG_STORE_SECRET_H
#define GREYLAG_STORE_SECRET_H

#include "base/buf.h"

#define SECRET_MAX 512

/* Reads the file's first line, without blanks around it, into out. Without a name
 * ("") nothing changes. 0, or -1 with a reason and out as it was. */
int secret_read(const char *file, char out[SECRET_MAX + 1], struct buf *why);

#endif
