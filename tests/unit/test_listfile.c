#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lists/condition.h"
#include "lists/listfile.h"

static void collect(void *arg, unsigned line, struct span entry, const char *problem)
{
	struct buf *out = arg;

	buf_addu(out, line);
	buf_addc(out, problem ? '!' : ' ');
	if (!problem)
		buf_addspan(out, entry);
	buf_addc(out, '|');
}

static void lines_and_comments(void **state)
{
	static const struct { const char *text, *wanted; } rows[] = {
		{ "", "" }, { "\n\n", "" }, { "a", "1 a|" }, { "a\nb\n", "1 a|2 b|" }, { "  a  \n\tb\t\r\n", "1 a|2 b|" },
		{ "# x\na # y\n#\nb#z\n", "2 a|4 b|" }, { "\xef\xbb\xbf" "a\n", "1 a|" },
		{ "/a#b/\n", "1 /a#b/|" }, { "/a/ # http://x/#y\n", "1 /a/|" }, { "/a/i#c\n", "1 /a/i|" },
		{ "/a\\/b/\n", "1 /a\\/b/|" }, { "a\0b\nc\n", "1!" },
	};
	struct buf out = buf_heap(10000);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&out);
		listfile_parse(span_of(rows[i].text), collect, &out);
		if (i + 1 < sizeof rows / sizeof *rows)
			assert_string_equal(buf_str(&out), rows[i].wanted);
	}
	buf_clear(&out);
	listfile_parse(span_make("a\0b\nc\n", 6), collect, &out);
	assert_string_equal(buf_str(&out), "1!|2 c|");
	buf_free(&out);
}

static void what_is_no_list(void **state)
{
	char folder[] = "/tmp/greylag-list-XXXXXX", path[100], text[200];
	struct buf why = BUF_ON(text), content = buf_heap(1000);

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(listfile_read(folder, &content, &why), -1);
	assert_non_null(strstr(text, "regular"));
	snprintf(path, sizeof path, "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(listfile_read(path, &content, &why), -1);
	unlink(path);
	snprintf(path, sizeof path, "%s/none", folder);
	assert_int_equal(listfile_read(path, &content, &why), 0);
	assert_non_null(strstr(text, "does not exist"));
	snprintf(path, sizeof path, "%s/list", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%900s\n", "x");
	fclose(f);
	assert_int_equal(listfile_read(path, &content, &why), 1);
	assert_int_equal(content.n, 901);
	buf_clear(&content);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%1100s\n", "x");
	fclose(f);
	assert_int_equal(listfile_read(path, &content, &why), -1);
	assert_non_null(strstr(text, "larger"));
	unlink(path);
	rmdir(folder);
	buf_free(&content);
}

static void add_entry(void *arg, unsigned line, struct span entry, const char *problem)
{
	char text[200];
	struct buf why = BUF_ON(text);

	if (problem || condition_add(arg, entry, &why) != 0)
		fail_msg("line %u: %s", line, problem ? problem : text);
}

static bool client_listed(const struct condition *c, const char *address, const char *name)
{
	struct request r = { .client_text = span_of(address), .client_name = span_of(name) };

	assert_true(netaddr_parse(r.client_text, &r.client));
	return condition_holds(c, &r, NULL, &(uint64_t){ 0 }) == HOLDS;
}

/* postgrey's whitelist_clients as it is written, C6.3 of its manual page: a
 * domain covers what is below it, a partial address is a prefix. */
static void postgrey_clients(void **state)
{
	struct condition *c = condition_new(condition_kind(span_of("client")), false);

	(void)state;
	listfile_parse(span_of("# greylist.org\nsouthwest.com\n/^out[0-9]+\\.mail\\.example\\.com$/\n"
			       "10.1\n192.168.7\n198.51.100.7\n203.0.113.0/28\n2001:db8:1::/48\n"), add_entry, c);
	assert_true(client_listed(c, "192.0.2.1", "southwest.com"));
	assert_true(client_listed(c, "192.0.2.1", "mail.SouthWest.com"));
	assert_false(client_listed(c, "192.0.2.1", "notsouthwest.com"));
	assert_true(client_listed(c, "192.0.2.1", "out17.mail.example.com"));
	assert_false(client_listed(c, "192.0.2.1", "out.mail.example.com"));
	assert_true(client_listed(c, "10.1.255.255", ""));
	assert_false(client_listed(c, "10.10.0.1", ""));
	assert_true(client_listed(c, "192.168.7.9", ""));
	assert_false(client_listed(c, "192.168.70.9", ""));
	assert_true(client_listed(c, "198.51.100.7", ""));
	assert_true(client_listed(c, "::ffff:198.51.100.7", ""));
	assert_true(client_listed(c, "203.0.113.15", ""));
	assert_false(client_listed(c, "203.0.113.16", ""));
	assert_true(client_listed(c, "2001:db8:1:ffff::1", ""));
	condition_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_comments), cmocka_unit_test(what_is_no_list),
		cmocka_unit_test(postgrey_clients),
	};
	return cmocka_run_group_tests_name("listfile", tests, NULL, NULL);
}
