#include "import/table.h"

int table_mariadb_read(struct import *in, const char *target, const struct table *tables, unsigned count, table_row_fn *row,
		       struct buf *why)
{
	(void)in; (void)tables; (void)count; (void)row;
	return buf_fail(why, "%s: built without MariaDB; pipe what mysqldump writes", target);
}
