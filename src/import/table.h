/* Tables of a database, wherever they are: an SQLite file, a MariaDB or MySQL server,
 * or a text of SQL statements as mysqldump, pg_dump and sqlite3's .dump write it. */
#ifndef GREYLAG_IMPORT_TABLE_H
#define GREYLAG_IMPORT_TABLE_H

#include "import/import.h"

#define TABLE_COLUMNS 16		/* that are wanted of one table */
#define TABLE_VALUE_MAX ((size_t)1100)	/* bytes; a row with a longer value is skipped */

enum table_type {
	TABLE_TEXT,
	TABLE_STAMP,		/* the type TIMESTAMP: an instant */
	TABLE_DATETIME,		/* the type DATETIME: a local time, or UTC where the table says so */
};

struct table_column {
	const char *name;
	enum table_type type;
};

struct table {
	const char *name;
	unsigned count;
	bool optional;		/* may be missing */
	bool utc;		/* DATETIMEs are UTC */
	struct table_column columns[TABLE_COLUMNS];
};

struct table_value {
	bool null;
	struct span text;
	int64_t time;		/* of the last two types; 0 for NULL */
};

/* A row's values in the order of the table's columns. */
typedef void table_row_fn(struct import *in, const struct table *t, const struct table_value *values);

/* source: "mariadb:SERVER[,SERVER...]/DATABASE" (or mysql:), a file, "-" for standard
 * input. 0, or -1 with why. */
int table_read(struct import *in, const char *source, const struct table *tables, unsigned count, table_row_fn *row,
	       struct buf *why);

/* --- For table.c only ------------------------------------------------------------------- */

#define TABLE_QUERY_MAX 1200

/* Resolves the times, then calls row.
 * stamps_utc: TIMESTAMPs without a zone are UTC. */
void table_give(struct import *in, const struct table *t, struct table_value *values, bool stamps_utc, table_row_fn *row);
/* "SELECT ... FROM ..."; stamp_open and stamp_close stand around a TIMESTAMP. */
void table_query(struct buf *out, const struct table *t, char quote, const char *stamp_open, const char *stamp_close);

int sqldump_read(struct import *in, const char *path, const struct table *tables, unsigned count, table_row_fn *row,
		 struct buf *why);
int table_sqlite_read(struct import *in, const char *path, const struct table *tables, unsigned count, table_row_fn *row,
		      struct buf *why);
int table_mariadb_read(struct import *in, const char *target, const struct table *tables, unsigned count, table_row_fn *row,
		       struct buf *why);

#endif
