/* The store's SQL. Values are parameters always; what varies in a statement's text
 * is how many rows it takes.
 *
 * greylag_records has a row a record, with the columns of core/record.h and the key
 * as `k`; greylag_schema one row, the version of the tables. */
#ifndef GREYLAG_STORE_MARIADB_SQL_H
#define GREYLAG_STORE_MARIADB_SQL_H

#include "base/buf.h"

#define MARIADB_SCHEMA 1		/* version of the tables that this code reads and writes */
#define MARIADB_COLUMNS 11		/* of a record's row, the key first */
#define MARIADB_SQL_TEXT ((size_t)64 << 10)	/* longest statement */

enum mariadb_statement {
	MARIADB_SELECT,			/* keys -> rows */
	MARIADB_UPSERT,			/* rows */
	MARIADB_PAGE,			/* least key, key before, key that ends, limit -> rows */
	MARIADB_DELETE,			/* keys */
	MARIADB_DELETE_PENDING,		/* keys */
	MARIADB_DELETE_EXPIRED,		/* time, limit */
	MARIADB_STATEMENTS,
};

/* The statement's text, for so many rows or keys where it takes several. */
void mariadb_sql(struct buf *out, enum mariadb_statement statement, unsigned rows);

#endif
