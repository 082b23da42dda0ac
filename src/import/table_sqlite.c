/* Tables of an SQLite file. */
#include <sqlite3.h>

#include "import/import_format.h"
#include "import/table.h"

#define BUSY_MS 10000

static int fail(sqlite3 *db, const char *path, struct buf *why)
{
	return buf_fail(why, "%s: %s", path, db ? sqlite3_errmsg(db) : "out of memory");
}

static int has_table(sqlite3 *db, const char *path, const char *name, struct buf *why)
{
	sqlite3_stmt *s = NULL;
	int step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) == SQLITE_OK)
		step = sqlite3_step(s);
	int found = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : fail(db, path, why);
	sqlite3_finalize(s);
	return found;
}

static void give(struct import *in, const struct table *t, sqlite3_stmt *s, table_row_fn *row)
{
	struct table_value values[TABLE_COLUMNS] = { 0 };

	for (unsigned i = 0; i < t->count; i++) {
		/* The text before its length, as the manual wants it. */
		const char *text = (const char *)sqlite3_column_text(s, (int)i);
		values[i].null = !text;
		values[i].text = span_make(text ? text : "", text ? (size_t)sqlite3_column_bytes(s, (int)i) : 0);
	}
	table_give(in, t, values, false, row);
}

static int read_table(struct import *in, sqlite3 *db, const char *path, const struct table *t, table_row_fn *row, struct buf *why)
{
	char query[TABLE_QUERY_MAX];
	struct buf b = BUF_ON(query);
	sqlite3_stmt *s = NULL;
	int step = SQLITE_ERROR;

	int found = has_table(db, path, t->name, why);
	if (found < 0)
		return -1;
	if (!found)
		return t->optional ? 0 : buf_fail(why, "%s: there is no table %s", path, t->name);
	table_query(&b, t, '"', "", "");
	if (sqlite3_prepare_v2(db, buf_str(&b), -1, &s, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(s)) == SQLITE_ROW)
			give(in, t, s, row);
	int result = step == SQLITE_DONE ? 0 : fail(db, path, why);
	sqlite3_finalize(s);
	return result;
}

int table_sqlite_read(struct import *in, const char *path, const struct table *tables, unsigned count, table_row_fn *row,
		      struct buf *why)
{
	sqlite3 *db = NULL;
	int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? 0 : fail(db, path, why);

	/* What the file says of functions and virtual tables is not to be run. */
	if (result == 0 && (sqlite3_busy_timeout(db, BUSY_MS) != SQLITE_OK ||
			    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK))
		result = fail(db, path, why);
	for (unsigned i = 0; i < count && result == 0; i++)
		result = read_table(in, db, path, &tables[i], row, why);
	sqlite3_close(db);
	return result;
}
