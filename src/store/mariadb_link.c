#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <pthread.h>

#include "store/mariadb_link.h"

#define REASON_BYTES 200

static void start_library(void)
{
	mysql_library_init(0, NULL, NULL);
}

/* Its ending is left to the process's: other stores and threads may use it. */
static bool library_started(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	return pthread_once(&once, start_library) == 0;
}

/* --- Connecting ------------------------------------------------------------ */

static int refused(struct mariadb_link *l, struct buf *why)
{
	mariadb_link_fault(mysql_errno(l->mysql), mysql_error(l->mysql), why);
	return -1;
}

static void set_options(struct mariadb_link *l, const struct mariadb_where *w, bool local)
{
	const unsigned connect_s = MARIADB_CONNECT_S, stall_s = MARIADB_STALL_S, no_files = 0;
	const unsigned protocol = local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	const my_bool yes = 1;

	mysql_options(l->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(l->mysql, MYSQL_OPT_READ_TIMEOUT, &stall_s);
	mysql_options(l->mysql, MYSQL_OPT_WRITE_TIMEOUT, &stall_s);
	mysql_options(l->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(l->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	/* No server gets to read our files. */
	mysql_options(l->mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
	if (!w->tls_ca[0])
		return;
	mysql_options(l->mysql, MYSQL_OPT_SSL_CA, w->tls_ca);
	mysql_options(l->mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
	mysql_options(l->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

int mariadb_link_connect(struct mariadb_link *l, const struct mariadb_where *w, unsigned server, struct buf *why)
{
	const struct dbtarget_server *s = &w->target.servers[server];

	*l = (struct mariadb_link){ .mysql = library_started() ? mysql_init(NULL) : NULL };
	if (!l->mysql)
		return buf_fail(why, "out of memory");
	set_options(l, w, s->local);
	if (!mysql_real_connect(l->mysql, s->local ? NULL : s->name, w->user[0] ? w->user : NULL,
				w->password[0] ? w->password : NULL, w->target.database, s->port,
				s->local ? s->name : NULL, 0))
		return refused(l, why);
	return 0;
}

void mariadb_link_close(struct mariadb_link *l)
{
	for (unsigned i = 0; l->mysql && i < MARIADB_STATEMENTS; i++)
		for (unsigned size = 0; size < MARIADB_SIZES; size++)
			if (l->statements[i][size])
				mysql_stmt_close(l->statements[i][size]);
	if (l->mysql)
		mysql_close(l->mysql);
	*l = (struct mariadb_link){ 0 };
}

int mariadb_link_fd(const struct mariadb_link *l)
{
	return l->mysql ? (int)mysql_get_socket(l->mysql) : -1;
}

/* --- Greeting -------------------------------------------------------------- */

int mariadb_link_query(struct mariadb_link *l, const char *text, struct buf *why)
{
	return mysql_query(l->mysql, text) == 0 ? 0 : refused(l, why);
}

int mariadb_link_version(struct mariadb_link *l, struct buf *why)
{
	uint64_t version = 0;

	if (mysql_query(l->mysql, "SELECT MAX(version) FROM greylag_schema") != 0)
		return mysql_errno(l->mysql) == ER_NO_SUCH_TABLE ? 0 : refused(l, why);
	MYSQL_RES *result = mysql_store_result(l->mysql);
	MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
	bool sound = row && row[0] && span_uint(span_of(row[0]), INT32_MAX, &version);
	mysql_free_result(result);
	return sound ? (int)version : buf_fail(why, "the table greylag_schema has no version");
}

static int check_version(struct mariadb_link *l, struct buf *why)
{
	int version = mariadb_link_version(l, why);

	if (version < 0)
		return -1;
	if (version == 0)
		return buf_fail(why, "the tables are missing: greylag store init makes them");
	if (version < MARIADB_SCHEMA)
		return buf_fail(why, "the tables have version %d: greylag store init brings them to %d", version, MARIADB_SCHEMA);
	if (version > MARIADB_SCHEMA)
		return buf_fail(why, "the tables have version %d, which a newer greylag made", version);
	return 0;
}

/* Waiting for a node of a Galera cluster to have applied what others wrote; a server
 * that is none has no such variable, and nothing to wait for. */
static int set_consistent(struct mariadb_link *l, struct buf *why)
{
	if (mysql_query(l->mysql, "SET SESSION wsrep_sync_wait = 1") == 0 ||
	    mysql_errno(l->mysql) == ER_UNKNOWN_SYSTEM_VARIABLE)
		return 0;
	return refused(l, why);
}

/* READ COMMITTED leaves gaps unlocked, into which others insert. The time a lock is
 * waited for is the least that the server knows. Connections of a pool may rest. */
int mariadb_link_greet(struct mariadb_link *l, const struct mariadb_where *w, struct buf *why)
{
	static const char session[] = "SET SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = 1, "
		"SESSION wait_timeout = 86400, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";

	if (mariadb_link_query(l, session, why) != 0 ||
	    mariadb_link_query(l, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", why) != 0 ||
	    (w->consistent_reads && set_consistent(l, why) != 0))
		return -1;
	return check_version(l, why);
}

/* --- Statements and errors ------------------------------------------------- */

static MYSQL_STMT *prepare(struct mariadb_link *l, enum mariadb_statement statement, unsigned rows,
			   enum mariadb_fault *fault, struct buf *why)
{
	MYSQL_STMT *s = mysql_stmt_init(l->mysql);
	struct buf text = buf_heap(MARIADB_SQL_TEXT);

	mariadb_sql(&text, statement, rows);
	if (!s || text.over || mysql_stmt_prepare(s, text.p, text.n) != 0) {
		*fault = s && !text.over ? mariadb_link_fault(mysql_stmt_errno(s), mysql_stmt_error(s), why) :
			 mariadb_link_fault(CR_OUT_OF_MEMORY, "out of memory", why);
		if (s)
			mysql_stmt_close(s);
		s = NULL;
	}
	buf_free(&text);
	return s;
}

MYSQL_STMT *mariadb_link_statement(struct mariadb_link *l, enum mariadb_statement statement, unsigned rows,
				   enum mariadb_fault *fault, struct buf *why)
{
	unsigned size = 0;

	while (1u << size < rows)
		size++;
	MYSQL_STMT **s = &l->statements[statement][size];
	if (!*s)
		*s = prepare(l, statement, rows, fault, why);
	return *s;
}

enum mariadb_fault mariadb_link_fault(unsigned error, const char *text, struct buf *why)
{
	buf_clear(why);
	buf_addsafe(why, span_of(text), REASON_BYTES);
	switch (error) {
	case ER_LOCK_DEADLOCK:		/* also a conflict between nodes of a cluster */
	case ER_LOCK_WAIT_TIMEOUT:
	case ER_CHECKREAD:
		return MARIADB_RETRY;
	case ER_UNKNOWN_COM_ERROR:	/* a node that has lost its cluster */
	case ER_ERROR_DURING_COMMIT:	/* one that is losing it */
	case ER_SERVER_SHUTDOWN:
	case ER_OPTION_PREVENTS_STATEMENT:	/* read only */
	case ER_CON_COUNT_ERROR:
		return MARIADB_UNFIT;
	case ER_CONNECTION_KILLED:
	case ER_UNKNOWN_STMT_HANDLER:
	case ER_NEED_REPREPARE:
	case ER_NO_SUCH_TABLE:		/* the greeting says more */
		return MARIADB_LOST;
	default:
		return error < CR_MIN_ERROR || (error > CR_MAX_ERROR && error < 5000) ? MARIADB_REFUSED : MARIADB_LOST;
	}
}
