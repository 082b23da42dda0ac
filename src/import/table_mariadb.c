/* Tables of a MariaDB or MySQL server. */
#include <mysql.h>
#include <mysqld_error.h>

#include "import/import_format.h"
#include "import/table.h"
#include "store/mariadb_link.h"

static int fail(struct mariadb_link *l, const char *name, struct buf *why)
{
	char text[300];
	struct buf reason = BUF_ON(text);

	mariadb_link_fault(mysql_errno(l->mysql), mysql_error(l->mysql), &reason);
	return buf_fail(why, "table %s: %s", name, buf_str(&reason));
}

static int read_rows(struct import *in, struct mariadb_link *l, const struct table *t, table_row_fn *row, struct buf *why)
{
	MYSQL_RES *result = mysql_use_result(l->mysql);
	struct table_value values[TABLE_COLUMNS];
	MYSQL_ROW cells;

	if (!result || mysql_num_fields(result) != t->count) {
		mysql_free_result(result);
		return fail(l, t->name, why);
	}
	while ((cells = mysql_fetch_row(result)) != NULL) {
		const unsigned long *lengths = mysql_fetch_lengths(result);
		for (unsigned i = 0; i < t->count; i++)
			values[i] = (struct table_value){ .null = !cells[i],
				.text = span_make(cells[i] ? cells[i] : "", cells[i] ? (size_t)lengths[i] : 0) };
		table_give(in, t, values, true, row);
	}
	bool whole = mysql_errno(l->mysql) == 0;
	mysql_free_result(result);
	return whole ? 0 : fail(l, t->name, why);
}

static int read_table(struct import *in, struct mariadb_link *l, const struct table *t, table_row_fn *row, struct buf *why)
{
	char query[TABLE_QUERY_MAX];
	struct buf b = BUF_ON(query);

	table_query(&b, t, '`', "UNIX_TIMESTAMP(", ")");
	if (mysql_query(l->mysql, buf_str(&b)) == 0)
		return read_rows(in, l, t, row, why);
	return t->optional && mysql_errno(l->mysql) == ER_NO_SUCH_TABLE ? 0 : fail(l, t->name, why);
}

static int connect_any(struct mariadb_link *l, const struct mariadb_where *w, struct buf *why)
{
	for (unsigned i = 0; i < w->target.count; i++) {
		if (mariadb_link_connect(l, w, i, why) == 0)
			return 0;
		mariadb_link_close(l);
	}
	return -1;
}

int table_mariadb_read(struct import *in, const char *target, const struct table *tables, unsigned count, table_row_fn *row,
		       struct buf *why)
{
	const struct store_options options = { .target = target, .user = in->user, .password_file = in->password_file };
	struct mariadb_where *w = calloc(1, sizeof *w);
	struct mariadb_link l = { .mysql = NULL };

	if (!w)
		return buf_fail(why, "out of memory");
	int result = mariadb_where_read(w, &options, why);
	if (result == 0)
		result = connect_any(&l, w, why);
	for (unsigned i = 0; i < count && result == 0; i++)
		result = read_table(in, &l, &tables[i], row, why);
	mariadb_link_close(&l);
	free(w);
	return result;
}
