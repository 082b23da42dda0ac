/* One connection to the database: connecting, greeting, prepared statements, and
 * what a server's error means. Blocks; one thread at a time. */
#ifndef GREYLAG_STORE_MARIADB_LINK_H
#define GREYLAG_STORE_MARIADB_LINK_H

#include "store/mariadb_sql.h"
#include "store/mariadb_where.h"

#define MARIADB_CONNECT_S 2	/* for connecting and the server's greeting */
#define MARIADB_STALL_S 8	/* the longest silence in the middle of a statement */
#define MARIADB_SIZES 10	/* statements come for 1, 2, 4, ... 512 rows */

enum mariadb_fault {
	MARIADB_FINE,
	MARIADB_REFUSED,	/* the statement had no effect, the connection is good */
	MARIADB_RETRY,		/* the same: others were in the way, try again */
	MARIADB_LOST,		/* the connection is gone; the statement may have had its effect */
	MARIADB_UNFIT,		/* like LOST: this server cannot serve now, another one may */
};

/* The library's MYSQL and MYSQL_STMT. Its header uses functions that ours ban, so
 * sources include it before all others. */
struct st_mysql;
struct st_mysql_stmt;

struct mariadb_link {
	struct st_mysql *mysql;		/* NULL: not connected */
	struct st_mysql_stmt *statements[MARIADB_STATEMENTS][MARIADB_SIZES];
};

/* Connects to that server of w->target, which takes at most some MARIADB_CONNECT_S.
 * 0, or -1 with a reason; mariadb_link_close either way. */
int mariadb_link_connect(struct mariadb_link *l, const struct mariadb_where *w, unsigned server, struct buf *why);
/* Sets the session up and checks the version of the tables. 0, or -1 with a reason. */
int mariadb_link_greet(struct mariadb_link *l, const struct mariadb_where *w, struct buf *why);
void mariadb_link_close(struct mariadb_link *l);
/* The socket, to be shut down by who wants to end it; -1: none. */
int mariadb_link_fd(const struct mariadb_link *l);

/* Prepares the statement where that has not been done; rows is 1, 2, 4, ... 512.
 * NULL with *fault and why. */
struct st_mysql_stmt *mariadb_link_statement(struct mariadb_link *l, enum mariadb_statement statement, unsigned rows,
					     enum mariadb_fault *fault, struct buf *why);
/* What went wrong, with the server's text in why. */
enum mariadb_fault mariadb_link_fault(unsigned error, const char *text, struct buf *why);
/* The version of the tables; 0: there are none. -1 with a reason. */
int mariadb_link_version(struct mariadb_link *l, struct buf *why);
/* A statement that has no values. 0, or -1 with a reason. */
int mariadb_link_query(struct mariadb_link *l, const char *text, struct buf *why);

#endif
