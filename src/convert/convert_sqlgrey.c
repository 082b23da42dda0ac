/* sqlgrey 1.8's sqlgrey.conf, its lists of clients, and discrimination.regexp. */
#include "convert/keyvalue.h"

#include "lists/listfile.h"

#define DAY 86400
#define VALUES_A_RULE 20

enum method { SMART, FULL, CLASSC };

struct sqlgrey {
	struct convert *c;
	char folder[600];
	bool delay, window, keep, has_socket, discriminates, at_once;
	struct span code;
	enum method method;
	/* Host names that wait to be written as a rule: */
	struct buf names;
	unsigned name_count;
	const char *list;
};

static void take_folder(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	snprintf(s->folder, sizeof s->folder, "%.*s", SPAN_ARG(span_head(value, sizeof s->folder - 1)));
	convert_needless(s->c, "its lists are in this file");
}

static bool number(struct sqlgrey *s, struct span value, int64_t unit, int64_t *out)
{
	uint64_t n;

	if (!span_uint(value, 10000000, &n)) {
		convert_missing(s->c, span_make("", 0), "a number is expected");
		return false;
	}
	*out = (int64_t)n * unit;
	return true;
}

static void take_delay(void *arg, struct span value)
{
	struct sqlgrey *s = arg;
	int64_t seconds;

	if ((s->delay = number(s, value, 60, &seconds)) != false)
		convert_time(s->c, "delay", seconds, 0, DAY);
}

static void take_window(void *arg, struct span value)
{
	struct sqlgrey *s = arg;
	int64_t seconds;

	if ((s->window = number(s, value, 3600, &seconds)) != false)
		convert_time(s->c, "window", seconds, 60, 60 * DAY);
}

static void take_keep(void *arg, struct span value)
{
	struct sqlgrey *s = arg;
	int64_t seconds;

	if ((s->keep = number(s, value, DAY, &seconds)) != false)
		convert_time(s->c, "keep", seconds, 7 * DAY, 3650 * DAY);
}

static void take_level(void *arg, struct span value)
{
	static const char *const levels[] = { "error", "warning", "info", "debug", "debug" };
	struct sqlgrey *s = arg;
	bool digit = value.n == 1 && value.p[0] >= '0' && value.p[0] <= '4';

	convert_line(s->c, "log level %s", digit ? levels[value.p[0] - '0'] : "error");
}

static void take_inet(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	s->has_socket = true;
	convert_listen_inet(s->c, value, "");
}

static void take_unix(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	s->has_socket = true;
	convert_listen_unix(s->c, value, span_of("0666"), "");
}

static void take_prepend(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	convert_line(s->c, "reply header %s", span_eq(value, span_of("0")) ? "no" : "yes");
}

static void take_method(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	s->method = span_ieq(value, span_of("full")) ? FULL : span_ieq(value, span_of("classc")) ? CLASSC : SMART;
	convert_needless(s->c, "see identity");
}

static bool is_on(struct span value)
{
	return span_ieq(value, span_of("on")) || span_eq(value, span_of("1"));
}

static void take_discrimination(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	s->discriminates = is_on(value);
	convert_needless(s->c, s->discriminates ? "its expressions are rules here" : "it is so without it");
}

static void take_opt(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	if (span_ieq(value, span_of("none")))
		convert_needless(s->c, "it is so without it");
	else
		convert_missing(s->c, span_make("", 0), "the tables of addresses are not read; make a list of them: "
				"allow recipient file, or defer recipient file and then allow");
}

static void take_cluster(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	if (is_on(value))
		convert_missing(s->c, span_make("", 0), "several servers share a store: store mariadb, or store valkey");
	else
		convert_needless(s->c, "it is so without it");
}

static void take_throttle(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	if (span_eq(value, span_of("0")))
		convert_needless(s->c, "it is so without it");
	else
		convert_missing(s->c, span_make("", 0), "a client with many attempts that never came back waits longer "
				"(penalty unretried), and has a share of the store (cap identity)");
}

