/* A text of SQL statements: INSERT and REPLACE (mysqldump, sqlite3's .dump) and COPY
 * (pg_dump). Which column is which, their own list or CREATE TABLE says. */
#include "import/import_format.h"
#include "import/sqltoken.h"
#include "learn/textfile.h"

#define COLUMNS_MAX 64		/* of a table, wanted or not */
#define LINE_MAX_BYTES ((size_t)TABLE_COLUMNS * (TABLE_VALUE_MAX + 2))

/* Where each column of a row goes; -1: nowhere. */
struct layout {
	bool known;
	unsigned count;
	int at[COLUMNS_MAX];
};

struct dump {
	struct import *in;
	const struct table *tables;
	unsigned count;
	table_row_fn *row;
	struct layout *layouts;		/* as CREATE TABLE said, one a table */
	bool *seen;			/* one a table */
	bool stamps_utc;
	enum sqltoken token;		/* the one that is looked at */
	struct sqltext text;
	struct table_value values[TABLE_COLUMNS];
	char bytes[TABLE_COLUMNS][TABLE_VALUE_MAX + 2];
};

static void next(struct dump *d)
{
	d->token = sqltext_next(&d->text);
	d->in->line = d->text.line;
}

static bool over(const struct dump *d)
{
	return d->token == SQLTOKEN_END || d->token == SQLTOKEN_BROKEN;
}

static bool is_mark(const struct dump *d, char c)
{
	return d->token == SQLTOKEN_MARK && d->text.text.p[0] == c;
}

static bool is_word(const struct dump *d, const char *word)
{
	return d->token == SQLTOKEN_WORD && span_ieq(buf_span(&d->text.text), span_of(word));
}

static bool take_word(struct dump *d, const char *word)
{
	if (!is_word(d, word))
		return false;
	next(d);
	return true;
}

static bool take_mark(struct dump *d, char c)
{
	if (!is_mark(d, c))
		return false;
	next(d);
	return true;
}

/* pg_dump puts the schema and a dot before a name. */
static struct span bare(struct span name)
{
	size_t dot = span_rfind(name, '.');

	return dot < name.n ? span_from(name, dot + 1) : name;
}

/* The table that a name means, or -1; moves on. */
static int take_table(struct dump *d)
{
	int found = -1;

	while (d->token == SQLTOKEN_WORD || d->token == SQLTOKEN_NAME) {
		struct span name = bare(buf_span(&d->text.text));
		for (unsigned i = 0; i < d->count; i++)
			if (span_ieq(name, span_of(d->tables[i].name)))
				found = (int)i;
		next(d);
		if (!is_mark(d, '.'))
			break;
		next(d);
	}
	return found;
}

static int column_of(const struct table *t, struct span name)
{
	for (unsigned i = 0; i < t->count; i++)
		if (span_ieq(name, span_of(t->columns[i].name)))
			return (int)i;
	return -1;
}

static void add_column(struct layout *l, const struct table *t, struct span name)
{
	if (l->count < COLUMNS_MAX)
		l->at[l->count++] = column_of(t, name);
	l->known = true;
}

/* "(a, b, c)" */
static void take_columns(struct dump *d, const struct table *t, struct layout *l)
{
	*l = (struct layout){ 0 };
	for (next(d); !over(d) && !is_mark(d, ')'); next(d))
		if (d->token == SQLTOKEN_WORD || d->token == SQLTOKEN_NAME)
			add_column(l, t, buf_span(&d->text.text));
	take_mark(d, ')');
}

/* --- CREATE TABLE -------------------------------------------------------------------------- */

static bool names_no_column(const struct dump *d)
{
	static const char *const words[] = { "PRIMARY", "KEY", "UNIQUE", "INDEX", "CONSTRAINT", "FULLTEXT", "FOREIGN", "CHECK" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is_word(d, words[i]))
			return true;
	return false;
}

