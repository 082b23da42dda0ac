/* The tables, and their way from one version to the next. */
#include "store/mariadb.h"

#include "store/mariadb_link.h"

/* A key has up to 2,400 bytes: an index of the row format DYNAMIC takes 3,072. */
static const char *const steps[MARIADB_SCHEMA] = {
	"CREATE TABLE IF NOT EXISTS greylag_records ("
	"k VARBINARY(2400) NOT NULL PRIMARY KEY, "
	"generation INT UNSIGNED NOT NULL, "
	"first_seen BIGINT UNSIGNED NOT NULL COMMENT 'seconds since 1970, like all times here', "
	"last_seen BIGINT UNSIGNED NOT NULL, "
	"passed_at BIGINT UNSIGNED NOT NULL COMMENT '0: never passed', "
	"expires BIGINT UNSIGNED NOT NULL, "
	"blocked BIGINT UNSIGNED NOT NULL COMMENT 'attempts that were deferred', "
	"passed BIGINT UNSIGNED NOT NULL, "
	"held_until BIGINT UNSIGNED NOT NULL, "
	"held_for TINYINT UNSIGNED NOT NULL, "
	"strikes SMALLINT UNSIGNED NOT NULL, "
	"INDEX by_end (expires)"
	") ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
};

/* The version is written after each step: when one fails, the next run goes on there. */
static int set_version(struct mariadb_link *l, int version, struct buf *why)
{
	char text[100];

	snprintf(text, sizeof text, "INSERT INTO greylag_schema (version) VALUES (%d)", version);
	return mariadb_link_query(l, text, why);
}

static int bring_up_to_date(struct mariadb_link *l, struct buf *why)
{
	static const char versions[] =
		"CREATE TABLE IF NOT EXISTS greylag_schema (version INT UNSIGNED NOT NULL PRIMARY KEY, "
		"made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE = InnoDB";
	int version = mariadb_link_version(l, why);

	if (version > MARIADB_SCHEMA)
		return buf_fail(why, "the tables have version %d, which a newer greylag made", version);
	if (version == 0 && mariadb_link_query(l, versions, why) != 0)
		return -1;
	for (; version >= 0 && version < MARIADB_SCHEMA; version++)
		if (mariadb_link_query(l, steps[version], why) != 0 || set_version(l, version + 1, why) != 0)
			return -1;
	return version < 0 ? -1 : 0;
}

int mariadb_init(const struct store_options *options, struct buf *why)
{
	char text[300], where[300];
	struct buf reason = BUF_ON(text), name = BUF_ON(where);
	struct mariadb_where w;
	struct mariadb_link l;
	int made = -1;

	if (mariadb_where_read(&w, options, why) != 0)
		return -1;
	for (unsigned i = 0; made != 0 && i < w.target.count; i++) {
		buf_clear(&name);
		dbtarget_name(&name, &w.target.servers[i]);
		if (mariadb_link_connect(&l, &w, i, &reason) == 0)
			made = bring_up_to_date(&l, &reason);
		mariadb_link_close(&l);
	}
	return made == 0 ? 0 : buf_fail(why, "store mariadb %s: %s", buf_str(&name), buf_str(&reason));
}
