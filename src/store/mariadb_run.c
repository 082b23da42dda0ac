#include <mysql.h>
#include <time.h>

#include "store/mariadb_run.h"

#define TRIES 8
#define PAUSE_MS 4		/* after the first conflict; longer after each */
#define COUNTED 100000		/* up to so many rows are counted, more are estimated */
#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

struct row {
	unsigned long key_n;
	unsigned long long values[MARIADB_COLUMNS - 1];	/* in the order of the statements */
};

struct mariadb_scratch {
	MYSQL_BIND binds[MARIADB_ITEMS * MARIADB_COLUMNS];
	struct row rows[MARIADB_ITEMS];
	char key[KEY_MAX];		/* of a row that is being read */
	char end[KEY_MAX + 1];		/* of a page's range */
};

struct mariadb_scratch *mariadb_scratch_new(void)
{
	return calloc(1, sizeof(struct mariadb_scratch));
}

void mariadb_scratch_free(struct mariadb_scratch **s)
{
	free(*s);
	*s = NULL;
}

/* --- Parameters and rows --------------------------------------------------- */

static MYSQL_BIND bind_number(unsigned long long *value)
{
	return (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = value, .is_unsigned = 1 };
}

/* The library's struct knows no const; it only reads. */
static MYSQL_BIND bind_bytes(struct span bytes, unsigned long *length)
{
	union { const char *from; char *to; } p = { .from = bytes.p };

	*length = bytes.n;
	return (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB, .buffer = p.to, .buffer_length = bytes.n, .length = length };
}

static void write_row(struct row *row, const struct record *r)
{
	const unsigned long long values[] = {
		(unsigned long long)r->first_seen, (unsigned long long)r->last_seen, (unsigned long long)r->passed_at,
		(unsigned long long)r->expires, r->blocked, r->passed, r->strikes, r->held_for,
		(unsigned long long)r->held_until, r->generation,
	};

	memcpy(row->values, values, sizeof values);
}

static struct record read_row(const struct row *row)
{
	const unsigned long long *v = row->values;

	return (struct record){
		.first_seen = (int64_t)v[0], .last_seen = (int64_t)v[1], .passed_at = (int64_t)v[2],
		.expires = (int64_t)v[3], .blocked = v[4], .passed = v[5], .strikes = (uint32_t)v[6],
		.held_for = (uint8_t)(v[7] < HOLD_COUNT ? v[7] : HOLD_COUNT - 1),
		.held_until = (int64_t)v[8], .generation = (uint32_t)v[9],
	};
}

static enum mariadb_fault fault_of(MYSQL_STMT *statement, struct buf *why)
{
	return mariadb_link_fault(mysql_stmt_errno(statement), mysql_stmt_error(statement), why);
}

static enum mariadb_fault execute(MYSQL_STMT *statement, struct mariadb_scratch *s, struct buf *why)
{
	if (mysql_stmt_bind_param(statement, s->binds) || mysql_stmt_execute(statement))
		return fault_of(statement, why);
	return MARIADB_FINE;
}

/* Hands each row to fn until that has enough. */
typedef bool row_fn(struct mariadb_job *j, struct span key, const struct record *record);
static enum mariadb_fault fetch(MYSQL_STMT *statement, struct mariadb_scratch *s, struct mariadb_job *j, row_fn *fn,
				struct buf *why)
{
	struct row *row = &s->rows[0];
	bool wanted = true;
	int end = 0;

	s->binds[0] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB, .buffer = s->key, .buffer_length = sizeof s->key,
				    .length = &row->key_n };
	for (unsigned i = 1; i < MARIADB_COLUMNS; i++)
		s->binds[i] = bind_number(&row->values[i - 1]);
	if (mysql_stmt_bind_result(statement, s->binds) || mysql_stmt_store_result(statement))
		return fault_of(statement, why);
	while (wanted && (end = mysql_stmt_fetch(statement)) == 0) {
		struct record record = read_row(row);
		wanted = fn(j, span_make(s->key, row->key_n), &record);
	}
	enum mariadb_fault fault = end == 1 ? fault_of(statement, why) : MARIADB_FINE;
	mysql_stmt_free_result(statement);
	if (end != MYSQL_DATA_TRUNCATED)
		return fault;
	buf_fail(why, "the table greylag_records has other columns than ours");
	return MARIADB_REFUSED;
}

static unsigned rounded(unsigned count)
{
	unsigned rows = 1;

	while (rows < count)
		rows *= 2;
	return rows;
}

/* --- Reading and writing --------------------------------------------------- */

/* Statements come in a few sizes: the places left over repeat the last key. */
static unsigned bind_keys(struct mariadb_scratch *s, const struct mariadb_job *j)
{
	unsigned rows = rounded(j->distinct);

	for (unsigned i = 0; i < rows; i++) {
		struct span key = j->order[i < j->distinct ? i : j->distinct - 1]->key;
		s->binds[i] = bind_bytes(key, &s->rows[i].key_n);
	}
	return rows;
}