static void take_domain_level(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	(void)value;
	convert_differs(s->c, "greylag trusts a client after its first good retry, not after a number of its domain's addresses");
}

static void take_reject(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	if (span_ieq(value, span_of("immed")))
		s->at_once = true;
	convert_needless(s->c, "see reply defer");
}

static void take_early(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	if (span_ieq(value, span_of("immed")) == s->at_once)
		convert_needless(s->c, "see reply defer");
	else
		convert_missing(s->c, span_make("", 0), "first and later attempts get the same reply");
}

static void take_code(void *arg, struct span value)
{
	struct sqlgrey *s = arg;

	s->code = value;
	convert_needless(s->c, "see reply defer");
}

#define STORE "greylagd has a store of its own; greylag import sqlgrey brings along what is in this one"
#define CLEANS "records end by themselves"
static const struct keyvalue rows[] = {
	{ "conf_dir", take_folder, false, NULL }, { "loglevel", take_level, false, NULL },
	{ "log_override", NULL, true, "there is one level for all (log level)" },
	{ "log_ident", NULL, true, "the log's name is greylagd" },
	{ "user", NULL, false, "greylagd has a user of its own (user, group)" },
	{ "group", NULL, false, "greylagd has a user of its own (user, group)" },
	{ "confdir", NULL, false, "greylagd -c names the file" },
	{ "inet", take_inet, false, NULL }, { "unix", take_unix, false, NULL },
	{ "pidfile", NULL, false, "the unit file follows greylagd without one" },
	{ "reconnect_delay", take_delay, false, NULL }, { "max_connect_age", take_window, false, NULL },
	{ "connect_src_throttle", take_throttle, false, NULL },
	{ "awl_age", take_keep, false, NULL }, { "group_domain_level", take_domain_level, false, NULL },
	{ "db_type", NULL, false, STORE }, { "db_name", NULL, false, STORE }, { "db_host", NULL, false, STORE },
	{ "db_port", NULL, false, STORE }, { "db_user", NULL, false, STORE }, { "db_pass", NULL, false, STORE },
	{ "db_dsn", NULL, false, STORE }, { "db_prepare_cache", NULL, false, STORE },
	{ "db_cleandelay", NULL, false, CLEANS }, { "clean_method", NULL, false, CLEANS },
	{ "db_cluster", take_cluster, false, NULL }, { "read_hosts", NULL, false, "see db_cluster" },
	{ "prepend", take_prepend, false, NULL }, { "greymethod", take_method, false, NULL },
	{ "optmethod", take_opt, false, NULL }, { "discrimination", take_discrimination, false, NULL },
	{ "discrimination_add_rulenr", NULL, true, "the log names the rule, the reply does not" },
	{ "reject_first_attempt", take_reject, false, NULL }, { "reject_early_reconnect", take_early, false, NULL },
	{ "reject_code", take_code, false, NULL },
	{ "whitelists_host", NULL, true, "greylag fetches no lists" },
	{ "admin_mail", NULL, true, "greylag sends no mail; its log and metrics tell" },
	{ NULL, NULL, false, NULL },
};

/* --- Lists ---------------------------------------------------------------------------- */

static void write_names(struct sqlgrey *s)
{
	if (s->name_count)
		convert_line(s->c, "allow client-name%s", buf_str(&s->names));
	buf_clear(&s->names);
	s->name_count = 0;
}

/* A name is exactly this name, "*.x" those below. */
static void take_name(void *arg, unsigned line, struct span entry, const char *problem)
{
	struct sqlgrey *s = arg;
	char text[1100], reason[200];
	struct buf b = BUF_ON(text), why = BUF_ON(reason);

	buf_adds(&b, entry.n && (entry.p[0] == '/' || entry.p[0] == '*') ? "" : "=");
	buf_addspan(&b, entry);
	if (problem || b.over || !convert_valid("client-name", buf_span(&b), &why)) {
		write_names(s);
		convert_at(s->c, s->list, line, entry);
		convert_missing(s->c, span_make("", 0), problem ? problem : buf_str(&why));
		convert_at(s->c, s->list, line + 1, span_of("what follows"));
		return;
	}
	buf_addc(&s->names, ' ');
	convert_word(&s->names, buf_span(&b));
	if (++s->name_count == VALUES_A_RULE)
		write_names(s);
}

