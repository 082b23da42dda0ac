#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "import/bdb.h"
#include "import/import_format.h"

#define NOW 1795255200		/* 2026-11-21 10:00:00 UTC */

/* --- Times --------------------------------------------------------------------------------- */

static void times(void **state)
{
	static const struct { const char *text; int64_t at; } rows[] = {
		{ "0", 0 }, { "1795255200", NOW }, { " 1795255200 ", NOW },
		{ "2026-11-21 10:00:00", NOW }, { "2026-11-21T10:00:00", NOW }, { "2026-11-21 10:00:00.999999", NOW },
		{ "2026-11-21 10:00:00Z", NOW }, { "2026-11-21 12:00:00+02", NOW }, { "2026-11-21 12:00:00.5+0200", NOW },
		{ "2026-11-21 04:30:00-05:30", NOW }, { "2026-11-21", NOW - 36000 },
		{ "0000-00-00 00:00:00", 0 }, { "9999-12-31 23:59:59", IMPORT_NEVER }, { "1970-01-01 00:00:00", 0 },
		/* None of them */
		{ "", -1 }, { "-5", -1 }, { "2026", 2026 }, { "2026-13-01 00:00:00", -1 }, { "2026-11-00", -1 },
		{ "2026-11-21 25:00:00", -1 }, { "2026-11-21 10:00", -1 }, { "2026-11-21 10:00:00 x", -1 },
		{ "2026-11-21 10:00:00+", -1 }, { "99999999999999999999", -1 }, { "x", -1 }, { "NULL", -1 },
	};
	int64_t at;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = import_time(span_of(rows[i].text), true, &at);
		if (good != (rows[i].at >= 0) || (good && at != rows[i].at))
			fail_msg("%s: %d %lld", rows[i].text, good, (long long)at);
	}
	setenv("TZ", "America/New_York", 1);
	assert_true(import_time(span_of("2026-11-21 05:00:00"), false, &at));
	assert_int_equal(at, NOW);
	assert_true(import_time(span_of("2026-07-01 06:00:00"), false, &at));
	assert_int_equal(at, 1782900000);	/* daylight saving */
	unsetenv("TZ");
}

/* --- db_dump ----------------------------------------------------------------------------------- */

struct pairs {
	unsigned count;
	char text[500];
};

static void take_pair(void *arg, struct span key, struct span value)
{
	struct pairs *p = arg;
	struct buf b = BUF_ON(p->text);

	p->count++;
	buf_addspan(&b, key);
	buf_addc(&b, '=');
	buf_addspan(&b, value);
}

static bool dump(const char *text, struct pairs *p, struct bdb_dump *d)
{
	static char key[BDB_KEY_MAX + 1], value[BDB_KEY_MAX + 1];
	struct span rest = span_of(text), line;

	*p = (struct pairs){ 0 };
	*d = (struct bdb_dump){ .key = BUF_ON(key), .value = BUF_ON(value), .pair = take_pair, .arg = p };
	while (span_cut(&rest, '\n', &line))
		if (!bdb_dump_line(d, line))
			return false;
	return true;
}

static void dumps(void **state)
{
	static const char *const broken[] = {
		"HEADER=END\n6162\n", "HEADER=END\n 616\n", "HEADER=END\n 6x\n", "HEADER=END\n 61\nDATA=END\n",
		"HEADER=END\nDATA=END\n 61\n", "HEADER=END\n\n",
	};
	struct pairs p;
	struct bdb_dump d;

	(void)state;
	assert_true(dump("VERSION=3\nformat=bytevalue\nHEADER=END\n 612f62\n 312c3200\nDATA=END\n", &p, &d));
	assert_true(d.ended);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.text, "a/b=1,2");
	assert_true(dump("VERSION=3\n 61\n", &p, &d));
	assert_false(d.ended);
	assert_int_equal(p.count, 0);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		if (dump(broken[i], &p, &d))
			fail_msg("%s", broken[i]);
}

/* --- Texts ------------------------------------------------------------------------------------- */

struct seen {
	struct import in;	/* first: the reader is this */
	unsigned rows, skipped;
	char text[2000];	/* a line a row */
};

static void add_row(struct import *in, const struct import_row *row)
{
	struct seen *s = (struct seen *)in;
	struct buf b = BUF_ON(s->text);

	b.n = strlen(s->text);
	buf_addf(&b, "%s ", import_kind_word(row->kind));
	if (row->kind == IMPORT_ENTRY)
		buf_addf(&b, "%s %s %.*s", row->list, row->value_kind, SPAN_ARG(row->value));
	else
		netprefix_add(&b, &row->client);
	if (row->kind == IMPORT_PASSED || row->kind == IMPORT_WAITING)
		buf_addf(&b, " %.*s %.*s", SPAN_ARG(row->sender), SPAN_ARG(row->recipient));
	buf_addf(&b, " %lld\n", (long long)(row->kind == IMPORT_ENTRY ? row->expires : row->first_seen) - NOW);
	s->rows++;
}