static bool take_found(struct mariadb_job *j, struct span key, const struct record *record)
{
	unsigned first, count = mariadb_job_find(j, key, &first);

	for (unsigned i = first; i < first + count; i++) {
		j->order[i]->record = *record;
		j->order[i]->found = true;
	}
	return true;
}

static enum mariadb_fault run_read(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	enum mariadb_fault fault = MARIADB_FINE;
	unsigned rows = bind_keys(s, j);
	MYSQL_STMT *statement = mariadb_link_statement(l, MARIADB_SELECT, rows, &fault, why);

	if (statement)
		fault = execute(statement, s, why);
	return fault == MARIADB_FINE ? fetch(statement, s, j, take_found, why) : fault;
}

/* Rows that were created. A changed row counts twice as affected; how many were
 * changed stands in the server's text, which a statement of one row has not. */
static uint64_t count_created(struct mariadb_link *l, MYSQL_STMT *statement)
{
	static const struct span word = SPAN("Duplicates: ");
	struct span info = span_of(mysql_info(l->mysql)), number;
	uint64_t affected = mysql_stmt_affected_rows(statement), changed;

	while (info.n && !span_starts(info, word))
		info = span_from(info, 1);
	if (info.n == 0)
		return affected == 1;
	info = span_from(info, word.n);
	if (!span_cut(&info, ' ', &number) || !span_uint(number, affected, &changed))
		return 0;
	return affected >= 2 * changed ? affected - 2 * changed : 0;
}

/* One statement is one transaction: when it returns, all of it is committed. Rows are
 * sorted, so that two writers take their locks in the same order. The places left
 * over get the last key again with a delta of nothing, which changes nothing. */
static enum mariadb_fault run_write(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	static const struct record nothing;
	enum mariadb_fault fault = MARIADB_FINE;
	unsigned rows = rounded(j->distinct);
	MYSQL_STMT *statement = mariadb_link_statement(l, MARIADB_UPSERT, rows, &fault, why);

	if (!statement)
		return fault;
	for (unsigned i = 0; i < rows; i++) {
		const struct mariadb_item *item = j->order[i < j->distinct ? i : j->distinct - 1];
		MYSQL_BIND *binds = &s->binds[i * MARIADB_COLUMNS];
		write_row(&s->rows[i], i < j->distinct ? &item->record : &nothing);
		binds[0] = bind_bytes(item->key, &s->rows[i].key_n);
		for (unsigned c = 1; c < MARIADB_COLUMNS; c++)
			binds[c] = bind_number(&s->rows[i].values[c - 1]);
	}
	fault = execute(statement, s, why);
	if (fault == MARIADB_FINE)
		j->changed = count_created(l, statement);
	return fault;
}

static enum mariadb_fault run_remove(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	enum mariadb_statement which = j->pending_only ? MARIADB_DELETE_PENDING : MARIADB_DELETE;
	enum mariadb_fault fault = MARIADB_FINE;
	unsigned rows = bind_keys(s, j);
	MYSQL_STMT *statement = mariadb_link_statement(l, which, rows, &fault, why);

	if (statement)
		fault = execute(statement, s, why);
	if (fault == MARIADB_FINE)
		j->changed = mysql_stmt_affected_rows(statement);
	return fault;
}

static enum mariadb_fault run_expire(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	enum mariadb_fault fault = MARIADB_FINE;
	MYSQL_STMT *statement = mariadb_link_statement(l, MARIADB_DELETE_EXPIRED, 1, &fault, why);
	unsigned long long *values = s->rows[0].values;

	values[0] = j->expired > 0 ? (unsigned long long)j->expired : 0;
	values[1] = j->limit;
	s->binds[0] = bind_number(&values[0]);
	s->binds[1] = bind_number(&values[1]);
	if (statement)
		fault = execute(statement, s, why);
	if (fault == MARIADB_FINE)
		j->changed = mysql_stmt_affected_rows(statement);
	return fault;
}

/* --- Scans ----------------------------------------------------------------- */

/* The least key after all that start with the prefix: its last byte that can be
 * raised, raised. Without one, bytes above which there is no key. */
static struct span range_end(struct mariadb_scratch *s, struct span prefix)
{
	while (prefix.n && (unsigned char)prefix.p[prefix.n - 1] == 0xff)
		prefix.n--;
	if (prefix.n == 0) {
		memset(s->end, 0xff, sizeof s->end);
		return span_make(s->end, sizeof s->end);
	}
	memcpy(s->end, prefix.p, prefix.n);
	s->end[prefix.n - 1] = (char)((unsigned char)s->end[prefix.n - 1] + 1);
	return span_make(s->end, prefix.n);
}

static bool take_scanned(struct mariadb_job *j, struct span key, const struct record *record)
{
	if (!mariadb_job_room(j, 1, key.n)) {
		j->more = true;
		return false;
	}
	mariadb_job_add(j, key, record);
	return true;
}