static void take_create(struct dump *d)
{
	unsigned depth = 0;
	bool first = true;

	while (take_word(d, "IF") || take_word(d, "NOT") || take_word(d, "EXISTS"))
		;
	int table = take_table(d);
	struct layout *l = table >= 0 && is_mark(d, '(') ? &d->layouts[table] : NULL;
	if (l)
		*l = (struct layout){ 0 };
	for (; l && !over(d) && !is_mark(d, ';'); next(d)) {
		if (depth == 1 && first && !names_no_column(d))
			add_column(l, &d->tables[table], buf_span(&d->text.text));
		depth += is_mark(d, '(');
		first = depth == 1 && (is_mark(d, '(') || is_mark(d, ','));
		depth -= depth && is_mark(d, ')');
	}
}

/* --- Rows -------------------------------------------------------------------------------------- */

static void keep_value(struct dump *d, const struct layout *l, unsigned column, bool null, const struct buf *text)
{
	int at = column < l->count ? l->at[column] : -1;

	if (at < 0)
		return;
	struct buf b = buf_on(d->bytes[at], sizeof d->bytes[at]);
	buf_addspan(&b, buf_span(text));
	d->values[at] = (struct table_value){ .null = null, .text = buf_span(&b) };
}

static void begin_row(struct dump *d)
{
	for (unsigned i = 0; i < TABLE_COLUMNS; i++)
		d->values[i] = (struct table_value){ .null = true };
}

/* "(1, 'x', NULL)": false when it is none. */
static bool take_row(struct dump *d, const struct table *t, const struct layout *l)
{
	unsigned column = 0;

	begin_row(d);
	for (; !over(d) && !is_mark(d, ')') && !is_mark(d, ';'); next(d)) {
		if (is_mark(d, ','))
			column++;
		else
			keep_value(d, l, column, is_word(d, "NULL"), &d->text.text);
	}
	if (!is_mark(d, ')'))
		return false;
	if (column + 1 == l->count)
		table_give(d->in, t, d->values, d->stamps_utc, d->row);
	else
		import_skip(d->in, "a row with more or fewer values than columns");
	return true;
}

static int take_insert(struct dump *d, struct buf *why)
{
	struct layout own;

	while (take_word(d, "IGNORE") || take_word(d, "INTO") || take_word(d, "OR") || take_word(d, "REPLACE"))
		;
	int table = take_table(d);
	if (table < 0)
		return 0;
	const struct table *t = &d->tables[table];
	const struct layout *l = &d->layouts[table];
	d->seen[table] = true;
	if (is_mark(d, '(')) {
		take_columns(d, t, &own);
		l = &own;
	}
	if (!l->known)
		return buf_fail(why, "%s:%llu: rows of %s without the names of its columns: dump CREATE TABLE too",
			d->in->file, (unsigned long long)d->in->line, t->name);
	if (!take_word(d, "VALUES"))
		return 0;
	while (take_mark(d, '(') && take_row(d, t, l)) {
		next(d);
		if (!take_mark(d, ','))
			break;
	}
	return 0;
}

/* --- COPY ... FROM stdin --------------------------------------------------------------------- */

/* PostgreSQL's text format: \N is NULL, \t and others are escaped. */
static void take_copied(struct dump *d, const struct table *t, const struct layout *l, struct span line)
{
	char bytes[TABLE_VALUE_MAX + 2];
	unsigned column = 0;

	begin_row(d);
	for (;;) {
		struct buf b = BUF_ON(bytes);
		struct span cell = span_head(line, span_find(line, '\t'));
		bool null = span_eq(cell, span_of("\\N"));
		for (size_t i = 0; i < cell.n; i++)
			if (cell.p[i] == '\\' && i + 1 < cell.n)
				buf_addc(&b, cell.p[++i] == 't' ? '\t' : cell.p[i] == 'n' ? '\n' : cell.p[i]);
			else
				buf_addc(&b, cell.p[i]);
		keep_value(d, l, column++, null, &b);
		if (cell.n == line.n)
			break;
		line = span_from(line, cell.n + 1);
	}
	if (column == l->count)
		table_give(d->in, t, d->values, d->stamps_utc, d->row);
	else
		import_skip(d->in, "a row with more or fewer values than columns");
}

static void read_copied(struct dump *d, int table, const struct layout *l, struct buf *line)
{
	while (sqltext_line(&d->text, line) > 0 && !span_eq(buf_span(line), span_of("\\."))) {
		d->in->line = d->text.line - 1;
		if (table >= 0 && line->over)
			import_skip(d->in, "a value that is too long");
		else if (table >= 0)
			take_copied(d, &d->tables[table], l, buf_span(line));
	}
}