static void read_names(struct sqlgrey *s, const char *path)
{
	char reason[600];
	struct buf text = buf_heap(CONVERT_FILE_MAX), why = BUF_ON(reason);

	s->list = path;
	s->c->part = CONVERT_RULES;
	convert_at(s->c, path, 0, span_of("host names"));
	int found = convert_read(s->c->root, path, &text, &why);
	if (found == 1)
		listfile_parse(buf_span(&text), take_name, s);
	else if (found < 0)
		convert_missing(s->c, span_of(path), buf_str(&why));
	write_names(s);
	s->c->part = CONVERT_SETTINGS;
	buf_free(&text);
}

/* --- discrimination.regexp ------------------------------------------------------------ */

static const char *condition_of(struct span attribute)
{
	static const struct { const char *theirs, *ours; } words[] = {
		{ "client_name", "client-name" }, { "reverse_client_name", "reverse-name" }, { "helo_name", "helo" },
		{ "sender", "sender" }, { "recipient", "recipient" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_ieq(attribute, span_of(words[i].theirs)))
			return words[i].ours;
	return NULL;
}

/* ATTRIBUTE =~|!~|==|!= EXPRESSION */
static void take_expression(struct sqlgrey *s, struct span line)
{
	char text[1100], reason[300], word[2300];
	struct buf b = BUF_ON(text), why = BUF_ON(reason), quoted = BUF_ON(word);
	struct span attribute = span_make("", 0), op = span_make("", 0), rest = line;

	span_cut(&rest, ' ', &attribute);
	rest = span_trim(rest);
	span_cut(&rest, ' ', &op);
	rest = span_trim(rest);
	bool negated = op.n == 2 && op.p[0] == '!', regex = op.n == 2 && op.p[1] == '~';
	const char *condition = condition_of(attribute);
	if (!condition) {
		convert_missing(s->c, attribute, "no condition of greylag looks at this with a regular expression");
		return;
	}
	/* Postfix's word for no name. */
	if (strcmp(condition, "client-name") == 0 && (span_eq(rest, span_of("^unknown$")) || (!regex && span_eq(rest, span_of("unknown"))))) {
		convert_line(s->c, "defer%s client-name none", negated ? " not" : "");
		return;
	}
	buf_adds(&b, regex ? "/" : "/^\\Q");
	buf_addspan(&b, rest);
	buf_adds(&b, regex ? "/" : "\\E$/");
	if (b.over || !convert_valid(condition, buf_span(&b), &why)) {
		convert_missing(s->c, span_make("", 0), b.over ? "too long" : buf_str(&why));
		return;
	}
	convert_word(&quoted, buf_span(&b));
	convert_line(s->c, "defer%s %s %s", negated ? " not" : "", condition, buf_str(&quoted));
}

static void read_expressions(struct sqlgrey *s)
{
	char path[700], reason[800];
	struct buf text = buf_heap(CONVERT_FILE_MAX), why = BUF_ON(reason);
	struct span rest, line;

	snprintf(path, sizeof path, "%s/discrimination.regexp", s->folder);
	s->c->part = CONVERT_RULES;
	convert_at(s->c, path, 0, span_of("who is greylisted"));
	if (convert_read(s->c->root, path, &text, &why) != 1)
		convert_missing(s->c, span_make("", 0), buf_str(&why));
	rest = buf_span(&text);
	for (unsigned number = 1; span_cut(&rest, '\n', &line); number++) {
		size_t comment = 0;
		/* In an expression a '#' behind a blank begins a comment. */
		while (comment < line.n && !(line.p[comment] == '#' && (comment == 0 || ascii_blank(line.p[comment - 1]))))
			comment++;
		line = span_trim(span_head(line, comment));
		convert_at(s->c, path, number, line);
		if (line.n)
			take_expression(s, line);
	}
	convert_at(s->c, path, 0, span_of("nobody else is"));
	convert_line(s->c, "allow");
	s->c->part = CONVERT_SETTINGS;
	buf_free(&text);
}

/* --- The whole ------------------------------------------------------------------------ */

static void write_identity(struct sqlgrey *s)
{
	convert_at(s->c, "sqlgrey", 0, span_of("whom it takes for one client"));
	switch (s->method) {
	case FULL:
		convert_line(s->c, "identity address");
		break;
	case CLASSC:
		convert_line(s->c, "identity network ipv4-prefix 24 ipv6-prefix 64");
		break;
	case SMART:
		convert_line(s->c, "identity host ipv4-prefix 24 ipv6-prefix 64");
		convert_differs(s->c, "mail servers with a confirmed name are one by their domain, not only by their network");
		break;
	}
}

static void write_rest(struct sqlgrey *s)
{
	struct convert *c = s->c;

	convert_at(c, "sqlgrey", 0, span_of("its defaults, where no line says otherwise"));
	if (!s->has_socket)
		convert_line(c, "listen policy tcp 127.0.0.1:2501");
	convert_line(c, "listen control unix /run/greylag/control");
	if (!s->delay)
		convert_line(c, "greylist delay 5m");
	if (!s->window)
		convert_line(c, "greylist window 24h");
	if (!s->keep)
		convert_line(c, "greylist keep 60d");
	write_identity(s);
	convert_at(c, "sqlgrey", 0, span_of("reject_first_attempt, reject_code"));
	if (s->at_once)
		convert_line(c, "reply defer %.*s", SPAN_ARG(span_head(s->code.n ? s->code : span_of("450"), 40)));
	else
		convert_line(c, "reply defer DEFER_IF_PERMIT");
}

static void read_lists(struct sqlgrey *s)
{
	static const char *const endings[] = { "", ".local" };
	char path[700];

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		snprintf(path, sizeof path, "%s/clients_ip_whitelist%s", s->folder, endings[i]);
		convert_at(s->c, path, 0, span_of("a list that it reads"));
		convert_list(s->c, "client", path, true);
	}
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		snprintf(path, sizeof path, "%s/clients_fqdn_whitelist%s", s->folder, endings[i]);
		read_names(s, path);
	}
	if (s->discriminates)
		read_expressions(s);
}

