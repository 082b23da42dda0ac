#include "import/table.h"

int table_sqlite_read(struct import *in, const char *path, const struct table *tables, unsigned count, table_row_fn *row,
		      struct buf *why)
{
	(void)in; (void)tables; (void)count; (void)row;
	return buf_fail(why, "%s: built without SQLite; pipe what sqlite3 FILE .dump writes", path);
}