/* Stands at the name of the table, in the end at the semicolon. After "stdin;" the rows begin
 * with the next line. */
static void take_copy(struct dump *d)
{
	static const struct table nothing = { .name = "" };
	struct buf line = buf_heap(LINE_MAX_BYTES);
	struct layout l = { 0 };
	bool from_stdin = false;

	int table = take_table(d);
	if (is_mark(d, '('))
		take_columns(d, table >= 0 ? &d->tables[table] : &nothing, &l);
	else if (table >= 0)
		l = d->layouts[table];
	for (; !over(d) && !is_mark(d, ';'); next(d))
		from_stdin |= is_word(d, "stdin");
	if (from_stdin && !over(d) && sqltext_line(&d->text, &line) > 0)
		read_copied(d, table, &l, &line);
	if (table >= 0)
		d->seen[table] = true;
	buf_free(&line);
}

/* --- Statements -------------------------------------------------------------------------------- */

/* mysqldump sets the zone of its TIMESTAMPs: '+00:00', unless --skip-tz-utc. */
static void take_set(struct dump *d)
{
	bool zone = false;

	for (; !over(d) && !is_mark(d, ';'); next(d)) {
		zone |= is_word(d, "TIME_ZONE");
		if (zone && d->token == SQLTOKEN_STRING)
			d->stamps_utc = span_eq(buf_span(&d->text.text), span_of("+00:00"));
	}
}

static int take_statement(struct dump *d, struct buf *why)
{
	int result = 0;

	if (take_word(d, "INSERT") || take_word(d, "REPLACE"))
		result = take_insert(d, why);
	else if (take_word(d, "CREATE") && take_word(d, "TABLE"))
		take_create(d);
	else if (take_word(d, "SET"))
		take_set(d);
	else if (take_word(d, "COPY"))
		take_copy(d);
	else if (is_word(d, "PRAGMA"))
		d->text.escapes = false;	/* SQLite's dumps begin so */
	while (result == 0 && !over(d) && !is_mark(d, ';'))
		next(d);
	if (is_mark(d, ';'))
		next(d);
	return result;
}

static int missing(const struct dump *d, struct buf *why)
{
	for (unsigned i = 0; i < d->count; i++)
		if (!d->seen[i] && !d->layouts[i].known && !d->tables[i].optional)
			return buf_fail(why, "%s: there is no table %s", d->in->file, d->tables[i].name);
	return 0;
}

static int read_statements(struct dump *d, struct buf *why)
{
	uint64_t told = 0;

	if (sqltext_open(&d->text, d->in->file) != 0)
		return buf_fail(why, "%s: %s", d->in->file, buf_str(&d->text.why));
	next(d);
	if (is_word(d, "SQLite"))
		return buf_fail(why, "%s: an SQLite database comes as a file, not through a pipe", d->in->file);
	while (!over(d)) {
		uint64_t at = textfile_offset(d->text.file);
		d->in->progress(d->in, at > told ? at - told : 0);
		told = at;
		if (take_statement(d, why) != 0)
			return -1;
	}
	if (d->token == SQLTOKEN_BROKEN)
		return buf_fail(why, "%s: %s", d->in->file, buf_str(&d->text.why));
	return missing(d, why);
}

int sqldump_read(struct import *in, const char *path, const struct table *tables, unsigned count, table_row_fn *row,
		 struct buf *why)
{
	struct dump *d = calloc(1, sizeof *d);
	int result = -1;

	if (d) {
		*d = (struct dump){ .in = in, .tables = tables, .count = count, .row = row };
		d->layouts = calloc(count, sizeof *d->layouts);
		d->seen = calloc(count, sizeof *d->seen);
	}
	in->file = path;
	if (d && d->layouts && d->seen)
		result = read_statements(d, why);
	else
		buf_fail(why, "out of memory");
	if (d) {
		sqltext_close(&d->text);
		free(d->layouts);
		free(d->seen);
	}
	free(d);
	return result;
}