static void read_settings(struct sqlgrey *s, const char *file, struct span text)
{
	struct span line;

	for (unsigned number = 1; span_cut(&text, '\n', &line); number++) {
		struct span whole = span_trim(span_head(line, span_find(line, '#')));
		size_t sign = span_find(whole, '=');
		struct span name = span_trim(span_head(whole, sign)), value = span_trim(span_from(whole, sign + 1));
		if (whole.n == 0)
			continue;
		/* A DSN may have a password in it. */
		convert_at(s->c, file, number, span_iends(name, span_of("dsn")) ? name : convert_harmless(whole));
		if (sign == whole.n)
			convert_missing(s->c, span_make("", 0), "no assignment");
		else
			keyvalue_take(s->c, rows, s, name, value);
	}
}

int convert_sqlgrey(struct convert *c, char **words, int count, struct buf *why)
{
	struct sqlgrey s = { .c = c, .folder = "/etc/sqlgrey", .names = buf_heap(60000) };
	struct buf text = buf_heap(CONVERT_FILE_MAX);
	int found = count == 1 ? convert_read("", words[0], &text, why) : buf_fail(why, "one file at a time");

	if (found == 1) {
		read_settings(&s, words[0], buf_span(&text));
		write_rest(&s);
		read_lists(&s);
	}
	buf_free(&text);
	buf_free(&s.names);
	return found == 1 ? 0 : -1;
}