static enum mariadb_fault run_scan(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	enum mariadb_fault fault = MARIADB_FINE;
	MYSQL_STMT *statement = mariadb_link_statement(l, MARIADB_PAGE, 1, &fault, why);
	const struct span bounds[] = { buf_span(&j->prefix), buf_span(&j->from), range_end(s, buf_span(&j->prefix)) };

	for (unsigned i = 0; i < 3; i++)
		s->binds[i] = bind_bytes(bounds[i], &s->rows[i].key_n);
	s->rows[0].values[0] = j->limit;
	s->binds[3] = bind_number(&s->rows[0].values[0]);
	j->count = 0;
	j->more = false;
	buf_clear(&j->keys);
	if (statement)
		fault = execute(statement, s, why);
	if (fault == MARIADB_FINE)
		fault = fetch(statement, s, j, take_scanned, why);
	j->more |= j->count == j->limit;
	mariadb_job_seal(j);
	return fault;
}

/* --- Figures --------------------------------------------------------------- */

/* The numbers of the first row; what is no number stays 0. */
static int read_numbers(struct mariadb_link *l, const char *query, unsigned count, uint64_t *numbers, struct buf *why)
{
	if (mariadb_link_query(l, query, why) != 0)
		return -1;
	MYSQL_RES *result = mysql_store_result(l->mysql);
	MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
	for (unsigned i = 0; row && i < count && i < mysql_num_fields(result); i++)
		(void)(row[i] && span_uint(span_of(row[i]), UINT64_MAX, &numbers[i]));
	mysql_free_result(result);
	return result ? 0 : buf_fail(why, "no result");
}

static int read_figures(struct mariadb_link *l, struct mariadb_job *j, struct buf *why)
{
	static const char table[] = "SELECT table_rows, data_length + index_length FROM information_schema.tables "
				    "WHERE table_schema = DATABASE() AND table_name = 'greylag_records'";
	static const char rows[] = "SELECT COUNT(*) FROM (SELECT 1 FROM greylag_records LIMIT " TEXT_OF(COUNTED) ") AS counted";
	static const char pool[] = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_bytes_data'";
	uint64_t sizes[2] = { 0 }, counted = 0, memory[2] = { 0 };

	if (read_numbers(l, table, 2, sizes, why) != 0 || read_numbers(l, rows, 1, &counted, why) != 0 ||
	    read_numbers(l, pool, 2, memory, why) != 0)
		return -1;
	j->records = counted < COUNTED || sizes[0] < counted ? counted : sizes[0];
	j->disk_bytes = sizes[1];
	j->memory_bytes = memory[1];
	return 0;
}

static enum mariadb_fault run_look(struct mariadb_link *l, struct mariadb_job *j, struct buf *why)
{
	if (mysql_ping(l->mysql) == 0 && (!j->figures || read_figures(l, j, why) == 0))
		return MARIADB_FINE;
	return mariadb_link_fault(mysql_errno(l->mysql), mysql_error(l->mysql), why);
}

/* --- Jobs ------------------------------------------------------------------ */

static enum mariadb_fault run_once(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	switch (j->kind) {
	case MARIADB_READ:
		return run_read(l, s, j, why);
	case MARIADB_WRITE:
	case MARIADB_LATER:
		return run_write(l, s, j, why);
	case MARIADB_SCAN:
		return run_scan(l, s, j, why);
	case MARIADB_REMOVE:
		return run_remove(l, s, j, why);
	case MARIADB_EXPIRE:
		return run_expire(l, s, j, why);
	case MARIADB_LOOK:
		return run_look(l, j, why);
	}
	return MARIADB_REFUSED;
}

/* Writers that met would meet again if they all waited equally long. */
static void pause_ms(unsigned tried, const struct mariadb_job *j)
{
	uint64_t spread = span_hash(span_make((const char *)&j, sizeof j), tried) % (PAUSE_MS * (uint64_t)tried);
	struct timespec t = { .tv_nsec = (long)((PAUSE_MS * (uint64_t)tried + spread) * 1000000) };

	nanosleep(&t, NULL);
}

enum mariadb_fault mariadb_run(struct mariadb_link *l, struct mariadb_scratch *s, struct mariadb_job *j, struct buf *why)
{
	bool reads = j->kind == MARIADB_READ || j->kind == MARIADB_SCAN;
	enum mariadb_fault fault;

	if (j->kind == MARIADB_READ || j->kind == MARIADB_REMOVE || j->kind == MARIADB_WRITE || j->kind == MARIADB_LATER)
		mariadb_job_order(j, j->kind != MARIADB_READ);
	for (unsigned tried = 1; ; tried++) {
		fault = run_once(l, s, j, why);
		if (fault != MARIADB_RETRY)
			return fault;
		/* Reading takes no locks: it is a node that cannot catch up with its cluster. */
		if (reads)
			return MARIADB_UNFIT;
		if (tried == TRIES || atomic_load(&j->abandoned))
			return MARIADB_REFUSED;
		pause_ms(tried, j);
	}
}
