#include "store/mariadb_sql.h"

#define COLUMNS "k, first_seen, last_seen, passed_at, expires, blocked, passed, strikes, held_for, held_until, generation"
#define TABLE "greylag_records"

/* What a column becomes when both have the same generation; the higher generation
 * replaces the lower (record_merge). Assignments are carried out from left to right
 * and see what those before have written, so held_for, which looks at held_until,
 * stands before it, and generation, which all look at, comes last. */
#define MERGED(column, same) \
	column " = IF(VALUES(generation) > generation, VALUES(" column "), " \
	"IF(VALUES(generation) < generation, " column ", " same "))"
#define EARLIEST(column) MERGED(column, "IF(" column " = 0 OR VALUES(" column ") = 0, " \
	"GREATEST(" column ", VALUES(" column ")), LEAST(" column ", VALUES(" column ")))")
#define LATEST(column) MERGED(column, "GREATEST(" column ", VALUES(" column "))")
#define SUM(column, most) MERGED(column, "LEAST(" column " + VALUES(" column "), " most ")")

static const char merge[] = " ON DUPLICATE KEY UPDATE "
	EARLIEST("first_seen") ", " LATEST("last_seen") ", " EARLIEST("passed_at") ", " LATEST("expires") ", "
	SUM("blocked", "281474976710655") ", " SUM("passed", "281474976710655") ", " SUM("strikes", "65535") ", "
	MERGED("held_for", "IF(VALUES(held_until) > held_until OR (VALUES(held_until) = held_until "
	       "AND VALUES(held_for) > held_for), VALUES(held_for), held_for)") ", "
	LATEST("held_until") ", generation = GREATEST(generation, VALUES(generation))";

static void add_repeated(struct buf *out, const char *text, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		buf_adds(out, i ? ", " : "");
		buf_adds(out, text);
	}
}

static void add_keys(struct buf *out, unsigned count)
{
	buf_adds(out, " WHERE k IN (");
	add_repeated(out, "?", count);
	buf_adds(out, ")");
}

void mariadb_sql(struct buf *out, enum mariadb_statement statement, unsigned rows)
{
	switch (statement) {
	case MARIADB_SELECT:
		buf_adds(out, "SELECT " COLUMNS " FROM " TABLE);
		add_keys(out, rows);
		break;
	case MARIADB_UPSERT:
		buf_adds(out, "INSERT INTO " TABLE " (" COLUMNS ") VALUES ");
		add_repeated(out, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows);
		buf_adds(out, merge);
		break;
	case MARIADB_PAGE:
		buf_adds(out, "SELECT " COLUMNS " FROM " TABLE " WHERE k >= ? AND k > ? AND k < ? ORDER BY k LIMIT ?");
		break;
	case MARIADB_DELETE:
	case MARIADB_DELETE_PENDING:
		buf_adds(out, "DELETE FROM " TABLE);
		add_keys(out, rows);
		buf_adds(out, statement == MARIADB_DELETE_PENDING ? " AND passed_at = 0" : "");
		break;
	case MARIADB_DELETE_EXPIRED:
		buf_adds(out, "DELETE FROM " TABLE " WHERE expires <= ? ORDER BY expires LIMIT ?");
		break;
	case MARIADB_STATEMENTS:
		break;
	}
}
