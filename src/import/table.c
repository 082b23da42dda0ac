#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import/import_format.h"
#include "import/table.h"

static const char sqlite_magic[16] = "SQLite format 3";

void table_query(struct buf *out, const struct table *t, char quote, const char *stamp_open, const char *stamp_close)
{
	buf_adds(out, "SELECT ");
	for (unsigned i = 0; i < t->count; i++) {
		bool stamp = t->columns[i].type == TABLE_STAMP;
		buf_addf(out, "%s%s%c%s%c%s", i ? ", " : "", stamp ? stamp_open : "", quote, t->columns[i].name, quote,
			 stamp ? stamp_close : "");
	}
	buf_addf(out, " FROM %c%s%c", quote, t->name, quote);
}

void table_give(struct import *in, const struct table *t, struct table_value *values, bool stamps_utc, table_row_fn *row)
{
	for (unsigned i = 0; i < t->count; i++) {
		struct table_value *v = &values[i];
		bool utc = t->columns[i].type == TABLE_STAMP ? stamps_utc : t->utc;
		v->time = 0;
		if (v->null)
			v->text = span_make("", 0);
		if (v->text.n > TABLE_VALUE_MAX) {
			import_skip(in, "a value that is too long");
			return;
		}
		if (t->columns[i].type != TABLE_TEXT && !v->null && !import_time(v->text, utc, &v->time)) {
			import_skip(in, "a time that is none");
			return;
		}
	}
	row(in, t, values);
}

/* A pipe is not looked at: what is read of it is gone. */
static bool is_sqlite(const char *path)
{
	char head[sizeof sqlite_magic];
	struct stat st;
	bool plain = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
	int fd = plain ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	bool is = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head &&
		  memcmp(head, sqlite_magic, sizeof head) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

int table_read(struct import *in, const char *source, const struct table *tables, unsigned count, table_row_fn *row,
	       struct buf *why)
{
	struct span s = span_of(source);

	in->file = source;
	in->line = 0;
	if (span_istarts(s, span_of("mariadb:")) || span_istarts(s, span_of("mysql:")))
		return table_mariadb_read(in, strchr(source, ':') + 1, tables, count, row, why);
	if (span_istarts(s, span_of("postgresql:")) || span_istarts(s, span_of("dbi:Pg")))
		return buf_fail(why, "PostgreSQL is read from what pg_dump writes: pg_dump sqlgrey | greylag import sqlgrey -");
	if (is_sqlite(source))
		return table_sqlite_read(in, source, tables, count, row, why);
	return sqldump_read(in, source, tables, count, row, why);
}
