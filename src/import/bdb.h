/* Databases of a Berkeley DB environment, read through the library's own tools
 * (db5.3_recover and db5.3_dump of db5.3-util, or db_recover and db_dump).
 *
 * The environment may be in use: nothing in its folder is written or joined, so that
 * a reader that is killed leaves no lock behind. Its files are copied, databases
 * first and logs second, and the copy is recovered, as the library's manual wants a
 * hot backup to be made. A log may say which files to make, so root does that as the
 * folder's owner. */
#ifndef GREYLAG_IMPORT_BDB_H
#define GREYLAG_IMPORT_BDB_H

#include <sys/types.h>

#include "base/buf.h"

#define BDB_KEY_MAX ((size_t)4096)

struct bdb {
	char folder[200];	/* of the copy; "": none */
	int fd;			/* the same, whatever becomes of its name; -1: none */
	const char *suffix;	/* which of the tools */
	bool catches;		/* signals, see bdb_open */
	bool as_owner;		/* the tools run as this user and group */
	uid_t uid;
	gid_t gid;
};

/* Copies and recovers. 0, or -1 with why; bdb_close either way. In between SIGINT, SIGTERM, SIGHUP
 * and SIGPIPE end the copying and the reading, and bdb_close lets them end the program. */
int bdb_open(struct bdb *b, const char *folder, struct buf *why);
/* Removes the copy. */
void bdb_close(struct bdb *b);

/* Called for each pair, without a NUL at the end of either. */
typedef void bdb_pair(void *arg, struct span key, struct span value);
/* All pairs of a database in key order; what is over BDB_KEY_MAX bytes is given as an
 * empty span. 1, 0 when there is no such database, -1 with why. */
int bdb_read(struct bdb *b, const char *name, bdb_pair *pair, void *arg, struct buf *why);

/* One line of db_dump's output (its manual page, "bytevalue"): keys and values take
 * turns. False for a line that belongs to neither. */
struct bdb_dump {
	bool data;		/* the header is over */
	bool ended;
	bool has_key;
	struct buf key, value;
	bdb_pair *pair;
	void *arg;
};
bool bdb_dump_line(struct bdb_dump *d, struct span line);

#endif