static void add_skip(struct import *in, const char *reason)
{
	(void)reason;
	((struct seen *)in)->skipped++;
}

static void no_progress(struct import *in, uint64_t bytes)
{
	(void)in;
	(void)bytes;
}

/* Reads the text as a file. */
static int read_text(const char *format, struct span text, struct seen *s, char *why_text, size_t size)
{
	struct buf why = buf_on(why_text, size);
	int fd = memfd_create("import", 0);
	char path[40];

	assert_true(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	*s = (struct seen){ .in = { .row = add_row, .skipped = add_skip, .progress = no_progress, .now = NOW } };
	int result = import_find(format)->read(&s->in, path, &why);
	close(fd);
	return result;
}

static void statements(void **state)
{
	static const struct { const char *text, *rows; unsigned skipped; const char *why; } cases[] = {
		{ "CREATE TABLE connect (x int, `src` varchar(9) DEFAULT 'a,b', sender_name t, sender_domain t, rcpt t, "
		  "first_seen timestamp, PRIMARY KEY (x), KEY src (src));CREATE TABLE from_awl (src);CREATE TABLE domain_awl (src);"
		  "INSERT INTO connect VALUES (1,'192.0.2.1','o''x\\'y','b','c@d',1795255200),(2,NULL,'','','',1);",
		  "waiting 192.0.2.1/32 o'x'y@b c@d 0\n", 1, NULL },
		{ "PRAGMA foreign_keys=OFF; BEGIN TRANSACTION;\nCREATE TABLE connect(src,sender_name,sender_domain,rcpt,first_seen);"
		  "CREATE TABLE from_awl(src,sender_name,sender_domain,first_seen,last_seen);CREATE TABLE domain_awl(src);\n"
		  "INSERT INTO connect VALUES('192.0.2','a\\','b','c@d',1795255100); -- '\n/* ' */ INSERT INTO \"from_awl\" VALUES"
		  "('192.0.2.1','a','b',1795255100,1795255100);",
		  "waiting 192.0.2.0/24 a\\@b c@d -100\ntrusted 192.0.2.1/32 -100\n", 0, NULL },
		{ "INSERT INTO connect VALUES (1);", "", 0, "without the names of its columns" },
		{ "INSERT INTO other VALUES ('", "", 0, "ends within a string" },
		{ "SELECT 1;", "", 0, "there is no table connect" },
		{ "INSERT INTO domain_awl (src, sender_domain, first_seen, last_seen) VALUES ('192.0.2','b.example',1,1795255200), (1,2),"
		  " ('x','y','z',1);INSERT INTO connect (src) VALUES ('192.0.2.1');INSERT INTO from_awl (src) VALUES ('192.0.2.9');",
		  "entry allow client 192.0.2.0/24 5184000\ntrusted 192.0.2.9/32 -1795255200\n", 3, NULL },
	};
	struct seen s;
	char why[1000];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		why[0] = '\0';
		int result = read_text("sqlgrey", span_of(cases[i].text), &s, why, sizeof why);
		if ((result != 0) != (cases[i].why != NULL) || (cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("%zu: %d %s", i, result, why);
		if (strcmp(s.text, cases[i].rows) != 0 || s.skipped != cases[i].skipped)
			fail_msg("%zu: %u skipped, rows\n%s", i, s.skipped, s.text);
	}
}

/* A value of any length, and a NUL in it. */
static void long_values(void **state)
{
	static const char before[] = "INSERT INTO connect (src,sender_name,sender_domain,rcpt,first_seen) VALUES ('192.0.2.1','";
	static const char after[] = "','b','c@d',1795255200),('192.0.2.1','a\0b','b','c@d',1795255200);CREATE TABLE from_awl (src);"
				    "CREATE TABLE domain_awl (src);";
	struct buf text = buf_heap(100000);
	struct seen s;
	char why[1000];

	(void)state;
	buf_adds(&text, before);
	for (unsigned i = 0; i < 70000; i++)
		buf_addc(&text, 'x');
	buf_add(&text, after, sizeof after - 1);
	assert_int_equal(read_text("sqlgrey", buf_span(&text), &s, why, sizeof why), 0);
	assert_int_equal(s.skipped, 1);
	assert_int_equal(s.rows, 1);
	buf_free(&text);
}

static void formats(void **state)
{
	char text[500];
	struct buf names = BUF_ON(text);

	(void)state;
	assert_null(import_find("nonsense"));
	assert_non_null(import_find("postgrey"));
	import_add_names(&names);
	assert_non_null(strstr(buf_str(&names), "spamdb FILE|-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(times), cmocka_unit_test(dumps), cmocka_unit_test(statements),
		cmocka_unit_test(long_values), cmocka_unit_test(formats) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
